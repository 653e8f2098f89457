//! Trying again: the one policy of every edge. How long to wait and when to give up; whether a failure may pass by itself is the
//! error's to say. Knows no vendor.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What an error says about another attempt.
pub trait Transient: fmt::Display {
    /// Whether the same call may succeed later.
    fn retryable(&self) -> bool;

    /// How long the other side asked to be left alone.
    fn retry_after(&self) -> Option<Duration>;

    /// Takes note of how often the call was tried when it is given up.
    #[must_use]
    fn tried(self, times: u32) -> Self;
}

/// How often the process went on after it had been stopped.
static RESUMPTIONS: AtomicU32 = AtomicU32::new(0);

/// How long an attempt that would be the last waits for the news that the process had been stopped: clocks run on meanwhile, and
/// after a stop the deadlines may be heard before the signal.
const NEWS: Duration = Duration::from_millis(50);

/// The process was stopped, for however long, and goes on: the patience of all calls begins anew.
pub fn resumed() {
    RESUMPTIONS.fetch_add(1, Ordering::Relaxed);
}

/// How long a `Retry-After` header asks to wait: seconds, or a date.
pub fn asked_pause(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}

/// How patient a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// No attempt begins later than this after the first, after the last progress, or after the process was last stopped.
    pub patience: Duration,
    /// The pause after the first failure; it doubles with every further one. Half of each pause is chance, so that those who
    /// failed together do not come back together.
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

impl Policy {
    /// The usual pauses under this patience. Google asks for one second at first and half a minute at most; short patience
    /// shortens both.
    pub fn within(patience: Duration) -> Self {
        let first_pause = Duration::from_secs(1).min(patience / 32);
        Self { patience, first_pause, longest_pause: Duration::from_secs(30).min(patience / 4) }
    }
}

/// The attempts of one call.
#[derive(Debug)]
pub struct Attempts {
    policy: Policy,
    since: Instant,
    /// The resumptions that were known then.
    resumptions: u32,
    failures: u32,
    failures_in_a_row: u32,
}

impl Attempts {
    pub fn new(policy: Policy) -> Self {
        let resumptions = RESUMPTIONS.load(Ordering::Relaxed);
        Self { policy, since: Instant::now(), resumptions, failures: 0, failures_in_a_row: 0 }
    }

    /// Whether an attempt has failed before.
    pub fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Something arrived: patience and pauses begin anew.
    pub fn progressed(&mut self) {
        self.since = Instant::now();
        self.failures_in_a_row = 0;
    }

    /// Waits after a failure until it is time for the next attempt; gives the error back when there must be none.
    pub async fn after<E: Transient>(&mut self, error: E) -> Result<(), E> {
        self.failures = self.failures.saturating_add(1);
        let pause = error.retry_after().unwrap_or_default().max(self.pause());
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        if !error.retryable() || self.is_exhausted_by(pause).await {
            return Err(error.tried(self.failures));
        }
        tracing::info!(retry.failures = self.failures, "{error}; trying again in {:.1} s", pause.as_secs_f64());
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Whether patience ends before this pause does. The time that the process was stopped is nobody's fault.
    async fn is_exhausted_by(&mut self, pause: Duration) -> bool {
        let is_over = |since: Instant, patience| since.elapsed().saturating_add(pause) > patience;
        if is_over(self.since, self.policy.patience) {
            tokio::time::sleep(NEWS).await;
        }
        let resumptions = RESUMPTIONS.load(Ordering::Relaxed);
        if resumptions != self.resumptions {
            self.resumptions = resumptions;
            self.progressed();
        }
        is_over(self.since, self.policy.patience)
    }

    fn pause(&self) -> Duration {
        let doubled = self.policy.first_pause.saturating_mul(1_u32.checked_shl(self.failures_in_a_row).unwrap_or(u32::MAX));
        doubled.min(self.policy.longest_pause).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Calls until it succeeds, fails for good, or patience runs out.
pub async fn run<T, E: Transient, F: Future<Output = Result<T, E>>>(policy: Policy, mut call: impl FnMut() -> F) -> Result<T, E> {
    let mut attempts = Attempts::new(policy);
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(error) => attempts.after(error).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[derive(Debug, PartialEq)]
    struct Failure {
        passes: bool,
        after: Option<Duration>,
        times: u32,
    }

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("it failed")
        }
    }

    impl Transient for Failure {
        fn retryable(&self) -> bool {
            self.passes
        }

        fn retry_after(&self) -> Option<Duration> {
            self.after
        }

        fn tried(self, times: u32) -> Self {
            Self { times, ..self }
        }
    }

    fn busy(after: Option<Duration>) -> Failure {
        Failure { passes: true, after, times: 0 }
    }

    fn policy(patience: u64) -> Policy {
        Policy::within(Duration::from_millis(patience))
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_does_not_is_not() {
        let calls = Cell::new(0);
        let result = run(policy(5_000), || {
            calls.set(calls.get() + 1);
            std::future::ready(if calls.get() < 3 { Err(busy(Some(Duration::ZERO))) } else { Ok(calls.get()) })
        });
        assert_eq!(result.await, Ok(3));
        let refused = run(policy(5_000), || std::future::ready(Err::<(), _>(Failure { passes: false, after: None, times: 0 })));
        assert_eq!(refused.await.unwrap_err().times, 1);
    }

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        assert_eq!(asked_pause("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked_pause("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked_pause("soon"), None);
    }

    #[tokio::test]
    async fn patience_ends() {
        let started = Instant::now();
        let result = run(policy(100), || std::future::ready(Err::<(), _>(busy(None)))).await;
        assert!(result.unwrap_err().times > 2);
        assert!(started.elapsed() <= Duration::from_secs(2));
    }

    #[tokio::test]
    async fn patience_begins_anew_after_the_process_was_stopped() {
        let mut attempts = Attempts::new(policy(300));
        let stopped = Duration::from_millis(400);
        std::thread::sleep(stopped);
        resumed();
        attempts.after(busy(None)).await.unwrap();
        // The news may come after the failure.
        std::thread::sleep(stopped);
        let news = async {
            tokio::time::sleep(NEWS / 5).await;
            resumed();
        };
        tokio::join!(async { attempts.after(busy(None)).await.unwrap() }, news);
        // Time that passes while it runs counts as ever.
        std::thread::sleep(stopped);
        assert_eq!(attempts.after(busy(None)).await.unwrap_err().times, 3);
    }

    #[tokio::test]
    async fn a_wait_that_was_asked_for_is_kept_or_the_call_given_up() {
        let started = Instant::now();
        let too_long = run(policy(100), || std::future::ready(Err::<(), _>(busy(Some(Duration::from_mins(1)))))).await;
        assert_eq!(too_long.unwrap_err().times, 1);
        assert!(started.elapsed() < Duration::from_secs(2));
        let mut attempts = Attempts::new(policy(10_000));
        attempts.after(busy(Some(Duration::from_millis(400)))).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(400));
    }
}
