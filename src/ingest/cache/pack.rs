//! The stored form of entries: a head of fixed length, and a body whose digest the head tells.
//!
//! Whatever is not exactly what was written is none: it is not an error, the objects are read.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{Entry, Hour, hour_of};
use crate::profile::packed::{Packer, Unpacker};

/// The version of the stored form; a reader passes over every other one.
pub const CACHE_VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"DRIFTHRS";
const KEY_BYTES: usize = 16;
const DIGEST_BYTES: usize = 32;
/// Magic, version, key, newest hour, length of the body, digest.
pub const HEAD_BYTES: usize = MAGIC.len() + 4 + KEY_BYTES + 8 + 8 + DIGEST_BYTES;

/// What stands before the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// What the counts depend on beside the objects.
    pub key: [u8; KEY_BYTES],
    /// The newest hour of all entries.
    pub newest_hour: i64,
    pub body_bytes: u64,
    /// Of the head and the body.
    digest: [u8; DIGEST_BYTES],
}

impl Head {
    /// `None` where it is not the head of a pack of this version.
    pub fn read(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<{ MAGIC.len() }>()?;
        let (version, rest) = rest.split_first_chunk()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (newest_hour, rest) = rest.split_first_chunk()?;
        let (body_bytes, rest) = rest.split_first_chunk()?;
        let is_known = magic == MAGIC && u32::from_le_bytes(*version) == CACHE_VERSION;
        is_known.then_some(Self {
            key: *key,
            newest_hour: i64::from_le_bytes(*newest_hour),
            body_bytes: u64::from_le_bytes(*body_bytes),
            digest: *rest.first_chunk()?,
        })
    }

    /// The head without its digest.
    fn start(&self) -> Vec<u8> {
        let version = CACHE_VERSION.to_le_bytes();
        let (newest_hour, body_bytes) = (self.newest_hour.to_le_bytes(), self.body_bytes.to_le_bytes());
        [MAGIC.as_slice(), &version, &self.key, &newest_hour, &body_bytes].concat()
    }

    /// Whether this body was written under this head.
    pub fn is_of(&self, body: &[u8]) -> bool {
        body.len() as u64 == self.body_bytes && self.digest_with(body) == self.digest
    }

    fn digest_with(&self, body: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut digest = Sha256::new();
        digest.update(self.start());
        digest.update(body);
        digest.finalize().into()
    }
}

/// The pack of these entries, head and body.
pub fn write(key: [u8; KEY_BYTES], entries: &[Entry]) -> Vec<u8> {
    let mut packer = Packer::default();
    packer.length(entries.len());
    for entry in entries {
        pack_entry(entry, &mut packer);
    }
    let body = packer.into_bytes();
    let newest_hour = entries.iter().map(Entry::newest_hour).max().unwrap_or(i64::MIN);
    let mut head = Head { key, newest_hour, body_bytes: body.len() as u64, digest: [0; DIGEST_BYTES] };
    head.digest = head.digest_with(&body);
    let mut pack = head.start();
    pack.extend(head.digest);
    pack.extend(body);
    pack
}

/// The entries of a body; `None` where it holds none.
pub fn entries(body: &Bytes) -> Option<Vec<Entry>> {
    let mut from = Unpacker::new(body);
    let entries = (0..from.length()?).map(|_| unpack_entry(body, &mut from)).collect::<Option<_>>()?;
    from.is_empty().then_some(entries)
}

fn pack_entry(entry: &Entry, to: &mut Packer) {
    for text in [&entry.uri, &entry.version, &entry.generation] {
        to.text(text);
    }
    to.count(entry.size_bytes);
    to.count(entry.rows_read);
    to.length(entry.columns_seen.len());
    entry.columns_seen.iter().chain([&entry.cluster_seen]).for_each(|seen| to.count(u64::from(*seen)));
    for number in [entry.oldest_us, entry.latest_us, entry.covered.start, entry.covered.end] {
        to.signed(number.into());
    }
    to.length(entry.hours.len());
    for hour in &entry.hours {
        to.signed(hour.hour.into());
        to.count(hour.rows);
        to.signed(hour.oldest_us.into());
        to.signed(hour.newest_us.into());
        to.bytes(&hour.packed);
    }
}

fn unpack_entry(body: &Bytes, from: &mut Unpacker<'_>) -> Option<Entry> {
    fn number(from: &mut Unpacker<'_>) -> Option<i64> {
        i64::try_from(from.signed()?).ok()
    }
    let [uri, version, generation] = [from.text()?, from.text()?, from.text()?].map(str::to_owned);
    let (size_bytes, rows_read) = (from.count()?, from.rows()?);
    let columns_seen = (0..from.length()?).map(|_| Some(from.count()? > 0)).collect::<Option<_>>()?;
    let cluster_seen = from.count()? > 0;
    let (oldest_us, latest_us) = (number(from)?, number(from)?);
    let covered = number(from)?..number(from)?;
    let mut hours = Vec::new();
    for _ in 0..from.length()? {
        let (hour, rows, oldest_us, newest_us) = (number(from)?, from.rows()?, number(from)?, number(from)?);
        hours.push(Hour { hour, rows, oldest_us, newest_us, packed: body.slice_ref(from.bytes()?) });
    }
    let entry =
        Entry { uri, version, generation, size_bytes, rows_read, oldest_us, latest_us, columns_seen, cluster_seen, covered, hours };
    makes_sense(&entry).then_some(entry)
}

fn makes_sense(entry: &Entry) -> bool {
    let is_hour = |hour: &Hour| {
        let is_dated = hour.oldest_us <= hour.newest_us && entry.oldest_us <= hour.oldest_us && hour.newest_us <= entry.latest_us;
        let is_covered = entry.covered.contains(&hour.hour);
        is_dated && is_covered && hour.rows > 0 && [hour.oldest_us, hour.newest_us].map(hour_of) == [hour.hour; 2]
    };
    let is_covered = entry.covered.start <= entry.covered.end;
    let ascend = entry.hours.is_sorted_by(|a, b| a.hour < b.hour);
    let rows = entry.hours.iter().try_fold(0_u64, |sum, hour| sum.checked_add(hour.rows));
    is_covered
        && ascend
        && entry.oldest_us <= entry.latest_us
        && entry.hours.iter().all(is_hour)
        && rows.is_some_and(|rows| rows <= entry.rows_read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::HOUR_US;

    const KEY: [u8; KEY_BYTES] = *b"0123456789abcdef";

    fn entry(uri: &str, first: i64, hours: i64) -> Entry {
        let hour = |hour| Hour {
            hour,
            rows: 3,
            oldest_us: hour * HOUR_US + 1,
            newest_us: hour * HOUR_US + 7,
            packed: vec![7, 200, 1, u8::try_from(hour % 100).unwrap_or(0)].into(),
        };
        Entry {
            uri: uri.to_owned(),
            version: "12".to_owned(),
            generation: "34".to_owned(),
            size_bytes: 1 << 40,
            rows_read: 1_000,
            oldest_us: first * HOUR_US - 5,
            latest_us: (first + hours) * HOUR_US + 5,
            columns_seen: vec![true, false],
            cluster_seen: true,
            covered: first..first + hours,
            hours: (first..first + hours).map(hour).collect(),
        }
    }

    fn read(pack: &[u8]) -> Option<(Head, Vec<Entry>)> {
        let (head, body) = pack.split_first_chunk::<HEAD_BYTES>()?;
        let head = Head::read(head)?;
        let body = Bytes::copy_from_slice(body);
        if head.is_of(&body) { Some((head, entries(&body)?)) } else { None }
    }

    #[test]
    fn entries_are_read_as_they_were_written() {
        let written = vec![entry("a", 490_000, 24), entry("b", 490_003, 0), entry("c", -5, 7)];
        let (head, found) = read(&write(KEY, &written)).unwrap();
        assert_eq!((head.key, head.newest_hour), (KEY, 490_023));
        assert_eq!(found, written);
        assert_eq!(read(&write(KEY, &[])).unwrap().1, []);
    }

    proptest! {
        #[test]
        fn what_was_changed_is_none(at in any::<prop::sample::Index>(), bit in 0_u32..8, length in any::<prop::sample::Index>()) {
            let pack = write(KEY, &[entry("a", 490_000, 3), entry("b", 5, 2)]);
            let mut flipped = pack.clone();
            flipped[at.index(pack.len())] ^= 1 << bit;
            prop_assert_eq!(read(&flipped), None);
            prop_assert_eq!(read(&pack[..length.index(pack.len())]), None);
        }

        #[test]
        fn no_body_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), random in prop::collection::vec(any::<u8>(), 0..200)) {
            let pack = write(KEY, &[entry("a", 490_000, 3), entry("b", 5, 2)]);
            let mut body = pack[HEAD_BYTES..].to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            entries(&Bytes::from(body));
            entries(&Bytes::from(random));
        }
    }
}
