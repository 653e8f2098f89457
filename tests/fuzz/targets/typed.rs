//! What people and other programs write: settings, lengths, moments, places.

use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, TimeDelta, Timelike};
use drift_check::bucket::local::LocalBucket;
use drift_check::bucket::{BucketError, BucketUri};
use drift_check::config;
use drift_check::ingest::decode::{Compression, Encoding, Format};
use drift_check::ingest::select::Selection;
use drift_check::ingest::timestamp::{NaiveTimestamps, TimestampError, from_rfc3339, in_range, parse};
use drift_check::window::Length;

/// A configuration file, and below a line `#environment` variables, one a line: either a configuration, or every problem with a remedy.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (file, environment) = text.split_once("#environment\n").unwrap_or((&text, ""));
    let variable = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    match config::load(Some(("fuzz.toml", file)), environment.lines().filter_map(variable), &[]) {
        Ok((config, effective)) => {
            assert!((0.0..1.0).contains(&config.policy.share) && config.logs.prefix.ends_with('/'), "{config:?}");
            assert!(config.logs.max_row_bytes >= 1_024 && config.window.length.seconds() > 0, "{config:?}");
            serde_json::from_str::<serde_json::Value>(&effective.to_json().to_string()).unwrap();
            assert!(effective.to_text().contains("bucket") && !effective.digest().is_empty());
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            assert!(!error.to_string().is_empty());
        }
    }
}

/// A text as a length of time and as a moment, held against themselves and against chrono.
pub fn moments(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(length) = text.parse::<Length>() {
        assert!((1..=3_650 * 86_400).contains(&length.seconds()));
        assert_eq!(length.to_string().parse(), Ok(length));
    }
    let (utc, strict) = (parse(&text, NaiveTimestamps::Utc), parse(&text, NaiveTimestamps::Reject));
    match (utc, strict) {
        (Ok(moment), Err(TimestampError::Naive)) => assert_eq!(in_range(moment), Ok(moment)),
        (Ok(moment), strict) => assert_eq!((in_range(moment), strict), (Ok(moment), Ok(moment)), "{text}"),
        (Err(_), strict) => assert!(strict.is_err(), "{text}"),
    }
    if let Some(moment) = from_rfc3339(text.as_bytes()) {
        assert_eq!(utc, Ok(moment), "{text}");
    }
    // The years that chrono writes with a sign, and leap seconds, which it counts on, are out of every range or clamped here.
    if let Ok(known) = DateTime::parse_from_rfc3339(&text)
        && text.is_ascii()
        && known.nanosecond() < 1_000_000_000
        && let Ok(us) = in_range(known.timestamp_micros())
    {
        assert_eq!(utc, Ok(us), "{text}");
    }
}

/// A text as the address of a bucket, as a key in it, and as a key with a date: no key leaves the bucket.
pub fn bucket(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match BucketUri::parse(&text) {
        Ok(BucketUri::Gcs(name)) => assert!(!name.is_empty() && !name.contains('/') && text.starts_with("gs://"), "{text}"),
        Ok(BucketUri::Local(folder)) => assert!(folder != PathBuf::new() && text.starts_with("file:"), "{text}"),
        Err(error) => assert!(matches!(error, BucketError::Uri(_))),
    }
    // A folder that is not there: every key that is one is absent, and every other one is refused.
    let read = LocalBucket::new(PathBuf::from("/nowhere/bucket")).get(&text, 1);
    let leaves = Path::new(text.as_ref()).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    assert!(!leaves || matches!(read, Err(BucketError::Key(_))), "{text}: {read:?}");
    for pattern in ["%Y/%m/%d", "dt=%Y%m%d-%H", "%Y-%m", &text] {
        let selection = Selection { date_pattern: Some(pattern.to_owned()), slack: TimeDelta::hours(1) };
        if let Some((start, end)) = selection.span(&text) {
            assert!(start < end, "{pattern} {text}");
        }
    }
    if let Some(encoding) = Encoding::of_key(&text) {
        assert!(encoding.format != Format::Parquet || encoding.compression == Compression::None, "{text}");
    }
}
