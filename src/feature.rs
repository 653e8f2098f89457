//! What a feature is: its name, its kind, and one batch of its values in borrowed slices.
//!
//! Owns the vocabulary that every other module shares. Knows nothing of where values come from or what is computed of them.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of a feature: the column's name in the reference and in the logs, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FeatureName(String);

impl FeatureName {
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeatureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for FeatureName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FeatureName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// How the values of a feature are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// Ordered real numbers: KS, PSI over deciles, Wasserstein.
    Numeric,
    /// Unordered labels: chi-squared, PSI over categories, total variation.
    Categorical,
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Numeric => "numeric",
            Self::Categorical => "categorical",
        })
    }
}

/// A missing numeric cell: the NaN whose payload R uses for `NA_real_` (1954), so that a missing value written by R stays one.
/// Every other NaN is a value that the service computed, and counts as non-finite.
pub const MISSING: f64 = f64::from_bits(0x7FF0_0000_0000_07A2 | 0x0008_0000_0000_0000);

/// Whether a numeric cell is missing (as opposed to NaN, which is a value gone wrong).
#[inline]
pub fn is_missing(value: f64) -> bool {
    // Quiet or signalling, either sign: only the payload tells.
    value.is_nan() && value.to_bits() & 0x0007_FFFF_FFFF_FFFF == 0x07A2
}

/// The code of a missing categorical cell.
pub const MISSING_CODE: u32 = u32::MAX;

/// One batch of one column, row by row, borrowed from the decoder.
#[derive(Clone, Copy, Debug)]
pub enum ColumnBatch<'a> {
    /// One number a row; [`MISSING`] where the cell is empty.
    Numeric(&'a [f64]),
    /// One code a row into `dictionary`; [`MISSING_CODE`] where the cell is empty.
    Categorical { codes: &'a [u32], dictionary: &'a [String] },
    /// The object has no such column: `rows` rows without it.
    Absent { rows: usize },
    /// The column is there, but none of its values is of the feature's kind: `rows` rows of another type.
    WrongType { rows: usize },
}

impl ColumnBatch<'_> {
    pub fn rows(&self) -> usize {
        match self {
            Self::Numeric(values) => values.len(),
            Self::Categorical { codes, .. } => codes.len(),
            Self::Absent { rows } | Self::WrongType { rows } => *rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_is_told_apart_from_every_other_nan() {
        assert!(is_missing(MISSING));
        assert!(is_missing(f64::from_bits(0x7FF0_0000_0000_07A2)));
        assert!(!is_missing(f64::NAN));
        assert!(!is_missing(-f64::NAN));
        assert!(!is_missing(0.0));
        assert!(!is_missing(f64::INFINITY));
    }

    #[test]
    fn a_batch_has_as_many_rows_as_it_says() {
        let dictionary = ["a".to_owned()];
        assert_eq!(ColumnBatch::Numeric(&[1.0, MISSING, 2.0]).rows(), 3);
        assert_eq!(ColumnBatch::Categorical { codes: &[0, 0, 0, MISSING_CODE], dictionary: &dictionary }.rows(), 4);
        assert_eq!((ColumnBatch::Absent { rows: 5 }.rows(), ColumnBatch::WrongType { rows: 6 }.rows()), (5, 6));
    }

    #[test]
    fn names_and_kinds_read_as_they_are_written() {
        let name = FeatureName::new("Latency µs");
        assert_eq!((name.as_str(), name.to_string().as_str()), ("Latency µs", "Latency µs"));
        assert_eq!(
            (FeatureKind::Numeric.to_string(), FeatureKind::Categorical.to_string()),
            ("numeric".into(), "categorical".into())
        );
        assert_eq!(std::collections::HashMap::from([(name, 7)]).get("Latency µs"), Some(&7));
    }

    #[test]
    fn a_missing_value_is_that_of_r() {
        // A quiet NaN with the payload 1954.
        assert_eq!(MISSING.to_bits(), 0x7FF8_0000_0000_07A2);
        assert!(is_missing(-MISSING));
        // The same lowest bits of a number say nothing.
        assert!(!is_missing(f64::from_bits(0x3FF0_0000_0000_07A2)));
        assert!(!is_missing(f64::from_bits(0x7FF8_0000_0001_07A2)));
    }
}
