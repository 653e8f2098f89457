//! Columns on a terminal: how wide a text is, how it is cut, padded, wrapped and coloured.

use crate::report::FeatureReport;

/// One column of the table.
pub struct Column {
    pub title: &'static str,
    pub width: usize,
    pub align: Align,
    pub content: Box<dyn Fn(&FeatureReport) -> String>,
}

/// Where a cell's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

impl Column {
    /// The text, exactly as wide as the column.
    pub fn cell(&self, text: &str) -> String {
        let text = fit(text, self.width);
        let padding = " ".repeat(self.width.saturating_sub(columns_of(&text)));
        match self.align {
            Align::Left => text + &padding,
            Align::Right => padding + &text,
        }
    }
}

/// The colours, by meaning: the 16 that every terminal theme makes readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Drift,
    Warning,
    Stable,
    Faint,
}

impl Paint {
    pub fn apply(self, text: &str, color: bool) -> String {
        let code = match self {
            Self::Drift => "1;31",
            Self::Warning => "33",
            Self::Stable => "32",
            Self::Faint => "2",
        };
        if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// How many columns a character takes: none for combining marks, two for the wide scripts and emoji, else one.
fn columns_of_character(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036F | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F => 0,
        0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F => 2,
        0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1F64F | 0x1F680..=0x1F6FF | 0x1F900..=0x1F9FF | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// How many columns a text takes.
pub fn columns_of(text: &str) -> usize {
    text.chars().map(columns_of_character).sum()
}

/// The text cut to `width` columns, with an ellipsis where something is missing.
pub fn fit(text: &str, width: usize) -> String {
    if columns_of(text) <= width {
        return text.to_owned();
    }
    let (mut cut, mut used) = (String::new(), 0);
    for character in text.chars() {
        used += columns_of_character(character);
        if used + 1 > width {
            break;
        }
        cut.push(character);
    }
    if width > 0 { cut.trim_end().to_owned() + "…" } else { String::new() }
}

/// The text in lines of at most `width` columns, all indented; a word longer than a line stands alone and is not cut.
pub fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && columns_of(indent) + columns_of(&line) + 1 + columns_of(word) > width {
            lines.push(format!("{indent}{line}"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(format!("{indent}{line}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_columns_not_at_bytes() {
        assert_eq!(fit("sphericity", 10), "sphericity");
        assert_eq!(fit("sphericity", 6), "spher…");
        assert_eq!(fit("幅幅幅幅", 5), "幅幅…");
        assert_eq!(columns_of("e\u{301}"), 1);
        assert_eq!(fit("ab", 0), "");
    }

    #[test]
    fn lines_are_wrapped_at_words() {
        assert_eq!(wrap("one two three", 9, "  "), ["  one two", "  three"]);
        assert_eq!(wrap("unbreakable", 4, ""), ["unbreakable"]);
        assert!(wrap("  ", 4, "").is_empty());
    }

    #[test]
    fn a_character_takes_none_one_or_two_columns() {
        let width = |ends: &[(u32, u32)], columns: usize| {
            for code in ends.iter().flat_map(|(first, last)| [*first, *last]) {
                assert_eq!(columns_of_character(char::from_u32(code).unwrap()), columns, "{code:X}");
            }
        };
        width(&[(0x300, 0x36F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F)], 0);
        width(&[(0x1100, 0x115F), (0x2E80, 0x303E), (0x3041, 0xA4CF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFE30, 0xFE6F)], 2);
        width(&[(0xFF00, 0xFF60), (0xFFE0, 0xFFE6), (0x1_F300, 0x1_F64F), (0x1_F680, 0x1_F6FF), (0x1_F900, 0x1_F9FF)], 2);
        width(&[(0x2_0000, 0x3_FFFD)], 2);
        width(&[(0x20, 0x2FF), (0x370, 0x10FF), (0x303F, 0x3040), (0xD7A4, 0xD7FF), (0x1_F650, 0x1_F67F)], 1);
        assert_eq!(columns_of("a幅\u{301}✓"), 4);
    }

    #[test]
    fn what_is_cut_ends_in_an_ellipsis_within_its_width() {
        assert_eq!([fit("ab cd", 5), fit("ab cd", 4), fit("ab cd", 1), fit("幅幅幅", 4)], ["ab cd", "ab…", "…", "幅…"]);
    }

    #[test]
    fn a_line_is_filled_to_its_width_and_not_beyond() {
        assert_eq!(wrap("one two", 7, ""), ["one two"]);
        assert_eq!(wrap("one two", 6, ""), ["one", "two"]);
        assert_eq!(wrap("one two six", 9, "  "), ["  one two", "  six"]);
        assert_eq!(wrap("one two six", 8, "  "), ["  one", "  two", "  six"]);
        assert_eq!(wrap("幅幅 幅", 7, ""), ["幅幅 幅"]);
        assert_eq!(wrap("幅幅 幅", 6, ""), ["幅幅", "幅"]);
    }

    #[test]
    fn a_cell_is_as_wide_as_its_column_and_colour_takes_no_room() {
        let cell = |align, text: &str| Column { title: "T", width: 4, align, content: Box::new(|_| String::new()) }.cell(text);
        assert_eq!([cell(Align::Left, "ab"), cell(Align::Right, "ab"), cell(Align::Right, "幅")], ["ab  ", "  ab", "  幅"]);
        assert_eq!([cell(Align::Left, "abcd"), cell(Align::Left, "abcde")], ["abcd", "abc…"]);
        let painted = [Paint::Drift, Paint::Warning, Paint::Stable, Paint::Faint].map(|paint| paint.apply("x", true));
        assert_eq!(painted, ["1;31", "33", "32", "2"].map(|code| format!("\u{1b}[{code}mx\u{1b}[0m")));
        assert_eq!(Paint::Drift.apply("x", false), "x");
    }
}
