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
}
