//! The rows of a piece of text, read without knowing what stands above it: what became of each, and the cells of those that go on.
//!
//! Such pieces can be read at the same time; [`Intake`](super::intake::Intake) takes them in the order of the object.

use super::Request;
use super::admission::{Admission, Refusal};
use super::cell::Cell;
use super::cells::{Cells, Fault, Place};
use super::rejection::{LOCATIONS_KEPT, RejectionReason};

/// What the rows of a piece take in memory at most, in words: more than the rows of any block that have all their columns.
const MOST_WORDS: usize = 3 << 17;
const WORD_BYTES: usize = 8;

/// Lines are counted from the piece's first.
pub(super) struct Rows {
    /// The bytes that were read, up to a line that has to be read otherwise, and the lines in them, blank ones included.
    pub bytes: usize,
    pub lines: u64,
    /// Whether there were too many rows for one piece: those below are to be read in the same way.
    pub is_cut: bool,
    /// In order, rejected ones included.
    pub fates: Vec<Fate>,
    /// In order.
    pub rejected: Vec<RejectedRow>,
    /// Of the admitted rows.
    pub cells: Cells,
    /// The rows (counted from 1) in which a requested column, or (`None`) the cluster's, occurs for the first time; in order.
    pub first_seen: Vec<(usize, Option<usize>)>,
    pub timestamp_seen: bool,
    /// The names in the first row without a timestamp.
    pub names: Option<Vec<String>>,
}

/// What became of a row.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    /// It is inside the window, or there is none.
    Admitted {
        moment_us: Option<i64>,
    },
    Outside {
        moment_us: i64,
    },
    /// It is inside the window, and known.
    Known {
        moment_us: i64,
    },
    /// The next of the rejected rows.
    Rejected,
}

/// A row that is rejected for what it is, not for a cell of a feature.
pub(super) struct RejectedRow {
    pub reason: RejectionReason,
    /// How many rows it may have been.
    pub rows: u64,
    pub line: u64,
    /// Whether the timestamp is at fault.
    pub is_for_timestamp: bool,
    pub detail: String,
    /// Its own time, where that can be read all the same.
    pub moment_us: Option<i64>,
}

impl Rows {
    pub fn new(request: &Request) -> Self {
        Self {
            bytes: 0,
            lines: 0,
            is_cut: false,
            fates: Vec::new(),
            rejected: Vec::new(),
            cells: Cells::new(request),
            first_seen: Vec::new(),
            timestamp_seen: false,
            names: None,
        }
    }

    /// Forgets the rows, and keeps the memory for others.
    pub fn clear(&mut self) {
        self.bytes = 0;
        self.lines = 0;
        self.is_cut = false;
        self.fates.clear();
        self.rejected.clear();
        self.cells.clear();
        self.first_seen.clear();
        self.timestamp_seen = false;
        self.names = None;
    }

    /// Whether no more rows are to be added: a row of two bytes may lack a hundred columns, whose cells are held all the same. Then it is
    /// cut.
    pub fn end_if_full(&mut self) -> bool {
        let cells = self.cells.rows * (self.cells.columns.len() + 2) + self.cells.faults.len() * size_of::<Fault>() / WORD_BYTES;
        let rejected = self.rejected.len() * size_of::<RejectedRow>() / WORD_BYTES;
        let fates = self.fates.len() * size_of::<Fate>() / WORD_BYTES;
        self.is_cut = cells + rejected + fates >= MOST_WORDS;
        self.is_cut
    }

    /// Counts a row by the timestamp in this cell. Whether its cells must follow.
    pub fn admit(&mut self, admission: Admission, cell: Cell<'_>, line: u64) -> bool {
        match admission.moment(cell) {
            Ok(moment_us) => self.admit_moment(admission, moment_us),
            Err(refusal) => self.refuse(&refusal, line),
        }
    }

    /// Counts a row whose timestamp is not used; no cells follow.
    pub fn refuse(&mut self, refusal: &Refusal, line: u64) -> bool {
        let reason = refusal.reason;
        let detail = if self.is_located(reason) { refusal.detail() } else { String::new() };
        self.push_rejected(RejectedRow { reason, rows: 1, line, is_for_timestamp: true, detail, moment_us: None });
        false
    }

    /// Counts a row of this moment. Whether its cells must follow.
    pub fn admit_moment(&mut self, admission: Admission, moment_us: i64) -> bool {
        let is_wanted = admission.is_wanted(moment_us);
        if is_wanted {
            self.admit_always(Some(moment_us));
        } else if admission.is_known(moment_us) {
            self.fates.push(Fate::Known { moment_us });
        } else {
            self.fates.push(Fate::Outside { moment_us });
        }
        is_wanted
    }

    /// Counts a row whose cells must follow.
    pub fn admit_always(&mut self, moment_us: Option<i64>) {
        self.fates.push(Fate::Admitted { moment_us });
        self.cells.begin_row(moment_us);
    }

    /// The cells of a row that was admitted: one for each requested column, in order, and the cluster's.
    pub fn push_row<'c>(&mut self, line: u64, cells: impl Iterator<Item = Cell<'c>>, cluster: Option<Cell<'c>>) {
        for (column, cell) in cells.enumerate() {
            self.cells.push(Place { line, column: Some(column) }, cell);
        }
        if let Some(cell) = cluster {
            self.cells.push(Place { line, column: None }, cell);
        }
    }

    /// Counts rows, or a header, that are rejected; their time is theirs to say where it can be read.
    pub fn reject(
        &mut self,
        reason: RejectionReason,
        rows: u64,
        line: u64,
        moment_us: Option<i64>,
        detail: impl FnOnce() -> String,
    ) {
        let detail = if self.is_located(reason) { detail() } else { String::new() };
        self.push_rejected(RejectedRow { reason, rows, line, is_for_timestamp: false, detail, moment_us });
    }

    fn push_rejected(&mut self, row: RejectedRow) {
        self.rejected.push(row);
        self.fates.push(Fate::Rejected);
    }

    /// Whether the place of another such row may be kept: it is not when there are enough in this piece alone.
    fn is_located(&self, reason: RejectionReason) -> bool {
        self.rejected.iter().filter(|row| row.reason == reason).take(LOCATIONS_KEPT).count() < LOCATIONS_KEPT
    }
}
