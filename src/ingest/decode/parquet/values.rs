//! The values of a decoded column, as the batch holds them.

use polars::prelude::{DataType, PolarsResult, Series};

use super::super::batch::{Interner, as_label};
use super::super::cell::{self, Cell, MISSING_CLUSTER};
use super::moments::Kept;
use crate::feature::{ColumnBatch, MISSING, MISSING_CODE};

/// The values as they lie, where all of them are used, there are no nulls, and they are doubles.
pub(super) fn as_numbers<'s>(series: &'s Series, kept: &Kept) -> Option<&'s [f64]> {
    if !matches!(kept, Kept::All) || series.null_count() > 0 {
        return None;
    }
    series.f64().ok()?.cont_slice().ok()
}

pub(super) fn numbers(series: &Series, kept: &Kept) -> PolarsResult<Vec<f64>> {
    let series = series.cast(&DataType::Float64)?;
    let values = series.f64()?.iter().map(|value| value.unwrap_or(MISSING));
    Ok(kept.only(values))
}

/// Distinct labels that are handed on together at most: a column may have another in every row.
const MOST_LABELS: u32 = 16_384;

pub(super) fn labels(series: &Series, kept: &Kept, take: &mut dyn FnMut(ColumnBatch<'_>)) -> PolarsResult<()> {
    let mut interner = Interner::default();
    let mut scratch = String::new();
    let mut codes = Vec::with_capacity(series.len());
    let mut row = 0;
    let mut recent = RecentLabels::default();
    each_cell(series, |cell| {
        if kept.contains(row) {
            let code = recent.code(cell).unwrap_or_else(|| {
                let label = as_label(cell, &mut scratch).unwrap_or_default();
                let code = label.map_or(MISSING_CODE, |label| interner.code(label));
                recent.remember(cell, code);
                code
            });
            codes.push(code);
            if code != MISSING_CODE && code + 1 >= MOST_LABELS {
                take(ColumnBatch::Categorical { codes: &codes, dictionary: &interner.take() });
                codes.clear();
                recent = RecentLabels::default();
            }
        }
        row += 1;
    })?;
    if !codes.is_empty() {
        take(ColumnBatch::Categorical { codes: &codes, dictionary: &interner.take() });
    }
    Ok(())
}

/// The codes of a few short texts that came before: most columns of labels have few, and they need not be cleaned and looked up again.
#[derive(Default)]
struct RecentLabels {
    /// A text of at most fifteen bytes with its length.
    known: [Option<(u128, u32)>; 8],
    next: usize,
}

impl RecentLabels {
    fn key(cell: Cell<'_>) -> Option<u128> {
        let Cell::Text(text) = cell else { return None };
        let mut bytes = [0; 16];
        let (length, room) = bytes.split_first_mut()?;
        room.get_mut(..text.len())?.copy_from_slice(text);
        *length = u8::try_from(text.len()).ok()?;
        Some(u128::from_le_bytes(bytes))
    }

    fn code(&self, cell: Cell<'_>) -> Option<u32> {
        let key = Self::key(cell)?;
        self.known.iter().flatten().find(|(known, _)| *known == key).map(|(_, code)| *code)
    }

    fn remember(&mut self, cell: Cell<'_>, code: u32) {
        if let Some(key) = Self::key(cell)
            && let Some(place) = self.known.get_mut(self.next)
        {
            *place = Some((key, code));
            self.next = (self.next + 1) % self.known.len();
        }
    }
}

pub(super) fn clusters(series: &Series, kept: &Kept) -> PolarsResult<Vec<u64>> {
    let mut scratch = String::new();
    let mut hashes = Vec::with_capacity(series.len());
    let mut row = 0;
    each_cell(series, |cell| {
        if kept.contains(row) {
            let label = as_label(cell, &mut scratch).unwrap_or_default();
            hashes.push(label.map_or(MISSING_CLUSTER, cell::cluster));
        }
        row += 1;
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
