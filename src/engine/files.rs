//! Which files can hold rows of a window, told to a database: as [`Selection`] decides it of objects, by the date in a file's path or else by when
//! it was written.

use chrono::{DateTime, Utc};

use super::dialect::Dialect;
use super::statements::{FILE, WRITTEN};
use crate::ingest::select::Selection;
use crate::ingest::timestamp::{EARLIEST_US, LATEST_US};
use crate::window::Window;

/// The condition that a row is in such a file.
pub fn may_hold(dialect: Dialect, selection: &Selection, window: Window) -> String {
    let first = micros(window.start.checked_sub_signed(selection.slack).unwrap_or(window.start));
    let last = micros(window.end.checked_add_signed(selection.slack).unwrap_or(window.end)) - 1;
    let is_recent = dialect.is_between(&dialect.name(WRITTEN), super::columns::Moment::Instant, first, LATEST_US);
    let Some(pattern) = &selection.date_pattern else { return is_recent };
    // From the year down and of a fixed width, so dates follow each other as texts do.
    let date = dialect.last_match(&dialect.name(FILE), &expression(pattern));
    let [first, last] = [first, last].map(|moment| dialect.text(&rendered(pattern, moment)));
    format!("CASE WHEN {date} = {} THEN {is_recent} ELSE {date} >= {first} AND {date} <= {last} END", dialect.text(""))
}

/// Within what a log can tell.
fn micros(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_micros().clamp(EARLIEST_US, LATEST_US)
}

/// A regular expression for the dates of a pattern that the configuration has accepted.
fn expression(pattern: &str) -> String {
    let mut expression = String::new();
    let mut symbols = pattern.chars();
    while let Some(symbol) = symbols.next() {
        match (symbol, if symbol == '%' { symbols.next() } else { None }) {
            (_, Some('Y')) => expression.push_str("[0-9]{4}"),
            (_, Some('m')) => expression.push_str("(?:0[1-9]|1[0-2])"),
            (_, Some('d')) => expression.push_str("(?:0[1-9]|[12][0-9]|3[01])"),
            (_, Some('H')) => expression.push_str("(?:[01][0-9]|2[0-3])"),
            (symbol, _) if symbol.is_ascii_punctuation() => expression.extend(['\\', symbol]),
            (symbol, _) => expression.push(symbol),
        }
    }
    expression
}

/// The date of a moment, in microseconds since the epoch, as a pattern writes it.
fn rendered(pattern: &str, moment_us: i64) -> String {
    DateTime::from_timestamp_micros(moment_us).unwrap_or_default().format(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn window(start: &str, end: &str) -> Window {
        Window { start: start.parse().unwrap(), end: end.parse().unwrap() }
    }

    #[test]
    fn without_a_date_the_time_of_writing_decides() {
        let selection = Selection { date_pattern: None, slack: TimeDelta::hours(1) };
        let condition = may_hold(Dialect::Spark, &selection, window("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"));
        let first = "2026-01-30T23:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        assert!(condition.starts_with(&format!("(`drift_check_written` >= timestamp_micros({first}L)")), "{condition}");
        assert!(!condition.contains("drift_check_file"), "{condition}");
    }

    #[test]
    fn dates_lie_between_the_first_and_the_last_one_that_matter() {
        let selection = |pattern: &str, hours| Selection { date_pattern: Some(pattern.to_owned()), slack: TimeDelta::hours(hours) };
        let day = window("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z");
        for (pattern, slack, between) in [
            ("%Y/%m/%d", 0, ["2026/01/31", "2026/01/31"]),
            ("%Y/%m/%d", 1, ["2026/01/30", "2026/02/01"]),
            ("y=%Y/m=%m", 1, ["y=2026/m=01", "y=2026/m=02"]),
            ("%Y%m%dT%H", 2, ["20260130T22", "20260201T01"]),
            ("it's %Y", 0, ["it\\'s 2026", "it\\'s 2026"]),
        ] {
            let condition = may_hold(Dialect::Spark, &selection(pattern, slack), day);
            let [first, last] = between;
            assert!(
                condition.contains(&format!(">= '{first}' AND ")) && condition.ends_with(&format!("<= '{last}' END")),
                "{condition}"
            );
        }
    }

    #[test]
    fn an_expression_means_the_pattern_to_the_letter() {
        assert_eq!(expression("a.%Y-%m"), "a\\.[0-9]{4}\\-(?:0[1-9]|1[0-2])");
        assert_eq!(expression("%d %H"), "(?:0[1-9]|[12][0-9]|3[01]) (?:[01][0-9]|2[0-3])");
    }

    #[test]
    fn a_window_without_a_beginning_has_a_first_date() {
        let selection = Selection { date_pattern: Some("%Y".to_owned()), slack: TimeDelta::zero() };
        let condition =
            may_hold(Dialect::Spark, &selection, Window { start: DateTime::<Utc>::MIN_UTC, end: DateTime::<Utc>::MAX_UTC });
        assert!(condition.contains(">= '1990' AND "), "{condition}");
    }
}
