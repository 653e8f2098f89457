//! What a single cell says: missing, a number, or text. One rule for every format, so that the same value means the same in a
//! CSV reference and in NDJSON logs.
//!
//! Pure, and free of allocation: it runs once per cell.

use std::fmt::Write;

use crate::feature;

/// Texts that mean "no value", besides the empty cell: what pandas, R, SQL exports and spreadsheets write. Exact spellings, so
/// that a label such as `none` or `na` stays a label.
const MISSING_TEXTS: [&[u8]; 8] = [b"null", b"NULL", b"Null", b"None", b"NA", b"N/A", b"<NA>", b"NaT"];

/// The cluster of a row whose cluster cell is missing. No text hashes to it.
pub const MISSING_CLUSTER: u64 = 0;

/// A cell as the reader of its format found it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Missing,
    /// Text as it stands in the object: not yet trimmed, perhaps not UTF-8.
    Text(&'a [u8]),
    Integer(i128),
    Number(f64),
    Bool(bool),
    /// An array or an object.
    Nested,
    /// The key stands in the row more than once.
    Duplicate,
}

/// A cell of text, read as a number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Numeric {
    Missing,
    /// Any double, NaN and the infinities included: those are values gone wrong, not missing ones.
    Number(f64),
    NotANumber,
    NotUtf8,
}

/// A cell of text, read as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label<'a> {
    Missing,
    Text(&'a str),
    NotUtf8,
}

pub(super) fn is_missing(trimmed: &[u8]) -> bool {
    trimmed.is_empty() || (trimmed.len() <= 4 && MISSING_TEXTS.contains(&trimmed))
}

/// Reads a number as Rust, and every common writer, does: decimal, optional exponent, `nan` and `inf` in any case. Hexadecimal,
/// digit separators and decimal commas are not numbers.
pub(super) fn numeric(cell: &[u8]) -> Numeric {
    let trimmed = cell.trim_ascii();
    if is_missing(trimmed) {
        return Numeric::Missing;
    }
    if let Some((number, length)) = leading_number(trimmed)
        && length == trimmed.len()
    {
        return Numeric::Number(number);
    }
    match std::str::from_utf8(trimmed) {
        Err(_) => Numeric::NotUtf8,
        Ok(text) => text.parse().map_or(Numeric::NotANumber, |number| Numeric::Number(canonical(number))),
    }
}

/// The number that a text begins with, and its length, where it is written in the most common ways: digits, perhaps a minus before
/// them. What the standard library reads from exactly this text.
pub(super) fn leading_number(text: &[u8]) -> Option<(f64, usize)> {
    let first = if text.first() == Some(&b'-') { text.get(1) } else { text.first() };
    let (number, length) = first?.is_ascii_digit().then(|| fast_float2::parse_partial::<f64, _>(text).ok())??;
    Some((number + 0.0, length))
}

pub(super) fn label(cell: &[u8]) -> Label<'_> {
    let trimmed = cell.trim_ascii();
    // A NaN among labels is how pandas writes a missing one.
    if is_missing(trimmed) || trimmed.eq_ignore_ascii_case(b"nan") {
        return Label::Missing;
    }
    std::str::from_utf8(trimmed).map_or(Label::NotUtf8, |text| Label::Text(one_spelling(text)))
}

/// The same value is one label in every format: Python's `True` is JSON's `true`, and a decimal that is whole is the integer (a CSV
/// written by pandas has `1.0` where NDJSON has `1`).
fn one_spelling(text: &str) -> &str {
    match text {
        "True" | "TRUE" => return "true",
        "False" | "FALSE" => return "false",
        _ => {}
    }
    let Some((whole, decimals)) = text.split_once('.') else { return text };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_integer && !decimals.is_empty() && decimals.bytes().all(|byte| byte == b'0') { whole } else { text }
}

/// One zero, one NaN, one missing value: the sign of a zero or the payload of a NaN is no difference in the data.
pub(super) fn canonical(number: f64) -> f64 {
    if !number.is_nan() {
        // Adding zero turns -0.0 into 0.0 and changes nothing else.
        number + 0.0
    } else if feature::is_missing(number) {
        feature::MISSING
    } else {
        f64::NAN
    }
}

/// Writes the beginning of a long text with its length and its hash.
pub(super) fn shorten(text: &str, short: &mut String) {
    const KEPT_BYTES: usize = 128;
    let start = text.get(..text.floor_char_boundary(KEPT_BYTES)).unwrap_or_default();
    short.push_str(start);
    // Writing to a String cannot fail.
    let _ = write!(short, "… ({} bytes, {:016x})", text.len(), cluster(text));
}

/// A hash of the cell's text that is the same on every machine and in every version: FNV-1a (Fowler, Noll, Vo), finished with
/// the mixer of `MurmurHash3` (Appleby) because FNV leaves the high bits of short texts alike.
pub(super) fn cluster(text: &str) -> u64 {
    let fnv =
        text.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    // Zero is taken: MISSING_CLUSTER.
    (mixed ^ (mixed >> 33)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_is_meant() {
        for (text, bits) in [
            ("1", 1.0_f64.to_bits()),
            (" -2.5e3\t", (-2500.0_f64).to_bits()),
            ("+.5", 0.5_f64.to_bits()),
            ("5.", 5.0_f64.to_bits()),
            ("-0.0", 0.0_f64.to_bits()),
            ("1e-999", 0.0_f64.to_bits()),
            ("1e999", f64::INFINITY.to_bits()),
            ("inf", f64::INFINITY.to_bits()),
            ("+INF", f64::INFINITY.to_bits()),
            ("-inf", f64::NEG_INFINITY.to_bits()),
            ("-Infinity", f64::NEG_INFINITY.to_bits()),
            ("NaN", f64::NAN.to_bits()),
            ("nan", f64::NAN.to_bits()),
            ("-nan", f64::NAN.to_bits()),
            ("0.1", 0.1_f64.to_bits()),
        ] {
            assert!(matches!(numeric(text.as_bytes()), Numeric::Number(n) if n.to_bits() == bits), "{text}");
        }
    }

    #[test]
    fn what_means_no_value_is_missing() {
        for text in ["", " ", "null", "NULL", "Null", "None", " NA ", "N/A", "<NA>", "NaT"] {
            assert!(matches!(numeric(text.as_bytes()), Numeric::Missing), "{text}");
            assert_eq!(label(text.as_bytes()), Label::Missing, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_guessed_at() {
        for text in ["0x1F", "1,5", "1_000", "1 000", "-", "+", ".", "e", "true", "none", "na", "n/a", "1.5f", "１", "--1", "infin"]
        {
            assert!(matches!(numeric(text.as_bytes()), Numeric::NotANumber), "{text}");
        }
        assert!(matches!(numeric(b"\xFF"), Numeric::NotUtf8));
        assert_eq!(label(b"\xFF"), Label::NotUtf8);
        assert_eq!(label(b" squamous cell "), Label::Text("squamous cell"));
    }

    #[test]
    fn a_label_has_one_spelling_in_every_format() {
        let labels = [
            ("True", "true"),
            ("FALSE", "false"),
            ("1.0", "1"),
            ("-2.00", "-2"),
            ("1.5", "1.5"),
            ("v1.0", "v1.0"),
            ("1.", "1."),
            (".0", ".0"),
        ];
        for (text, expected) in labels {
            assert_eq!(label(text.as_bytes()), Label::Text(expected), "{text}");
        }
    }

    #[test]
    fn the_hash_of_a_cluster_never_changes() {
        // python: h = 0xcbf29ce484222325
        //         for b in text.encode(): h = (h ^ b) * 0x100000001b3 % 2**64
        //         h = (h ^ h >> 33) * 0xff51afd7ed558ccd % 2**64; h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53 % 2**64; h ^ h >> 33
        assert_eq!(cluster(""), 0xEFD0_1F60_BA99_2926);
        assert_eq!(cluster("study-1"), 0x1EBE_E1CB_854A_606A);
    }

    proptest::proptest! {
        #[test]
        fn a_leading_number_is_that_number(text in "-{0,1}[0-9.]{0,25}([eE][+-]{0,1}[0-9]{0,4}){0,1}[,x]{0,1}[0-9]{0,2}", number: f64) {
            for text in [text, format!("{number}"), format!("{number:e}")] {
                if let Some((read, length)) = leading_number(text.as_bytes()) {
                    let whole: f64 = text[..length].parse().unwrap();
                    assert_eq!(canonical(whole).to_bits(), read.to_bits(), "{text}");
                }
            }
        }
    }
}
