//! Which objects can hold rows of the window. Pure: keys and times in, a decision out.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::bucket::ObjectMeta;
use crate::window::Window;

/// How the time of an object's rows is known without reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The date in the key, made of `%Y`, `%m`, `%d` and `%H`; `None` where keys have none.
    pub date_pattern: Option<String>,
    /// How far the time of a row may be from what the key, or the object's update time, says.
    pub slack: TimeDelta,
}

impl Selection {
    /// Whether the object can hold rows of the window: by the date in its key, or else because it was written after the window
    /// began (a row is written after the moment it tells of).
    pub fn may_hold(&self, object: &ObjectMeta, window: Window) -> bool {
        let by_date = self.by_date(&object.key, window);
        by_date.unwrap_or_else(|| object.updated.is_none_or(|updated| window.start <= updated + self.slack))
    }

    /// Whether the date in a key is one of the window's; `None` where there is no date in it.
    pub fn by_date(&self, key: &str, window: Window) -> Option<bool> {
        let (start, end) = self.span(key)?;
        Some(start - self.slack < window.end && window.start < end + self.slack)
    }

    /// The time `[start, end)` that the key names: an hour, a day, a month or a year, by the finest part of the pattern.
    pub fn span(&self, key: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let pattern = self.date_pattern.as_deref()?;
        // The last date in the key: the first may be a part of a name.
        (0..key.len()).rev().filter_map(|start| key.get(start..)).find_map(|rest| span_at_start(pattern, rest))
    }
}

fn span_at_start(pattern: &str, text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (mut year, mut month, mut day, mut hour) = (None, None, None, None);
    let (mut pattern, mut text) = (pattern.chars(), text);
    while let Some(symbol) = pattern.next() {
        if symbol != '%' {
            text = text.strip_prefix(symbol)?;
            continue;
        }
        let (slot, width) = match pattern.next()? {
            'Y' => (&mut year, 4),
            'm' => (&mut month, 2),
            'd' => (&mut day, 2),
            'H' => (&mut hour, 2),
            _ => return None,
        };
        let (digits, rest) = text.split_at_checked(width)?;
        *slot = Some(digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())??);
        text = rest;
    }
    let year = i32::try_from(year?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let start = date.and_hms_opt(hour.unwrap_or(0), 0, 0)?.and_utc();
    let end = match (month, day, hour) {
        (_, _, Some(_)) => start + TimeDelta::hours(1),
        (_, Some(_), None) => start + TimeDelta::days(1),
        (Some(_), None, None) => start.checked_add_months(chrono::Months::new(1))?,
        (None, None, None) => start.checked_add_months(chrono::Months::new(12))?,
    };
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Length;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn object(key: &str, updated: Option<&str>) -> ObjectMeta {
        let (key, updated) = (key.to_owned(), updated.map(moment));
        ObjectMeta { uri: key.clone(), key, size_bytes: 1, updated, generation: None, stamp: None }
    }

    fn selection(pattern: &str, slack_hours: i64) -> Selection {
        Selection { date_pattern: Some(pattern.to_owned()), slack: TimeDelta::hours(slack_hours) }
    }

    fn window() -> Window {
        Window::ending_at(moment("2026-01-31T18:00:00Z"), Length::from_hours(24))
    }

    #[test]
    fn the_date_in_the_key_decides() {
        let selection = selection("%Y/%m/%d", 0);
        let holds = |key: &str| selection.may_hold(&object(key, Some("2020-01-01T00:00:00Z")), window());
        assert!(holds("predictions/2026/01/30/a.csv"));
        assert!(holds("predictions/2026/01/31/a.csv"));
        assert!(!holds("predictions/2026/01/29/a.csv"));
        assert!(!holds("predictions/2026/02/01/a.csv"));
    }

    #[test]
    fn slack_widens_the_span_of_the_key() {
        let just_after = object("p/2026-02-01/a.csv", None);
        assert!(!selection("%Y-%m-%d", 6).may_hold(&just_after, window()));
        assert!(selection("%Y-%m-%d", 7).may_hold(&just_after, window()));
    }

    #[test]
    fn without_a_date_in_the_key_the_update_time_decides() {
        let selection = selection("%Y/%m/%d", 1);
        assert!(!selection.may_hold(&object("all.csv", Some("2026-01-30T16:59:59Z")), window()));
        assert!(selection.may_hold(&object("all.csv", Some("2026-01-30T17:00:00Z")), window()));
        assert!(selection.may_hold(&object("all.csv", Some("2026-02-20T00:00:00Z")), window()));
        assert!(selection.may_hold(&object("all.csv", None), window()));
        // No month 13: the digits are no date, so the update time decides.
        assert!(selection.may_hold(&object("2026/13/01/all.csv", None), window()));
    }

    #[test]
    fn the_finest_part_of_the_pattern_is_the_span() {
        let span = |pattern: &str, key: &str| selection(pattern, 0).span(key).map(|(start, end)| (end - start).num_hours());
        assert_eq!(span("%Y/%m/%d/%H", "p/2026/01/31/05/a.csv"), Some(1));
        assert_eq!(span("dt=%Y%m%d", "p/dt=20260131/a.csv"), Some(24));
        assert_eq!(span("%Y-%m", "p/2026-02/a.csv"), Some(28 * 24));
        assert_eq!(span("%Y", "p/2026/a.csv"), Some(365 * 24));
        assert_eq!(span("%Y/%m/%d", "p/été/2026/1/31/a.csv"), None);
    }
}
