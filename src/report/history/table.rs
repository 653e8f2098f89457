//! One table, on a terminal or in markdown. No cell can move the cursor, and none can break out of its cell.

use crate::report::{markdown, story};

/// Where a table is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    Text,
    Markdown,
}

pub struct Table {
    title: String,
    header: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: impl Into<String>, header: &'static [&'static str]) -> Self {
        Self { title: title.into(), header, rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// With a final newline.
    pub fn render(&self, medium: Medium) -> String {
        match medium {
            Medium::Text => self.text(),
            Medium::Markdown => self.markdown(),
        }
    }

    fn text(&self) -> String {
        if self.rows.is_empty() {
            return format!("{}: none\n", self.title);
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::NOTHING);
        table.set_header(self.header);
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| shown(cell)));
        }
        // Beginning with a space, no line is a command to anybody.
        format!("{}:\n{}\n", self.title, table.trim_fmt())
    }

    fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n", self.title);
        if self.rows.is_empty() {
            return text + "none\n";
        }
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        text.push_str(&line(self.header.iter().map(|title| (*title).to_owned()).collect()));
        text.push_str(&line(vec!["---".to_owned(); self.header.len()]));
        for row in &self.rows {
            text.push_str(&line(
                row.iter().map(|cell| if cell.is_empty() { String::new() } else { markdown::escape(cell) }).collect(),
            ));
        }
        text
    }
}

fn shown(cell: &str) -> String {
    if cell.is_empty() { String::new() } else { story::visible(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_in_its_cell() {
        let mut table = Table::new("T", &["a", "b"]);
        table.row(["x|y\u{1b}[2J".to_owned(), String::new()]);
        assert_eq!(table.render(Medium::Markdown), "### T\n\n| a | b |\n| --- | --- |\n| x&#124;y\u{FFFD}&#91;2J |  |\n");
        let text = table.render(Medium::Text);
        assert!(text.contains("x|y\u{FFFD}[2J") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(Table::new("T", &["a"]).render(Medium::Text), "T: none\n");
    }
}
