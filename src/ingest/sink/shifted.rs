//! Rows with a drift put into them: changes numbers from a moment on, then hands the rows to another sink.

use std::sync::Arc;

use super::Sink;
use crate::ingest::decode::{Batch, Column, DecodeFault};
use crate::ingest::work::Work;

/// What becomes of the finite numbers of one requested column: `value * scale + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// The position among the requested columns.
    pub column: usize,
    pub scale: f64,
    pub shift: f64,
}

/// Changes to rows from a moment on; none leaves them alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shift {
    pub changes: Vec<Change>,
    /// In microseconds since the epoch.
    pub from_us: i64,
}

/// A sink that takes changed rows.
#[derive(Clone, Debug)]
pub struct Shifted<S> {
    pub inner: S,
    shift: Arc<Shift>,
}

impl<S> Shifted<S> {
    pub fn new(inner: S, shift: Shift) -> Self {
        Self { inner, shift: Arc::new(shift) }
    }
}

impl Shift {
    /// The batch after the change; `None` where nothing in it changes.
    fn of(&self, batch: &Batch) -> Result<Option<Batch>, DecodeFault> {
        if self.changes.is_empty() || !batch.timestamps_us.iter().any(|moment_us| *moment_us >= self.from_us) {
            return Ok(None);
        }
        let mut changed = batch.clone().read()?;
        for Change { column, scale, shift } in &self.changes {
            let Some(Column::Numeric(values)) = changed.columns.get_mut(*column) else { continue };
            for (value, moment_us) in values.iter_mut().zip(&batch.timestamps_us) {
                // What is missing, or no number, stays so.
                if value.is_finite() && *moment_us >= self.from_us {
                    *value = *value * scale + shift;
                }
            }
        }
        Ok(Some(changed))
    }
}

impl<S: Sink> Sink for Shifted<S> {
    const IS_APART: bool = S::IS_APART;

    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        match self.shift.of(batch)? {
            Some(changed) => self.inner.update(&changed),
            None => self.inner.update(batch),
        }
    }

    fn watch(&mut self, work: &Arc<Work>) {
        self.inner.watch(work);
    }

    fn close(&mut self) {
        self.inner.close();
    }

    fn is_exact(&self) -> bool {
        self.inner.is_exact()
    }

    fn merge(&mut self, other: Self) {
        self.inner.merge(other.inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{MISSING, is_missing};

    #[test]
    fn only_numbers_from_the_moment_on_are_changed() {
        let shift = Shift { changes: vec![Change { column: 1, scale: 2.0, shift: 0.5 }], from_us: 10 };
        let columns = vec![Column::Numeric(vec![1.0; 4]), Column::Numeric(vec![1.0, 1.0, MISSING, f64::INFINITY])];
        let batch = Batch { rows: 4, columns, clusters: None, timestamps_us: vec![9, 10, 11, 12] };
        let changed = shift.of(&batch).unwrap().unwrap();
        assert_eq!(changed.columns[0], batch.columns[0]);
        let Column::Numeric(values) = &changed.columns[1] else { panic!("numbers stay numbers") };
        assert_eq!(values[..2], [1.0, 2.5]);
        assert!(is_missing(values[2]) && values[3].is_infinite());
    }

    #[test]
    fn rows_before_the_moment_are_left_alone() {
        let shift = Shift { changes: vec![Change { column: 0, scale: 1.0, shift: 1.0 }], from_us: 10 };
        let batch = Batch { rows: 1, columns: vec![Column::WrongType], clusters: None, timestamps_us: vec![9] };
        assert_eq!(shift.of(&batch).unwrap(), None);
        let later = Batch { timestamps_us: vec![10], ..batch };
        assert_eq!(shift.of(&later).unwrap(), Some(later));
        assert_eq!(
            Shift::default().of(&Batch { rows: 1, columns: Vec::new(), clusters: None, timestamps_us: vec![10] }).unwrap(),
            None
        );
    }
}
