//! Compressed text: members and frames in a row, truncation anywhere, garbage behind the end.

use std::io::{self, Read, Write};

use drift_check::ingest::decode::{DecodeFault, Encoding, Input, Request, decode, inspect};
use flate2::write::GzEncoder;

use super::{abc, decode_bytes};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}

fn rows(range: std::ops::Range<u32>) -> String {
    range.map(|row| format!("{row},{}.25,label-{}\n", row * 7919 % 1000, row % 5)).collect::<Vec<_>>().concat()
}

type Compress = fn(&str) -> Vec<u8>;

const FORMS: [(&str, Compress); 2] = [("x.csv.gz", gzip), ("x.csv.zst", zstd)];

#[test]
fn members_and_frames_in_a_row_are_one_object() {
    for (key, compress) in FORMS {
        let bytes = [compress("a,b,c\n"), compress(&rows(0..500)), compress(""), compress(&rows(500..900))].concat();
        let found = decode_bytes(key, &bytes, &abc()).unwrap();
        assert_eq!(found.numbers(0), (0..900).map(f64::from).collect::<Vec<_>>(), "{key}");
    }
}

#[test]
fn nothing_stays_nothing_when_it_is_compressed() {
    for (key, compress) in FORMS {
        assert!(decode_bytes(key, b"", &abc()).unwrap().tally.is_empty, "{key}");
        assert!(decode_bytes(key, &compress(""), &abc()).unwrap().tally.is_empty, "{key}");
        assert!(decode_bytes(key, &compress("a,b,c\n"), &abc()).unwrap().tally.is_header_only(), "{key}");
    }
}

#[test]
fn an_object_that_is_cut_anywhere_is_never_taken_for_a_shorter_one() {
    for (key, compress) in FORMS {
        let bytes = [compress("a,b,c\n"), compress(&rows(0..300))].concat();
        let first = compress("a,b,c\n").len();
        for cut in 1..bytes.len() {
            let cut_bytes = &bytes[..cut];
            match decode_bytes(key, cut_bytes, &abc()) {
                // A member that ends is an object that ends; nothing in the format says that another was to follow.
                Ok(found) => assert!(cut == first && found.tally.is_header_only(), "{key} cut at {cut}"),
                Err(error) => {
                    assert!(matches!(error.fault, DecodeFault::CorruptCompression { .. }), "{key} cut at {cut}: {error}");
                    assert!(!error.retryable());
                }
            }
        }
    }
}

#[test]
fn a_line_of_many_megabytes_is_skipped_under_any_compression() {
    let request = Request { max_row_bytes: 1000, ..abc() };
    let text = format!("a,b,c\n1,2,x\n3,4,{}\n5,6,y\n", "x".repeat(20 << 20));
    for (key, compress) in FORMS {
        let found = decode_bytes(key, &compress(&text), &request).unwrap();
        assert_eq!((found.numbers(0), found.rejected()), (vec![1.0, 5.0], vec![("row-too-long", 1)]), "{key}");
    }
}

#[test]
fn many_blocks_under_compression_are_the_same_rows_in_order() {
    let text = format!("a,b,c\n{}", rows(0..300_000));
    let plain = decode_bytes("x.csv", text.as_bytes(), &abc()).unwrap();
    assert_eq!(plain.numbers(0), (0..300_000).map(f64::from).collect::<Vec<_>>());
    for (key, compress) in FORMS {
        let found = decode_bytes(key, &compress(&text), &abc()).unwrap();
        assert_eq!((found.tally, found.batches), (plain.tally.clone(), plain.batches.clone()), "{key}");
    }
}

#[test]
fn rows_before_the_damage_are_counted() {
    let bytes = gzip(&format!("a,b,c\n{}", rows(0..100_000)));
    let error = decode_bytes("x.csv.gz", &bytes[..bytes.len() / 2], &abc()).err().unwrap();
    assert!((10_000..90_000).contains(&error.rows_before_error), "{}", error.rows_before_error);
    assert_eq!(error.to_string(), "is truncated or corrupt gzip data");
}

#[test]
fn garbage_behind_the_end_is_damage() {
    for (key, compress) in FORMS {
        for garbage in [b"\0".as_slice(), b"a,b,c\n", b"\x1f\x8b", b"\x28\xB5\x2F\xFD\x00"] {
            let bytes = [compress(&format!("a,b,c\n{}", rows(0..10))).as_slice(), garbage].concat();
            let error = decode_bytes(key, &bytes, &abc()).err();
            assert!(matches!(error.map(|e| e.fault), Some(DecodeFault::CorruptCompression { .. })), "{key} {garbage:?}");
        }
    }
}

#[test]
fn a_flipped_byte_is_damage_or_changes_no_count() {
    for (key, compress) in FORMS {
        let bytes = compress(&format!("a,b,c\n{}", rows(0..50)));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            // Gzip has a checksum, so only its header's free bytes can differ unseen.
            if let Ok(found) = decode_bytes(key, &flipped, &abc())
                && key.ends_with("gz")
            {
                assert_eq!(found.tally.rows_used, 50, "{key} flipped at {at}");
            }
        }
    }
}

#[test]
fn plain_text_under_a_compressed_name_is_damage() {
    for (key, _) in FORMS {
        let error = decode_bytes(key, b"a,b,c\n1,2,x\n", &abc()).err().unwrap();
        assert!(matches!(error.fault, DecodeFault::CorruptCompression { .. }), "{key}: {error}");
    }
}

/// Gives some bytes, then fails.
struct Broken(&'static [u8]);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset")),
            read => Ok(read),
        }
    }
}

#[test]
fn a_source_that_fails_is_told_from_bytes_that_are_damaged() {
    for key in ["x.csv", "x.csv.gz", "x.csv.zst", "x.ndjson", "x.parquet"] {
        for given in [b"".as_slice(), b"\x1f\x8b\x08\0\0\0", b"\x28\xB5\x2F\xFD\x04", b"a,b,c\n1,2,x\n"] {
            // A whole head that is not of the format is damage before the source fails.
            let is_damage = match key {
                "x.csv.gz" => given.len() >= 10 && given[0] != 0x1f,
                "x.csv.zst" => given.len() >= 4 && given[0] != 0x28,
                _ => false,
            };
            let encoding = Encoding::of_key(key).unwrap();
            let error = decode(Input::Stream(Box::new(Broken(given))), encoding, &abc(), &mut |_| Ok(())).err().unwrap();
            assert_eq!(error.retryable(), !is_damage, "{key} after {given:?}: {error}");
            let error = inspect(Input::Stream(Box::new(Broken(given))), encoding, 5).err().unwrap();
            assert_eq!(error.retryable(), !is_damage, "{key} after {given:?}: {error}");
        }
    }
}
