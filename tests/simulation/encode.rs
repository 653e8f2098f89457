//! Rows as the bytes of a log: CSV, or Parquet where there are many.

use std::fmt::Write;

use anyhow::{Context, Result};
use polars::frame::DataFrame;
use polars::prelude::{Column as FrameColumn, NamedFrom, ParquetWriter, Series};

use super::population::{Column, FEATURES, Rows};

/// The column with the time of each row.
pub const MOMENT: &str = "moment";
/// The column that tells which rows belong together.
pub const STUDY: &str = "study";

/// From so many rows on, Parquet: it is written and read several times as fast.
const PARQUET_FROM: usize = 20_000;

/// The names of the features.
pub fn feature_names() -> Vec<String> {
    (1..=FEATURES).map(|number| format!("f{number:02}")).collect()
}

/// The bytes of an object and the extension of its key. `prefix` tells the studies of one object from those of another.
pub fn encode(rows: &Rows, prefix: &str) -> Result<(Vec<u8>, &'static str)> {
    if rows.moments_us.len() < PARQUET_FROM {
        Ok((csv(rows, prefix).into_bytes(), "csv"))
    } else {
        Ok((parquet(rows, prefix)?, "parquet"))
    }
}

fn csv(rows: &Rows, prefix: &str) -> String {
    let mut text = format!("{MOMENT},{STUDY},{}\n", feature_names().join(","));
    for (row, (moment_us, study)) in rows.moments_us.iter().zip(&rows.studies).enumerate() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{moment_us},{prefix}-{study}");
        for column in &rows.features {
            text.push(',');
            let _ = match column {
                Column::Numeric(values) => values[row].map_or(Ok(()), |value| write!(text, "{value}")),
                Column::Categorical(values) => values[row].map_or(Ok(()), |value| text.write_str(value)),
            };
        }
        text.push('\n');
    }
    text
}

/// The rows as a Parquet file.
pub fn parquet(rows: &Rows, prefix: &str) -> Result<Vec<u8>> {
    let studies: Vec<String> = rows.studies.iter().map(|study| format!("{prefix}-{study}")).collect();
    let mut columns: Vec<FrameColumn> =
        vec![Series::new(MOMENT.into(), rows.moments_us.as_slice()).into(), Series::new(STUDY.into(), studies).into()];
    for (name, column) in feature_names().into_iter().zip(&rows.features) {
        let series = match column {
            Column::Numeric(values) => Series::new(name.into(), values),
            Column::Categorical(values) => Series::new(name.into(), values),
        };
        columns.push(series.into());
    }
    let mut frame = DataFrame::new(rows.moments_us.len(), columns).context("building the Parquet columns")?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).context("encoding Parquet")?;
    Ok(bytes)
}
