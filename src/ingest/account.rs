//! The account of a reading: every object, every row.

use super::decode::{DecodeError, Rejections, Tally};
use super::work::Spent;

/// Why an object gave no rows.
#[derive(Debug)]
pub enum Fault {
    /// Its name ends in none of the formats that can be read.
    UnknownFormat,
    /// It was listed, and is not there any more.
    Vanished,
    Unreadable(DecodeError),
}

/// One object.
#[derive(Debug)]
pub struct ObjectAccount {
    pub uri: String,
    pub generation: String,
    pub size_bytes: u64,
    pub outcome: Result<Tally, Fault>,
}

/// All objects of a reading: `rows_read = rows_used + rows_outside_window + rows_rejected`.
#[derive(Debug, Default)]
pub struct Account {
    pub objects: Vec<ObjectAccount>,
    pub rows_read: u64,
    pub rows_used: u64,
    pub rows_outside_window: u64,
    /// Rows that were rejected one by one, and the rows of objects that broke off.
    pub rows_rejected: u64,
    /// Those of them that are headers in the middle of the rows: they hold no row, and nothing is lost with them.
    pub headers: u64,
    /// Those of them that lie in the window, as far as can be told, headers aside.
    pub rows_rejected_in_window: u64,
    /// For each requested column: whether any object has it.
    pub columns_seen: Vec<bool>,
    /// Whether any object has the cluster column.
    pub cluster_seen: bool,
    pub oldest_us: Option<i64>,
    pub newest_us: Option<i64>,
    pub spent: Spent,
}

impl Account {
    pub fn new(columns: usize) -> Self {
        Self { columns_seen: vec![false; columns], ..Self::default() }
    }

    pub fn add(&mut self, object: ObjectAccount) {
        match &object.outcome {
            Ok(tally) => {
                self.rows_read += tally.rows_read;
                self.rows_used += tally.rows_used;
                self.rows_outside_window += tally.rows_outside_window;
                self.rows_rejected += tally.rejected.total();
                self.headers += tally.rejected.headers();
                self.rows_rejected_in_window += tally.rejected_in_window;
                self.columns_seen.iter_mut().zip(&tally.columns_seen).for_each(|(seen, here)| *seen |= here);
                self.cluster_seen |= tally.cluster_seen;
                self.oldest_us = self.oldest_us.into_iter().chain(tally.oldest_us).min();
                self.newest_us = self.newest_us.max(tally.newest_us);
            }
            Err(Fault::Unreadable(error)) => {
                self.rows_read += error.rows_before_error;
                self.rows_rejected += error.rows_before_error;
            }
            Err(Fault::UnknownFormat | Fault::Vanished) => {}
        }
        self.objects.push(object);
    }

    /// Objects whose rows were read.
    pub fn readable(&self) -> impl Iterator<Item = (&ObjectAccount, &Tally)> {
        self.objects.iter().filter_map(|object| object.outcome.as_ref().ok().map(|tally| (object, tally)))
    }

    /// Objects that broke off.
    pub fn unreadable(&self) -> impl Iterator<Item = (&ObjectAccount, &DecodeError)> {
        self.objects.iter().filter_map(|object| match &object.outcome {
            Err(Fault::Unreadable(error)) => Some((object, error)),
            _ => None,
        })
    }

    /// Objects with rejected rows.
    pub fn rejections(&self) -> impl Iterator<Item = (&ObjectAccount, &Rejections)> {
        self.readable().map(|(object, tally)| (object, &tally.rejected)).filter(|(_, rejected)| rejected.total() > 0)
    }

    /// The fraction of the input that was rejected, in [0, 1], repeated and changed headers aside; the largest of three:
    /// - of all rows that were read, because the time of some rejected rows cannot be told;
    /// - of the rows of the window: one growing file holds far more old rows than rows of the window;
    /// - of the bytes, where whole objects broke off or vanished, because how many rows those hold is not known.
    pub fn rejected_fraction(&self) -> f64 {
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let rows = share(self.rows_rejected - self.headers, self.rows_read - self.headers);
        let in_window = share(self.rows_rejected_in_window, self.rows_used + self.rows_rejected_in_window);
        let is_broken = |object: &&ObjectAccount| matches!(object.outcome, Err(Fault::Unreadable(_) | Fault::Vanished));
        let broken: u64 = self.objects.iter().filter(is_broken).map(|object| object.size_bytes).sum();
        let readable: u64 = self.readable().map(|(object, _)| object.size_bytes).sum();
        rows.max(in_window).max(share(broken, broken + readable))
    }
}
