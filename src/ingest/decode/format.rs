//! The encodings that an object can have, told by the end of its key.
//!
//! The key decides, not the content: an object named `.csv` that holds something else is reported, not guessed at.

/// How rows are laid out in the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    Csv,
    /// One JSON object a line.
    Ndjson,
    Parquet,
}

/// How the whole object is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Format and compression together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    pub format: Format,
    pub compression: Compression,
}

impl Encoding {
    /// The encoding that the end of `key` promises (in any case): `.csv`, `.ndjson`, `.jsonl`, each also with `.gz` or `.zst`, and
    /// `.parquet`, which compresses inside. `None` for every other key: such an object holds no rows for us.
    pub fn of_key(key: &str) -> Option<Self> {
        let (stem, compression) = [(".gz", Compression::Gzip), (".zst", Compression::Zstd)]
            .into_iter()
            .find_map(|(suffix, compression)| Some((strip_suffix(key, suffix)?, compression)))
            .unwrap_or((key, Compression::None));
        let formats =
            [(".csv", Format::Csv), (".ndjson", Format::Ndjson), (".jsonl", Format::Ndjson), (".parquet", Format::Parquet)];
        let (_, format) = formats.into_iter().find(|(suffix, _)| strip_suffix(stem, suffix).is_some())?;
        if format == Format::Parquet && compression != Compression::None {
            return None;
        }
        Some(Self { format, compression })
    }
}

fn strip_suffix<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let (stem, end) = text.split_at_checked(text.len().checked_sub(suffix.len())?)?;
    end.eq_ignore_ascii_case(suffix).then_some(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_key_names_the_encoding() {
        for (key, format, compression) in [
            ("predictions/2026/01/31.csv", Format::Csv, Compression::None),
            ("a.CSV.GZ", Format::Csv, Compression::Gzip),
            ("a.csv.zst", Format::Csv, Compression::Zstd),
            ("a.ndjson", Format::Ndjson, Compression::None),
            ("a.jsonl.gz", Format::Ndjson, Compression::Gzip),
            ("a.Parquet", Format::Parquet, Compression::None),
        ] {
            assert_eq!(Encoding::of_key(key), Some(Encoding { format, compression }), "{key}");
        }
        for key in ["", "csv", "a.txt", "a.gz", "a.parquet.gz", "a.csv.bz2", "a.csv/", "a.json", "é.gz", "ñcsv"] {
            assert_eq!(Encoding::of_key(key), None, "{key}");
        }
    }
}
