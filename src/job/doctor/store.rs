//! The state store: reading past runs, and a transaction that leaves nothing behind.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;

use super::{Check, DRY_RUN, LIMIT, Patient, limited};
use crate::config::Store;
use crate::error::{ExitCode, with_causes};
use crate::job::sections;
use crate::notify::moment;
use crate::store::{StateStore, StoreError};
use crate::window::Window;

const READ: &str = "store read";
const WRITE: &str = "store write";

pub async fn check(patient: &Patient<'_>) -> Vec<Check> {
    limited("store", ExitCode::StorageFailed, LIMIT, async {
        match &patient.config.store {
            Store::Sqlite { path, timeout } => sqlite(patient, path, *timeout).await,
            Store::Firestore(settings) => match StateStore::firestore(settings.clone()).await {
                Ok(store) => {
                    let read = read(patient, &store).await;
                    vec![read, write(patient, Ok(store)).await]
                }
                Err(error) => vec![failed(READ, &error), Check::skip(WRITE, "the store cannot be reached")],
            },
        }
    })
    .await
}

/// Neither makes the file where it is missing nor brings an older one up to date: the first run does.
async fn sqlite(patient: &Patient<'_>, path: &str, timeout: Duration) -> Vec<Check> {
    let exists = Path::new(path).exists();
    let read = match StateStore::sqlite_read_only(path.to_owned(), timeout).await {
        Ok(_) if !exists => Check::ok(READ, format!("there is no {path} yet: the first run makes it")),
        Ok(store) => read(patient, &store).await,
        Err(error) => failed(READ, &error),
    };
    if !patient.may_write() || exists {
        let store = StateStore::sqlite(path.to_owned(), timeout);
        let written = if patient.may_write() { write(patient, store.await).await } else { Check::skip(WRITE, DRY_RUN) };
        return vec![read, written];
    }
    // Beside it, under a name of its own.
    let probe = format!("{path}.{}", patient.probe);
    let written = write(patient, StateStore::sqlite(probe.clone(), timeout).await).await;
    for end in ["", "-journal", "-wal", "-shm"] {
        // Most of them were never there.
        drop(std::fs::remove_file(format!("{probe}{end}")));
    }
    vec![read, written]
}

async fn read(patient: &Patient<'_>, store: &StateStore) -> Check {
    let now = (patient.invocation.clock)();
    let window = Window::ending_at(now, patient.config.window.length);
    let series = sections::series(&patient.config, patient.config.logs.timestamp.as_ref().map(|_| window));
    // Windows that end a little later are of clocks that are ahead.
    match store.past_runs(series, now + TimeDelta::days(1), 1).await {
        Ok(runs) => Check::ok(
            READ,
            runs.last().map_or_else(
                || "no run of this job and window length is on record".to_owned(),
                |run| format!("the last run is of the window to {}: {}", moment(run.window_end), run.verdict),
            ),
        ),
        Err(error) => failed(READ, &error),
    }
}

async fn write(patient: &Patient<'_>, store: Result<StateStore, StoreError>) -> Check {
    if !patient.may_write() {
        return Check::skip(WRITE, DRY_RUN);
    }
    let scope = sections::series(&patient.config, None).scope();
    let probed = async { store?.probe(scope, format!("doctor-{}", patient.probe), (patient.invocation.clock)()).await };
    match probed.await {
        Ok(()) => Check::ok(WRITE, "a transaction, which left nothing behind"),
        Err(error) => failed(WRITE, &error),
    }
}

/// What an error of the store says holds its remedy.
fn failed(name: &str, error: &StoreError) -> Check {
    Check::fail(name, ExitCode::StorageFailed, with_causes(error), "")
}
