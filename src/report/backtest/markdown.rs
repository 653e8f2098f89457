//! The backtest as GitHub-flavoured markdown. Every name is escaped for a table's cell.

use super::Backtest;
use super::table::{Table, conclusion, facts, notes, tables};
use crate::report::markdown::escape;

/// The markdown, with a final newline.
pub fn render(backtest: &Backtest) -> String {
    let setting = &backtest.setting;
    let list = |items: Vec<String>| items.iter().map(|item| format!("- {}", escape(item))).collect::<Vec<String>>().join("\n");
    let mut parts = vec![
        format!("## Backtest: {} ({})", escape(&setting.job), escape(&setting.environment)),
        escape(&conclusion(backtest)),
        list(facts(backtest)),
    ];
    parts.extend(tables(backtest).iter().map(section));
    let notes = notes(backtest);
    if !notes.is_empty() {
        parts.push(format!("### Notes\n\n{}", list(notes)));
    }
    parts.join("\n\n") + "\n"
}

fn section(table: &Table) -> String {
    let row = |cells: &mut dyn Iterator<Item = String>| format!("| {} |", cells.collect::<Vec<String>>().join(" | "));
    let mut lines = vec![
        row(&mut table.columns.iter().map(|column| column.title.to_owned())),
        row(&mut table.columns.iter().map(|column| if column.is_number { "--:" } else { ":--" }.to_owned())),
    ];
    lines.extend(table.rows.iter().map(|cells| row(&mut cells.iter().map(|cell| escape(cell)))));
    format!("### {}\n\n{}\n\n{}", table.title, escape(&table.hint), lines.join("\n"))
}
