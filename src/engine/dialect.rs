//! How SQL is spelled, database by database. Another one is another variant; what is asked stays the same.

use chrono::DateTime;

use super::columns::Moment;
use crate::ingest::HOUR_US;
use crate::ingest::timestamp::{EARLIEST_US, LATEST_US};

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Apache Spark 4, with `spark.sql.ansi.enabled`, so that a sum that overflows is an error, and UTC as its time zone.
    Spark,
}

impl Dialect {
    /// A name as it stands, whatever is in it.
    pub fn name(self, name: &str) -> String {
        match self {
            Self::Spark => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// Exactly this double.
    pub fn double(self, number: f64) -> String {
        match self {
            Self::Spark if number.is_finite() => format!("({number:e}D)"),
            Self::Spark => format!("double('{}')", if number > 0.0 { "Infinity" } else { "-Infinity" }),
        }
    }

    pub fn as_double(self, value: &str) -> String {
        match self {
            Self::Spark => format!("CAST({value} AS DOUBLE)"),
        }
    }

    pub fn as_integer(self, value: &str) -> String {
        match self {
            Self::Spark => format!("CAST({value} AS BIGINT)"),
        }
    }

    pub fn as_text(self, value: &str) -> String {
        match self {
            Self::Spark => format!("CAST({value} AS STRING)"),
        }
    }

    /// The element of a list at a position from 0 on; null beyond its ends.
    pub fn element(self, list: &str, position: &str) -> String {
        match self {
            Self::Spark => format!("get({list}, {position})"),
        }
    }

    /// Whether a double is a number and finite; false or null where it is not.
    pub fn is_finite(self, value: &str) -> String {
        match self {
            // NaN is larger than every number.
            Self::Spark => format!("abs({value}) < {}", self.double(f64::INFINITY)),
        }
    }

    pub fn is_nan(self, value: &str) -> String {
        match self {
            Self::Spark => format!("isnan({value})"),
        }
    }

    /// To the nearest integer, halves to the even one.
    pub fn round(self, value: &str) -> String {
        match self {
            Self::Spark => format!("rint({value})"),
        }
    }

    /// A whole number without its lowest bits, rounded down.
    pub fn without_low_bits(self, value: &str, bits: u32) -> String {
        match self {
            Self::Spark => format!("shiftright({value}, {bits})"),
        }
    }

    /// The lowest bits of a whole number.
    pub fn low_bits(self, value: &str, bits: u32) -> String {
        match self {
            Self::Spark => format!("({value} & {}L)", (1_i64 << bits) - 1),
        }
    }

    /// A power of two, exactly.
    pub fn power_of_two(self, exponent: &str) -> String {
        match self {
            // Exact where the result is a double (java.lang.Math.pow).
            Self::Spark => format!("power(2.0D, {exponent})"),
        }
    }

    /// Within one of the largest whole number that is not above the logarithm.
    pub fn floor_of_log2(self, value: &str) -> String {
        match self {
            Self::Spark => format!("CAST(floor(log2({value})) AS INT)"),
        }
    }

    pub fn count_if(self, condition: &str) -> String {
        match self {
            Self::Spark => format!("count_if({condition})"),
        }
    }

    /// Which part of the scan a row is in: so many that a sum over the rows of one part stays small.
    pub fn part(self) -> &'static str {
        match self {
            Self::Spark => "(spark_partition_id() % 1024)",
        }
    }

    /// Nulls of the types text, double and whole number.
    pub fn nulls(self) -> [&'static str; 3] {
        match self {
            Self::Spark => ["CAST(NULL AS STRING)", "CAST(NULL AS DOUBLE)", "CAST(NULL AS BIGINT)"],
        }
    }

    /// Microseconds since the epoch, of a column whose values [are between](Self::is_between) `EARLIEST_US` and `LATEST_US`.
    pub fn micros(self, column: &str, moment: Moment) -> String {
        match (self, moment) {
            (Self::Spark, Moment::Instant) => format!("unix_micros({column})"),
            (Self::Spark, Moment::Naive) => format!("unix_micros(CAST({column} AS TIMESTAMP))"),
            (Self::Spark, Moment::Epoch) => {
                let [seconds, millis, micros, _] = UNITS.map(|unit| i128::from(LATEST_US) * unit / MICROS);
                let epoch = self.as_integer(column);
                format!(
                    "CASE WHEN {epoch} < {seconds}L THEN {epoch} * 1000000L WHEN {epoch} < {millis}L THEN {epoch} * 1000L \
                     WHEN {epoch} < {micros}L THEN {epoch} ELSE {epoch} div 1000L END"
                )
            }
        }
    }

    /// Whether a moment lies in `[start, end)`, in microseconds since the epoch; written so that the statistics of a file can tell, too.
    pub fn is_between(self, column: &str, moment: Moment, start_us: i64, end_us: i64) -> String {
        let (start_us, end_us) = (start_us.clamp(EARLIEST_US, LATEST_US), end_us.clamp(EARLIEST_US, LATEST_US));
        match (self, moment) {
            (Self::Spark, Moment::Instant) => {
                format!("({column} >= timestamp_micros({start_us}L) AND {column} < timestamp_micros({end_us}L))")
            }
            (Self::Spark, Moment::Naive) => format!("({column} >= {} AND {column} < {})", naive(start_us), naive(end_us)),
            (Self::Spark, Moment::Epoch) => {
                let in_unit = |unit: i128| {
                    let first = |moment_us: i64| (i128::from(moment_us) * unit + MICROS - 1).div_euclid(MICROS);
                    format!("({column} >= {}L AND {column} < {}L)", first(start_us), first(end_us))
                };
                format!("({})", UNITS.map(in_unit).join(" OR "))
            }
        }
    }

    /// The hour since the epoch of a moment in microseconds.
    pub fn hour(self, micros: &str) -> String {
        match self {
            // No log is older than the epoch.
            Self::Spark => format!("({micros} div {HOUR_US}L)"),
        }
    }
}

const MICROS: i128 = 1_000_000;
/// Epochs in s, ms, µs and ns: so many to a second.
const UNITS: [i128; 4] = [1, 1_000, 1_000_000, 1_000_000_000];

fn naive(moment_us: i64) -> String {
    let moment = DateTime::from_timestamp_micros(moment_us).unwrap_or_default();
    format!("TIMESTAMP_NTZ'{}'", moment.format("%Y-%m-%d %H:%M:%S%.6f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPARK: Dialect = Dialect::Spark;

    #[test]
    fn names_hold_whatever_is_in_them() {
        assert_eq!(SPARK.name("a b.c`d"), "`a b.c``d`");
    }

    #[test]
    fn doubles_are_written_exactly() {
        assert_eq!(SPARK.double(0.1), "(1e-1D)");
        assert_eq!(SPARK.double(-2.5e300), "(-2.5e300D)");
        assert_eq!(SPARK.double(f64::NEG_INFINITY), "double('-Infinity')");
    }

    #[test]
    fn a_window_is_compared_in_the_unit_of_the_column() {
        let (start, end) = (1_767_225_600_000_000, 1_767_225_600_000_001);
        assert_eq!(
            SPARK.is_between("t", Moment::Naive, start, end),
            "(t >= TIMESTAMP_NTZ'2026-01-01 00:00:00.000000' AND t < TIMESTAMP_NTZ'2026-01-01 00:00:00.000001')"
        );
        // Whole seconds and milliseconds: only the first is in the microsecond that begins with it.
        assert_eq!(
            SPARK.is_between("t", Moment::Epoch, start, end),
            "((t >= 1767225600L AND t < 1767225601L) OR (t >= 1767225600000L AND t < 1767225600001L) OR \
             (t >= 1767225600000000L AND t < 1767225600000001L) OR (t >= 1767225600000000000L AND t < 1767225600000001000L))"
        );
        assert!(SPARK.is_between("t", Moment::Instant, i64::MIN, i64::MAX).contains("timestamp_micros(4102444800000000L)"));
    }

    #[test]
    fn the_unit_of_an_epoch_follows_from_its_magnitude() {
        let micros = SPARK.micros("t", Moment::Epoch);
        assert!(micros.contains("< 4102444800L THEN CAST(t AS BIGINT) * 1000000L"), "{micros}");
        assert!(micros.contains("< 4102444800000000L THEN CAST(t AS BIGINT) ELSE"), "{micros}");
    }
}
