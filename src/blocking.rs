//! Blocking work beside the runtime: the one place that says what becomes of a panic in it.

use tokio::task::{JoinHandle, spawn_blocking};

/// Does the work on a thread that may block.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    done(spawn_blocking(work)).await
}

/// What a task gives that is never cancelled. If it panicked, so do we, where the panic can be seen.
pub async fn done<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
