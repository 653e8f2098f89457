//! The backtest on a terminal. No name can move the cursor or colour a line.

use super::Backtest;
use super::table::{Column, Table, conclusion, facts, notes, tables};
use crate::report::printable;
use crate::report::text::layout::{Paint, columns_of, fit, wrap};

/// How to print it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub color: bool,
    /// Of the terminal, in columns.
    pub width: u16,
    /// Where the page with the pictures is, if it was written.
    pub location: Option<String>,
}

const NARROWEST: usize = 60;
const WIDEST: usize = 160;

/// A name is cut beyond.
const WIDEST_CELL: usize = 40;

/// The text, with a final newline.
pub fn render(backtest: &Backtest, options: &Options) -> String {
    let width = usize::from(options.width).clamp(NARROWEST, WIDEST);
    let setting = &backtest.setting;
    let mut lines = vec![format!("BACKTEST  {} ({})", printable(&setting.job), printable(&setting.environment))];
    lines.extend(facts(backtest).iter().flat_map(|fact| wrap(&printable(fact), width, "  ")));
    for table in tables(backtest) {
        lines.push(String::new());
        lines.push(table.title.to_owned());
        lines.extend(wrap(&table.hint, width, "  ").iter().map(|line| Paint::Faint.apply(line, options.color)));
        lines.extend(laid_out(&table, options.color));
    }
    lines.push(String::new());
    lines.extend(notes(backtest).iter().flat_map(|note| wrap(&printable(note), width, "")));
    lines.extend(wrap(&printable(&conclusion(backtest)), width, ""));
    lines.extend(options.location.as_ref().map(|location| format!("Report: {}", printable(location))));
    lines.iter().map(|line| format!("{}\n", super::super::text::obeyed_by_nobody(line.trim_end()))).collect()
}

fn laid_out(table: &Table, color: bool) -> Vec<String> {
    let cells: Vec<Vec<String>> =
        table.rows.iter().map(|row| row.iter().map(|cell| fit(&printable(cell), WIDEST_CELL)).collect()).collect();
    let widest = |(position, column): (usize, &Column)| {
        let of_rows = cells.iter().filter_map(|row| row.get(position)).map(|cell| columns_of(cell)).max().unwrap_or(0);
        of_rows.max(columns_of(column.title))
    };
    let widths: Vec<usize> = table.columns.iter().enumerate().map(widest).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(table.columns.iter().zip(&widths)).map(|(cell, (column, width))| {
            let padding = " ".repeat(width.saturating_sub(columns_of(cell)));
            if column.is_number { padding + cell } else { cell.to_owned() + &padding }
        });
        padded.collect::<Vec<String>>().join("  ")
    };
    let titles = line(&mut table.columns.iter().map(|column| column.title)).to_uppercase();
    let mut lines = vec![Paint::Faint.apply(titles.trim_end(), color)];
    lines.extend(cells.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{backtest, feature, window};
    use super::*;
    use crate::decision::rule::Reach;

    #[test]
    fn a_long_name_is_cut_and_the_numbers_stand_on_the_right() {
        let mut backtest = backtest(vec![window(24, &[feature(Reach::Never)])], Vec::new(), Vec::new());
        backtest.features[0].name = "n".repeat(50).as_str().into();
        let text = render(&backtest, &Options { color: false, width: 20, location: None });
        let row = text.lines().find(|line| line.starts_with("nn")).unwrap();
        assert_eq!(
            row,
            format!("{}…    0/1       0        0         0    0/1     95 %      0.20     0.40        100", "n".repeat(39))
        );
        assert!(text.lines().any(|line| line == "FEATURE                                   FIRED  BROKEN  UNCLEAR  EPISODES  FALSE  AT MOST  SEES PSI  SEES SD  EFF. ROWS"), "{text}");
    }
}
