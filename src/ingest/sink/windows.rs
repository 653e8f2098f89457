//! The rows of several windows, counted window by window while each object is read once.

use std::sync::Arc;

use super::{Counter, Sink};
use crate::ingest::decode::{Batch, DecodeFault};
use crate::ingest::work::Work;
use crate::window::Window;

/// Counts windows that do not overlap; rows of none of them are left out.
#[derive(Clone, Debug)]
pub struct ByWindow {
    pub windows: Vec<OfWindow>,
}

/// What a window holds.
#[derive(Clone, Debug)]
pub struct OfWindow {
    pub window: Window,
    pub rows: u64,
    pub counter: Counter,
}

impl OfWindow {
    fn contains(&self, moment_us: i64) -> bool {
        self.window.micros().contains(&moment_us)
    }

    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        self.rows += batch.rows as u64;
        self.counter.update(batch)
    }
}

impl ByWindow {
    /// Counts into what `empty` counts.
    pub fn new(empty: &Counter, windows: &[Window]) -> Self {
        let of_window = |window: &Window| OfWindow { window: *window, rows: 0, counter: empty.clone() };
        Self { windows: windows.iter().map(of_window).collect() }
    }

    /// The window that a moment is in.
    fn position(&self, moment_us: i64) -> Option<usize> {
        self.windows.iter().position(|window| window.contains(moment_us))
    }
}

impl Sink for ByWindow {
    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        let moments_us = batch.timestamps_us.iter().copied();
        let (Some(oldest_us), Some(newest_us)) = (moments_us.clone().min(), moments_us.clone().max()) else { return Ok(()) };
        let of_oldest = self.windows.iter_mut().find(|window| window.contains(oldest_us));
        if let Some(window) = of_oldest.filter(|window| window.contains(newest_us)) {
            return window.update(batch);
        }
        let positions: Vec<Option<usize>> = moments_us.map(|moment_us| self.position(moment_us)).collect();
        let batch = batch.clone().read()?;
        for (position, window) in self.windows.iter_mut().enumerate() {
            let rows: Vec<usize> =
                positions.iter().enumerate().filter(|(_, of_row)| **of_row == Some(position)).map(|(row, _)| row).collect();
            if !rows.is_empty() {
                window.update(&batch.select(&rows))?;
            }
        }
        Ok(())
    }

    fn watch(&mut self, work: &Arc<Work>) {
        self.windows.iter_mut().for_each(|window| window.counter.watch(work));
    }

    fn close(&mut self) {
        self.windows.iter_mut().for_each(|window| window.counter.close());
    }

    fn merge(&mut self, other: Self) {
        for (own, other) in self.windows.iter_mut().zip(other.windows) {
            own.rows += other.rows;
            own.counter.merge(other.counter);
        }
    }
}
