//! What other runs, or other programs, left: what is read of it is what was written, and nothing else is read.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use drift_check::bucket::gcs::read_page;
use drift_check::ingest::HOUR_US;
use drift_check::ingest::cache::Hour;
use drift_check::ingest::cache::pack::{self, HEAD_BYTES, Head};
use drift_check::ingest::cache::recall::{Recalled, recall};
use drift_check::ingest::sink::Counter;
use drift_check::ingest::sink::hours::ByHour;
use drift_check::profile::ReferenceProfile;
use drift_check::report;
use drift_check::window::Window;

use super::rows::{measured, reference};

/// A stored profile is read as it was written, and what is read can be compared with.
pub fn profile(bytes: &[u8]) {
    let profile = match ReferenceProfile::from_json(bytes) {
        Ok(profile) => profile,
        Err(error) => {
            assert!(error.to_string().contains("drift-check profile"), "no remedy: {error}");
            return;
        }
    };
    let written = profile.to_json().unwrap();
    let again = ReferenceProfile::from_json(&written).unwrap();
    assert_eq!(again.to_json().unwrap(), written);
    assert_eq!(ReferenceProfile { id: profile.id.clone(), ..again }, profile);
    let mut counts = profile.empty_counts();
    measured(&profile, &counts);
    counts.merge(&profile.empty_counts());
    drop(profile.joint_candidates(128));
    drop(Counter::new(std::sync::Arc::new(profile)));
}

/// Entries are read as they were written and account for their rows; counts of an hour are those of so many rows.
pub fn pack(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    if let Some(entries) = pack::entries(&body) {
        let written = pack::write(*b"0123456789abcdef", &entries);
        let (head, rest) = written.split_first_chunk::<HEAD_BYTES>().unwrap();
        let head = Head::read(head).unwrap();
        let rest = Bytes::copy_from_slice(rest);
        assert!(head.is_of(&rest));
        assert_eq!(pack::entries(&rest).as_ref(), Some(&entries));
        for entry in &entries {
            let hour = entry.newest_hour().saturating_mul(HOUR_US);
            let moment = |us: i64| DateTime::from_timestamp_micros(us);
            let (Some(start), Some(end)) = (moment(hour.saturating_sub(12 * HOUR_US)), moment(hour)) else { continue };
            match recall(entry, Window { start, end }) {
                Recalled::Whole(account, hours) => {
                    let tally = account.outcome.unwrap();
                    assert!(tally.is_balanced(), "{tally:?}");
                    assert_eq!(hours.iter().map(|hour| hour.rows).sum::<u64>(), tally.rows_used);
                }
                Recalled::Part(part) => assert_eq!(part.hours.iter().map(|hour| hour.rows).sum::<u64>(), part.rows),
                Recalled::Nothing => {}
            }
        }
    }
    if let Some(head) = bytes.first_chunk() {
        let _ = Head::read(head);
    }
    let Some((rows, packed)) = bytes.split_first() else { return };
    let hour = Hour { hour: 0, rows: u64::from(*rows), oldest_us: 0, newest_us: 0, packed: Bytes::copy_from_slice(packed) };
    let mut counts = ByHour::new(Counter::new(reference()), 1 << 20);
    if counts.recall(&hour).is_some() {
        for feature in &counts.total.counts.features {
            assert_eq!(feature.presence().rows, u64::from(*rows));
        }
        measured(&reference(), &counts.total.counts);
    }
}

/// The end of a report's window is read out of it, and out of nothing that has none.
pub fn report(bytes: &[u8]) {
    let Some(end) = report::stored::end(bytes) else { return };
    let stored = |end: Option<DateTime<Utc>>, started_at: DateTime<Utc>| {
        serde_json::json!({ "window": { "end": end, "start": null }, "run": { "started_at": started_at, "id": "x" } }).to_string()
    };
    let later = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    for json in [stored(Some(end), later), stored(None, end)] {
        assert_eq!(report::stored::end(json.as_bytes()), Some(end), "{json}");
    }
}

/// A page of a listing holds objects that can be asked for, or is none.
pub fn listing(bytes: &[u8]) {
    let Ok((objects, next)) = read_page("logs", bytes) else { return };
    assert!(next.is_none_or(|next| !next.is_empty()));
    for object in objects {
        assert!(!object.key.ends_with('/'));
        assert_eq!(object.uri, format!("gs://logs/{}", object.key));
        assert!(object.generation.is_some() && object.stamp.is_none());
    }
}
