//! The window under test: half-open `[start, end)` in UTC, and the lengths it is written in.
//!
//! Pure: the moment it ends at is given, never read from a clock.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

/// A length of time in whole seconds, written `90s`, `30m`, `6h`, `7d` or `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Length {
    seconds: u32,
}

/// Why a text is not a length of time.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{text}` is not a length of time: write a positive whole number and a unit, such as 30m, 6h, 24h or 7d (at most 3650d)")]
pub struct LengthError {
    text: String,
}

/// Ten years: longer than any log is kept, short enough that no date arithmetic can overflow.
const LONGEST_SECONDS: u64 = 3650 * 86_400;

const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

impl Length {
    pub fn from_hours(hours: u16) -> Self {
        Self { seconds: u32::from(hours) * 3_600 }
    }

    pub fn seconds(self) -> i64 {
        i64::from(self.seconds)
    }

    pub fn delta(self) -> TimeDelta {
        TimeDelta::seconds(self.seconds())
    }
}

impl FromStr for Length {
    type Err = LengthError;

    fn from_str(text: &str) -> Result<Self, LengthError> {
        let error = || LengthError { text: text.to_owned() };
        let unit = text.chars().last().ok_or_else(error)?;
        let (_, unit_seconds) = UNITS.iter().find(|(symbol, _)| *symbol == unit).ok_or_else(error)?;
        let digits = text.strip_suffix(unit).ok_or_else(error)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let number: u64 = digits.parse().map_err(|_| error())?;
        let seconds = number.checked_mul(*unit_seconds).filter(|seconds| (1..=LONGEST_SECONDS).contains(seconds));
        let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok()).ok_or_else(error)?;
        Ok(Self { seconds })
    }
}

/// Hours up to two days (`24h`, as people say it), then the largest unit that divides the length.
impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = u64::from(self.seconds);
        let (symbol, unit) = match seconds {
            s if s.is_multiple_of(3_600) && s <= 172_800 => ('h', 3_600),
            s if s.is_multiple_of(86_400) => ('d', 86_400),
            s if s.is_multiple_of(3_600) => ('h', 3_600),
            s if s.is_multiple_of(60) => ('m', 60),
            _ => ('s', 1),
        };
        write!(f, "{}{symbol}", seconds / unit)
    }
}

/// `[start, end)` in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
}

impl Window {
    /// The window of the given length that ends at `end`.
    pub fn ending_at(end: DateTime<Utc>, length: Length) -> Self {
        Self { start: end - length.delta(), end }
    }

    /// The window just before this one, of the same length.
    #[must_use]
    pub fn previous(self) -> Self {
        Self { start: self.start - (self.end - self.start), end: self.start }
    }

    pub fn contains(&self, moment: DateTime<Utc>) -> bool {
        self.start <= moment && moment < self.end
    }

    /// Its moments, in microseconds since the epoch.
    pub fn micros(&self) -> Range<i64> {
        self.start.timestamp_micros()..self.end.timestamp_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_reads_as_it_is_written() {
        for text in ["90s", "30m", "6h", "24h", "48h", "7d", "36h", "50h", "1h"] {
            assert_eq!(text.parse::<Length>().unwrap().to_string(), text);
        }
        assert_eq!("1d".parse::<Length>().unwrap().to_string(), "24h");
        assert_eq!("1w".parse::<Length>().unwrap().to_string(), "7d");
    }

    #[test]
    fn a_length_is_as_long_as_it_says() {
        assert_eq!(Length::from_hours(24).seconds(), 86_400);
        assert_eq!("7d".parse::<Length>().unwrap().delta(), TimeDelta::days(7));
    }

    #[test]
    fn what_is_not_a_length_is_refused() {
        for text in ["", "h", "24", "0h", "-1h", "+1h", "1.5h", "24 h", "24H", "9999999999999999999h", "3651d", "１h", "24ħ"] {
            assert!(text.parse::<Length>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let end = DateTime::from_timestamp(1_769_817_600, 0).unwrap();
        let window = Window::ending_at(end, Length::from_hours(24));
        assert!(window.contains(window.start));
        assert!(!window.contains(end));
        assert_eq!(window.previous().end, window.start);
        assert_eq!(window.previous().end - window.previous().start, end - window.start);
    }
}
