//! The fault table: everything that storage, stores and channels do on bad days, each against the real binary through a proxy that does it.
//!
//! A row is a part of a run and a fault of it, with what must come of that: the exit code, what the log names, what stands in the bucket,
//! who was told. Of every row holds besides: a verdict of the window that drifted is never another, nothing visible is a part of
//! something, no secret is said, the run ends in time and takes little memory, and a rerun without the fault completes.
//!
//! What was seen is the table in `docs/reliability.md`, which the test holds against it.

mod email;
mod engine;
mod expected;
mod firestore;
mod http;
mod setting;
mod sqlite;
mod storage;
pub mod table;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use engine::{Bench, Row};
use table::Outcome;

/// Rows at a time: most of a row is waiting.
const AT_A_TIME: usize = 12;

/// More than these went wrong for another reason than a busy machine.
const MOST_AGAIN: usize = 20;

#[test]
fn everything_that_can_fail_ends_as_the_table_says() {
    let bench = Bench::new().warmed_up();
    let mut rows = storage::rows();
    rows.extend(sqlite::rows());
    let with_firestore = bench.firestore.is_some();
    if with_firestore {
        rows.extend(firestore::rows());
    }
    rows.extend(http::rows());
    rows.extend(email::rows());
    // For those who work on some of them: the table is not whole then.
    let only = std::env::var("DRIFT_CHECK_FAULTS").unwrap_or_default();
    rows.retain(|row| format!("{} {}", row.part, row.fault).contains(&only));
    let outcomes = run_all(&bench, &rows);
    if with_firestore && only.is_empty() {
        table::hold("faults", "tests/faults", &outcomes);
    }
}

/// Runs the rows, some at a time; fails with all that did not end as they should. On a busy machine everything can be slower than the
/// patience of a row: what went wrong among others is run once more, alone.
fn run_all(bench: &Bench, rows: &[Row]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let ran = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(row) = rows.get(index) else { break };
                    let outcome = run_one(bench, row);
                    ran.lock().unwrap_or_else(PoisonError::into_inner).insert(index, outcome);
                }
            });
        }
    });
    let mut ran = ran.into_inner().unwrap();
    if ran.values().filter(|outcome| outcome.is_err()).count() <= MOST_AGAIN {
        for (index, outcome) in ran.iter_mut().filter(|(_, outcome)| outcome.is_err()) {
            *outcome = run_one(bench, &rows[*index]);
        }
    }
    let (good, wrong): (Vec<_>, Vec<_>) = ran.into_values().partition(Result::is_ok);
    let texts: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    assert!(texts.is_empty(), "{} of {} rows:\n\n{}", texts.len(), rows.len(), texts.join("\n\n"));
    good.into_iter().filter_map(Result::ok).collect()
}

fn run_one(bench: &Bench, row: &Row) -> Result<Outcome, String> {
    let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| engine::run(bench, row)));
    let ran = ran.unwrap_or_else(|_| Err("the row could not be run; why stands above".to_owned()));
    ran.map_err(|problem| format!("{}: {}\n{problem}", row.part, row.fault))
}
