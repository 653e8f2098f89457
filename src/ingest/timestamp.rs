//! Reads a moment out of a cell: RFC 3339, a naive date-time where the configuration allows it, or an epoch in any of the usual
//! units. What is ambiguous is refused, never guessed.
//!
//! Pure: text or number in, microseconds since the Unix epoch out.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use serde::Deserialize;
use thiserror::Error;

/// What a date-time without an offset means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NaiveTimestamps {
    /// It is UTC.
    Utc,
    /// It is ambiguous: the row is rejected.
    Reject,
}

/// Why a cell holds no usable moment.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TimestampError {
    #[error("neither RFC 3339 nor an epoch in s, ms, µs or ns")]
    Invalid,
    #[error("has no UTC offset, and naive timestamps are rejected by configuration")]
    Naive,
    #[error("is before 1990 or after 2099")]
    OutOfRange,
}

/// 1990-01-01T00:00:00Z in seconds: no log is older, and 0 and other fillers are.
const EARLIEST_S: i64 = 631_152_000;
/// 2100-01-01T00:00:00Z in seconds, exclusive. The range spans less than a factor of ten, so that the unit of an epoch (each a
/// thousand times the next) follows from its magnitude without overlap.
const LATEST_S: i64 = 4_102_444_800;
const US_PER_S: i64 = 1_000_000;

/// The moments that a log can hold, from the first on and before the second, in microseconds since the Unix epoch.
pub const EARLIEST_US: i64 = EARLIEST_S * US_PER_S;
pub const LATEST_US: i64 = LATEST_S * US_PER_S;

/// The moment that `text` names, in microseconds since the Unix epoch (finer digits are cut off).
///
/// Accepted: `YYYY-MM-DD`, then `T`, `t` or one space, then `HH:MM[:SS[.f…]]`, then an offset (`Z`, `z`, ` UTC`, `±HH`, `±HHMM`,
/// `±HH:MM`, one space before it allowed) or, by configuration, none; or an epoch as an integer or a decimal number. A leap
/// second (`23:59:60` in UTC) is clamped to the last microsecond of its minute; any other `:60` is invalid.
///
/// # Errors
/// [`TimestampError`] says why the text is not used. An empty text is invalid: whether a cell is missing is the caller's to know.
pub fn parse(text: &str, naive: NaiveTimestamps) -> Result<i64, TimestampError> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too long for 128 bits is an epoch out of every range.
        return from_integer(text.parse().unwrap_or(i128::MAX));
    }
    let decimal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    if text.contains(['.', 'e', 'E']) && text.bytes().all(decimal) {
        return text.parse().map_err(|_| TimestampError::Invalid).and_then(from_float);
    }
    from_date_time(text, naive)
}

/// The moment that [`parse`] finds in the layout that nearly all logs have, `YYYY-MM-DDTHH:MM:SS[.f…](Z|±HH:MM)`, sooner. Nothing in
/// any other layout, and where something is to be said.
pub fn from_rfc3339(text: &[u8]) -> Option<i64> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = *date_time else {
        return None;
    };
    let two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    let (year, month, day) = (two(y1, y2)? * 100 + two(y3, y4)?, two(m1, m2)?, two(d1, d2)?);
    let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // A leap second is not for here.
    if !(1..=12).contains(&month) || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (microsecond, rest) = match rest.split_first() {
        Some((b'.', digits)) => fraction_us(digits)?,
        _ => (0, rest),
    };
    let offset_s = match *rest {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', n1, n2] => {
            let (hours, minutes) = (two(h1, h2)?, two(n1, n2)?);
            let offset_s = (hours * 60 + minutes) * 60;
            if hours > 23 || minutes > 59 {
                return None;
            }
            if sign == b'-' { -offset_s } else { offset_s }
        }
        _ => return None,
    };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_s;
    in_range(seconds * US_PER_S + microsecond).ok()
}

/// Days of the Gregorian calendar (Hinnant, `days_from_civil`, <https://howardhinnant.github.io/date_algorithms.html>), from the year 1 on.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March end with the day that is not always there.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

/// The microseconds in the digits after the point, at least one of them, and what follows; beyond the sixth they are read and dropped.
fn fraction_us(text: &[u8]) -> Option<(i64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0'));
    Some((padded.take(6).fold(0, |number, digit| number * 10 + i64::from(digit - b'0')), rest))
}

/// An epoch, whose unit follows from its magnitude.
///
/// # Errors
/// `OutOfRange` when no unit puts it between 1990 and 2100.
pub fn from_integer(epoch: i128) -> Result<i64, TimestampError> {
    [1, 1_000, 1_000_000, 1_000_000_000]
        .into_iter()
        .find(|unit| (i128::from(EARLIEST_S) * unit..i128::from(LATEST_S) * unit).contains(&epoch))
        .and_then(|unit| i64::try_from(epoch * i128::from(US_PER_S) / unit).ok())
        .ok_or(TimestampError::OutOfRange)
}

/// An epoch with a fraction, whose unit follows from its magnitude. A double holds microseconds exactly enough until 2255.
///
/// # Errors
/// `OutOfRange` when no unit puts it between 1990 and 2100, which includes NaN and the infinities.
pub fn from_float(epoch: f64) -> Result<i64, TimestampError> {
    let (earliest, latest) = (EARLIEST_S as f64, LATEST_S as f64);
    let unit = [1.0, 1e3, 1e6, 1e9].into_iter().find(|unit| (earliest * unit..latest * unit).contains(&epoch));
    let unit = unit.ok_or(TimestampError::OutOfRange)?;
    #[expect(clippy::cast_possible_truncation, reason = "the range check leaves at most 4.2e15")]
    let microseconds = (epoch * (1e6 / unit)).round() as i64;
    in_range(microseconds)
}

/// A moment already in microseconds, held to the same range as every other.
///
/// # Errors
/// `OutOfRange` before 1990 or from 2100 on.
pub fn in_range(microseconds: i64) -> Result<i64, TimestampError> {
    let range = EARLIEST_US..LATEST_US;
    if range.contains(&microseconds) { Ok(microseconds) } else { Err(TimestampError::OutOfRange) }
}

fn from_date_time(text: &str, naive: NaiveTimestamps) -> Result<i64, TimestampError> {
    let mut scanner = Scanner { rest: text.as_bytes() };
    let (local, is_leap_second) = scanner.local_date_time().ok_or(TimestampError::Invalid)?;
    let offset = match (scanner.rest, naive) {
        ([], NaiveTimestamps::Utc) => TimeDelta::zero(),
        ([], NaiveTimestamps::Reject) => return Err(TimestampError::Naive),
        _ => scanner.offset().ok_or(TimestampError::Invalid)?,
    };
    let utc = local.checked_sub_signed(offset).ok_or(TimestampError::OutOfRange)?;
    // Leap seconds are only ever added at the end of a UTC day.
    if is_leap_second && utc.time() < LAST_SECOND {
        return Err(TimestampError::Invalid);
    }
    in_range(utc.and_utc().timestamp_micros())
}

const LAST_SECOND: NaiveTime = match NaiveTime::from_hms_opt(23, 59, 59) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

/// What is left of the text. Each step takes what it names and gives nothing when something else stands there.
struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    /// The date and time of day, and whether it is a leap second (then given as the microsecond before).
    fn local_date_time(&mut self) -> Option<(NaiveDateTime, bool)> {
        let year = self.digits(4)?;
        self.one_of(b"-")?;
        let month = self.digits(2)?;
        self.one_of(b"-")?;
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, self.digits(2)?)?;
        self.one_of(b"Tt ")?;
        let hour = self.digits(2)?;
        self.one_of(b":")?;
        let minute = self.digits(2)?;
        let (mut second, mut microsecond) = (0, 0);
        if self.one_of(b":").is_some() {
            second = self.digits(2)?;
            if self.one_of(b".").is_some() {
                microsecond = self.fraction_us()?;
            }
        }
        let is_leap_second = second == 60;
        if is_leap_second {
            (second, microsecond) = (59, 999_999);
        }
        Some((date.and_hms_micro_opt(hour, minute, second, microsecond)?, is_leap_second))
    }

    /// The offset from UTC, which must be the end of the text.
    fn offset(&mut self) -> Option<TimeDelta> {
        let _ = self.one_of(b" ");
        let minutes = match self.rest {
            b"Z" | b"z" | b"UTC" => return Some(TimeDelta::zero()),
            _ => {
                let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
                let hours = self.digits(2).filter(|hours| *hours < 24)?;
                let has_minutes = self.one_of(b":").is_some() || !self.rest.is_empty();
                let minutes = if has_minutes { self.digits(2).filter(|minutes| *minutes < 60)? } else { 0 };
                sign * i64::from(hours * 60 + minutes)
            }
        };
        self.rest.is_empty().then(|| TimeDelta::minutes(minutes))
    }

    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let number =
            digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))?;
        self.rest = rest;
        Some(number)
    }

    /// At least one digit after the point; beyond the sixth they are read and dropped.
    fn fraction_us(&mut self) -> Option<u32> {
        let (microseconds, rest) = fraction_us(self.rest)?;
        self.rest = rest;
        u32::try_from(microseconds).ok()
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        bytes.contains(first).then(|| {
            self.rest = rest;
            *first
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
    use proptest::prelude::*;

    const US: i64 = 1_769_817_600_000_000; // 2026-01-31T00:00:00Z

    fn utc(text: &str) -> Result<i64, TimestampError> {
        parse(text, NaiveTimestamps::Utc)
    }

    #[test]
    fn the_same_moment_reads_the_same_however_it_is_written() {
        for text in [
            "2026-01-31T00:00:00Z",
            "2026-01-31t00:00:00z",
            "2026-01-31 00:00:00+00:00",
            "2026-01-31T01:30:00+01:30",
            "2026-01-30T22:00:00-02:00",
            "2026-01-31T00:00:00.000000000Z",
            "2026-01-31 00:00:00 UTC",
            "2026-01-31T02:00:00+0200",
            "2026-01-31 02:00:00+02",
            "2026-01-31 02:00:00 +02:00",
            "2026-01-31T00:00Z",
            "2026-01-31 00:00",
            "2026-01-31T00:00:00",
            "2026-01-31T00:00:00.0",
            " 2026-01-31T00:00:00Z ",
            "1769817600",
            "1769817600.0",
            "1769817600000",
            "1769817600000.0",
            "1769817600000000",
            "1769817600000000000",
            "1.7698176e9",
        ] {
            assert_eq!(utc(text), Ok(US), "{text}");
        }
        assert_eq!(utc("1769817600.25"), Ok(US + 250_000));
        assert_eq!(utc("2026-01-31T00:00:00.1234567Z"), Ok(US + 123_456));
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for text in [
            "",
            "01/02/2026",
            "01/02/2026 10:00",
            "2026-01-31",
            "12:00",
            "2026-01-31T10",
            "2026-01-31 10:00:00 CET",
            "2026-01-31T10:00:00 PM",
            "2026-01-31T24:00:00Z",
            "2026-02-30T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-01-31T10:60:00Z",
            "2026-01-31T10:00:61Z",
            "2026-01-31T10:00:60Z",
            "2026-01-31T10:00:00.Z",
            "2026-01-31T10:00:00,5Z",
            "2026-01-31T10:00:00+24:00",
            "2026-01-31T10:00:00+1:00",
            "2026-01-31T10:00:00Z garbage",
            "2026-1-31T10:00:00Z",
            "２026-01-31T10:00:00Z",
            "20260131T100000Z",
            "yesterday",
            "1e",
            "-",
            ".",
            "NaN",
        ] {
            assert_eq!(utc(text), Err(TimestampError::Invalid), "{text}");
        }
    }

    #[test]
    fn a_naive_timestamp_is_utc_or_rejected_by_configuration() {
        for text in ["2026-01-31T00:00:00", "2026-01-31 00:00", "2026-01-31 00:00:00.5"] {
            assert!(utc(text).is_ok(), "{text}");
            assert_eq!(parse(text, NaiveTimestamps::Reject), Err(TimestampError::Naive), "{text}");
        }
        assert_eq!(parse("1769817600", NaiveTimestamps::Reject), Ok(US));
    }

    #[test]
    fn moments_before_1990_and_from_2100_on_are_out_of_range() {
        for text in [
            "1989-12-31T23:59:59Z",
            "2100-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "0",
            "-1769817600",
            "20260131",
            "631151999",
            "4102444800",
            "99999999999999999999999999999999999999999999",
            "0.5",
            "1e999",
        ] {
            assert_eq!(utc(text), Err(TimestampError::OutOfRange), "{text}");
        }
        assert!(utc("1990-01-01T00:00:00Z").is_ok());
        assert!(utc("2099-12-31T23:59:59.999999Z").is_ok());
        assert_eq!(from_float(f64::NAN), Err(TimestampError::OutOfRange));
    }

    #[test]
    fn a_leap_second_is_clamped_to_its_minute() {
        // The last one there was: 2016-12-31T23:59:60Z.
        let last = DateTime::parse_from_rfc3339("2016-12-31T23:59:59.999999Z").unwrap().timestamp_micros();
        assert_eq!(utc("2016-12-31T23:59:60Z"), Ok(last));
        assert_eq!(utc("2017-01-01T00:59:60.5+01:00"), Ok(last));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}", likely in "[0-9TtZz:. +eE-]{0,40}") {
            let _ = utc(&text);
            let _ = utc(&likely);
        }

        #[test]
        fn the_common_layout_is_the_same_moment_sooner(
            text in "(19[89][0-9]|20[0-9]{2}|2100)-([01][0-9])-([0-3][0-9])[T ]([0-2][0-9]):[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,9}){0,1}(Z|[+-][0-2][0-9]:[0-6][0-9]|)",
            broken in 0_usize..40,
            byte: u8,
        ) {
            let same = |text: &str| {
                from_rfc3339(text.as_bytes()).is_none_or(|moment_us| parse(text, NaiveTimestamps::Reject) == Ok(moment_us))
            };
            prop_assert!(same(&text), "{}", text);
            let mut bytes = text.clone().into_bytes();
            if let Some(at) = bytes.get_mut(broken) {
                *at = byte;
            }
            prop_assert!(same(&String::from_utf8_lossy(&bytes)), "{:?}", bytes);
            // Nothing is left to the general parser but what it refuses, and leap seconds.
            let is_leap_second = text.get(17..19) == Some("60");
            prop_assert_eq!(from_rfc3339(text.as_bytes()).is_some(), parse(&text, NaiveTimestamps::Reject).is_ok() && !is_leap_second);
        }

        #[test]
        fn what_chrono_writes_is_read_back(us in EARLIEST_S * US_PER_S..LATEST_S * US_PER_S, offset_minutes in -1439..1440) {
            let moment = DateTime::<Utc>::from_timestamp_micros(us).unwrap();
            let offset = FixedOffset::east_opt(offset_minutes * 60).unwrap();
            prop_assert_eq!(parse(&moment.to_rfc3339(), NaiveTimestamps::Reject), Ok(us));
            prop_assert_eq!(parse(&moment.with_timezone(&offset).to_rfc3339(), NaiveTimestamps::Reject), Ok(us));
            let nanos = moment.to_rfc3339_opts(SecondsFormat::Nanos, true);
            prop_assert_eq!(parse(&nanos, NaiveTimestamps::Reject), Ok(us));
            prop_assert_eq!(from_integer(i128::from(us) * 1_000), Ok(us));
        }
    }
}
