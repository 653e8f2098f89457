//! What a report says in words: what moved in a feature, which way, since when, and how a verdict is called and drawn.
//!
//! Shared by the text, markdown and HTML renderings, so that all three tell the same story. Computes no statistic: it only picks
//! among the numbers of the report. Everything it returns is plain text that no renderer has escaped yet.

mod history;
mod moves;
mod relations;

use chrono::{DateTime, Utc};

pub use history::{Since, dataset_since, feature_since};
pub use moves::{Move, Story, tell, telling_cells};
pub use relations::cause_sentence;

use super::{CurrentSection, FeatureReport, PsiCellSection, WindowSection};
use crate::decision::finding::Severity;
use crate::decision::signal::SignalState;
use crate::decision::{DatasetVerdict, Verdict};
use crate::window::Length;

/// How a verdict is written and drawn. The glyph and the word always go together: colour alone tells nobody anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// As it is serialized; also the name of its style.
    pub key: &'static str,
    pub word: &'static str,
    /// One column wide, no emoji in any font.
    pub glyph: &'static str,
}

/// The words for a feature's verdict.
pub fn feature_words(verdict: Verdict) -> Words {
    match verdict {
        Verdict::Broken => Words { key: "broken", word: "Broken", glyph: "✕" },
        Verdict::Drift => Words { key: "drift", word: "Drift", glyph: "◆" },
        Verdict::Warning => Words { key: "warning", word: "Warning", glyph: "!" },
        Verdict::Inconclusive => Words { key: "inconclusive", word: "Inconclusive", glyph: "?" },
        Verdict::Stable => Words { key: "stable", word: "Stable", glyph: "✓" },
    }
}

/// The words for the verdict on the data set.
pub fn dataset_words(verdict: DatasetVerdict) -> Words {
    match verdict {
        DatasetVerdict::Drift => Words { key: "drift", word: "Drift", glyph: "◆" },
        DatasetVerdict::Inconclusive => Words { key: "inconclusive", word: "Inconclusive", glyph: "?" },
        DatasetVerdict::Stable => Words { key: "stable", word: "Stable", glyph: "✓" },
        DatasetVerdict::NoData => Words { key: "no-data", word: "No data", glyph: "∅" },
    }
}

/// The words for the severity of a finding.
pub fn severity_words(severity: Severity) -> Words {
    match severity {
        Severity::Error => Words { key: "error", word: "Error", glyph: "✕" },
        Severity::Warning => Words { key: "warning", word: "Warning", glyph: "!" },
        Severity::Info => Words { key: "info", word: "Info", glyph: "i" },
    }
}

/// The words for the state of a signal.
pub fn signal_words(state: SignalState) -> Words {
    match state {
        SignalState::Firing => Words { key: "drift", word: "Firing", glyph: "◆" },
        SignalState::Quiet => Words { key: "stable", word: "Quiet", glyph: "✓" },
        SignalState::Inconclusive => Words { key: "inconclusive", word: "Inconclusive", glyph: "?" },
    }
}

/// What moved in a feature that has a verdict to tell of, in one line; why it has that verdict where nothing moved.
pub fn change_in_words(feature: &FeatureReport) -> String {
    let told = tell(feature);
    let sentence = told.sentence("→");
    if sentence.is_empty() || matches!(feature.verdict, Verdict::Broken | Verdict::Inconclusive) {
        return visible(&feature.reason);
    }
    let arrow = told.direction.arrow();
    let psi = feature.psi.as_ref().map_or_else(String::new, |psi| format!(", PSI {:.2}", psi.adjusted));
    format!("{arrow} {sentence}{psi}").trim_start().to_owned()
}

/// A name, label or message from outside, made visible: control characters and those that reorder or hide text become U+FFFD, so
/// that no column name can move a terminal's cursor or show itself backwards. Line breaks and tabs become spaces.
pub fn visible(text: &str) -> String {
    let shown: String = text
        .chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
            c if is_hidden(c) => '\u{FFFD}',
            c => c,
        })
        .collect();
    if shown.trim().is_empty() { "(no name)".to_owned() } else { shown.replace(COMMAND, "#\u{FFFD}[") }
}

/// Whether a character is not seen, or moves or reorders what is.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// With this, anywhere in a line of a log, GitHub's runner is given a command.
const COMMAND: &str = "##[";

/// The same JSON, with hidden characters written as escapes: who prints it on a terminal sees them, and is not steered by them.
pub fn escaped_json(json: String) -> String {
    // Between texts there are line breaks only.
    let is_hidden = |c: char| c != '\n' && is_hidden(c);
    if !json.contains(is_hidden) && !json.contains(COMMAND) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 64);
    for c in json.replace(COMMAND, "#\\u0023[").chars() {
        if is_hidden(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A moment as people read it, to the minute; with seconds only where there are any.
pub fn moment(at: DateTime<Utc>) -> String {
    let seconds = if at.timestamp().rem_euclid(60) == 0 { "" } else { ":%S" };
    at.format(&format!("%Y-%m-%d %H:%M{seconds}")).to_string()
}

/// The window in one line: `2026-01-30 18:00 to 2026-01-31 18:00 UTC (24h)`.
pub fn window(section: &WindowSection) -> String {
    match (section.start, section.end) {
        (Some(start), Some(end)) => {
            let length = length(section.length_s).map(|length| format!(" ({length})")).unwrap_or_default();
            format!("{} to {} UTC{length}", moment(start), moment(end))
        }
        (None, Some(end)) => format!("everything before {} UTC", moment(end)),
        (Some(start), None) => format!("everything from {} UTC on", moment(start)),
        (None, None) => "all rows of the logs (they have no timestamp)".to_owned(),
    }
}

/// The length of a window as it is written in the configuration.
pub fn length(seconds: Option<i64>) -> Option<Length> {
    format!("{}s", seconds?).parse().ok()
}

/// Where the rows that were read went, as a sum that can be checked: `read = used + outside the window + rejected`.
pub fn row_accounting(current: &CurrentSection) -> String {
    format!(
        "{} read = {} used + {} outside the window + {} rejected",
        super::format_count(current.rows_read),
        super::format_count(current.rows),
        super::format_count(current.rows_outside_window),
        super::format_count(current.rows_rejected)
    )
}

/// A design effect or its consequence in words: rows that count as much as independent ones.
pub fn effective(rows: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a u64 holds")]
    let whole = rows.clamp(0.0, 1e18).round() as u64;
    super::format_count(whole)
}

/// The part of `total` that `count` is; 0 of nothing is 0.
pub fn fraction(count: u64, total: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share to three digits")]
    let fraction = count as f64 / total.max(1) as f64;
    fraction
}

/// Both sides' totals over PSI cells.
pub fn cell_totals(cells: &[PsiCellSection]) -> (u64, u64) {
    cells
        .iter()
        .fold((0, 0), |(reference, current), cell| (reference.saturating_add(cell.reference), current.saturating_add(cell.current)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_a_terminal_or_reverse_a_line_is_made_visible() {
        assert_eq!(visible("a\u{1b}[31mb"), "a\u{FFFD}[31mb");
        assert_eq!(visible("a\u{202E}b\u{9b}c\u{0}"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}");
        assert_eq!(visible("a\r\nb\tc"), "a  b c");
        assert_eq!(visible("größe ✓ 幅"), "größe ✓ 幅");
        assert_eq!(visible("  "), "(no name)");
    }

    #[test]
    fn a_window_reads_in_one_line_whatever_it_lacks() {
        let end = DateTime::from_timestamp(1_769_882_400, 0);
        let start = DateTime::from_timestamp(1_769_796_000, 0);
        let shown = |start, end, length_s| window(&WindowSection { start, end, length_s });
        assert_eq!(shown(start, end, Some(86_400)), "2026-01-30 18:00 to 2026-01-31 18:00 UTC (24h)");
        assert_eq!(shown(None, end, None), "everything before 2026-01-31 18:00 UTC");
        assert_eq!(shown(None, None, None), "all rows of the logs (they have no timestamp)");
    }

    #[test]
    fn a_moment_shows_seconds_only_where_there_are_any() {
        assert_eq!(DateTime::from_timestamp(1_769_882_405, 0).map(moment).as_deref(), Some("2026-01-31 18:00:05"));
    }

    #[test]
    fn every_hidden_character_is_shown_and_its_neighbours_are_left() {
        for hidden in
            "\u{AD}\u{61C}\u{180E}\u{200B}\u{200F}\u{202A}\u{202E}\u{2060}\u{206F}\u{FEFF}\u{FFF9}\u{FFFB}\u{E0000}\u{E007F}"
                .chars()
        {
            assert_eq!(visible(&format!("a{hidden}b")), "a\u{FFFD}b", "{hidden:?}");
        }
        for shown in ["\u{AC}\u{AE}", "\u{200A}\u{2010}", "\u{2027}\u{202F}", "\u{2070}\u{205F}", "\u{FFFC}"] {
            assert_eq!(visible(&format!("a{shown}b")), format!("a{shown}b"));
        }
        assert_eq!(visible("a\u{2028}b\u{2029}c"), "a b c");
        assert_eq!(visible("##[error]a"), "#\u{FFFD}[error]a");
    }

    #[test]
    fn hidden_characters_in_json_are_escapes_and_line_breaks_stay() {
        let json = |json: &str| escaped_json(json.to_owned());
        assert_eq!(json("{\n  \"a\": \"größe\"\n}"), "{\n  \"a\": \"größe\"\n}");
        assert_eq!(json("{\n\"a\u{202E}\u{E0001}b\"}"), "{\n\"a\\u202e\\udb40\\udc01b\"}");
        assert_eq!(json("\"##[error]\""), "\"#\\u0023[error]\"", "no command to a log");
    }

    #[test]
    fn a_window_may_have_a_beginning_only() {
        let start = DateTime::from_timestamp(1_769_796_000, 0);
        assert_eq!(window(&WindowSection { start, end: None, length_s: None }), "everything from 2026-01-30 18:00 UTC on");
        assert_eq!(
            [length(Some(86_400)), length(Some(-1)), length(None)].map(|length| length.map(|length| length.to_string())),
            [Some("24h".to_owned()), None, None]
        );
    }

    #[test]
    fn parts_and_sums_of_rows() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(fraction(1, 4), 0.25) && close(fraction(0, 0), 0.0) && close(fraction(3, 0), 3.0));
        assert_eq!([148.3, 1_234.5, -1.0, f64::INFINITY].map(effective), ["148", "1,235", "0", "1,000,000,000,000,000,000"]);
        let cell = |reference, current| PsiCellSection {
            label: String::new(),
            lower: None,
            upper: None,
            reference,
            current,
            contribution: 0.0,
        };
        assert_eq!(cell_totals(&[cell(1, 20), cell(3, 40)]), (4, 60));
    }

    #[test]
    fn a_change_is_told_in_one_line_and_what_cannot_be_compared_by_its_reason() {
        let mut moved = crate::report::tests::feature("f", Verdict::Drift);
        assert_eq!(change_in_words(&moved), "as it is", "nothing moved");
        moved.shift = Some(super::super::ShiftSection { value: 2.5, scaled: Some(1.25) });
        assert_eq!(change_in_words(&moved), "↑ mean 2.5 higher (1.25 reference sd)");
        moved.psi = Some(super::super::PsiSection { value: 0.5, adjusted: 0.456, p_value: 0.0, cells: Vec::new() });
        assert_eq!(change_in_words(&moved), "↑ mean 2.5 higher (1.25 reference sd), PSI 0.46");
        for verdict in [Verdict::Broken, Verdict::Inconclusive] {
            moved.verdict = verdict;
            assert_eq!(change_in_words(&moved), "as it is");
        }
    }
}
