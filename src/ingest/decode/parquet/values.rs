//! The values of a decoded column, as the batch holds them.

use polars::prelude::{DataType, PolarsResult, Series};

use super::super::batch::{Column, Interner, as_label};
use super::super::cell::{self, Cell, MISSING_CLUSTER};
use crate::feature::{MISSING, MISSING_CODE};

pub(super) fn only<T>(kept: &[bool], values: impl Iterator<Item = T>) -> Vec<T> {
    values.zip(kept).filter_map(|(value, kept)| kept.then_some(value)).collect()
}

pub(super) fn numbers(series: &Series, kept: &[bool]) -> PolarsResult<Vec<f64>> {
    let series = series.cast(&DataType::Float64)?;
    let values = series.f64()?.iter().map(|value| value.map_or(MISSING, cell::canonical));
    Ok(only(kept, values))
}

pub(super) fn labels(series: &Series, kept: &[bool]) -> PolarsResult<Column> {
    let (mut interner, mut scratch) = (Interner::default(), String::new());
    let mut codes = Vec::with_capacity(kept.len());
    let mut kept = kept.iter();
    each_cell(series, |cell| {
        if kept.next() == Some(&true) {
            let label = as_label(cell, &mut scratch).unwrap_or_default();
            codes.push(label.map_or(MISSING_CODE, |label| interner.code(label)));
        }
    })?;
    Ok(Column::Categorical { codes, dictionary: interner.take() })
}

pub(super) fn clusters(series: &Series, kept: &[bool]) -> PolarsResult<Vec<u64>> {
    let mut scratch = String::new();
    let mut hashes = Vec::with_capacity(kept.len());
    let mut kept = kept.iter();
    each_cell(series, |cell| {
        if kept.next() == Some(&true) {
            let label = as_label(cell, &mut scratch).unwrap_or_default();
            hashes.push(label.map_or(MISSING_CLUSTER, cell::cluster));
        }
    })?;
    Ok(hashes)
}

/// The cells of a flat column, as the text formats would give them.
pub(super) fn each_cell(series: &Series, mut take: impl FnMut(Cell<'_>)) -> PolarsResult<()> {
    match series.dtype() {
        DataType::Null => (0..series.len()).for_each(|_| take(Cell::Missing)),
        DataType::Boolean => series.bool()?.iter().for_each(|value| take(value.map_or(Cell::Missing, Cell::Bool))),
        DataType::UInt64 => {
            series.u64()?.iter().for_each(|value| take(value.map_or(Cell::Missing, |value| Cell::Integer(value.into()))));
        }
        dtype if dtype.is_integer() => {
            let series = series.cast(&DataType::Int64)?;
            series.i64()?.iter().for_each(|value| take(value.map_or(Cell::Missing, |value| Cell::Integer(value.into()))));
        }
        dtype if dtype.is_float() => {
            let series = series.cast(&DataType::Float64)?;
            series.f64()?.iter().for_each(|value| take(value.map_or(Cell::Missing, Cell::Number)));
        }
        _ => {
            let series = series.cast(&DataType::String)?;
            series.str()?.iter().for_each(|value| take(value.map_or(Cell::Missing, |text| Cell::Text(text.as_bytes()))));
        }
    }
    Ok(())
}
