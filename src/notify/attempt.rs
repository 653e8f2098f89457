//! One delivery with its retries: how long an attempt may take, and whether the next one may be a repetition.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{ChannelName, Fault, SendError};
use crate::retry::{self, Policy};

/// Where an attempt stands.
#[derive(Debug, Default)]
pub(super) struct Handover {
    handed_over: AtomicBool,
    repeated: AtomicBool,
}

impl Handover {
    /// From here on the other side has, or may have, all of the message.
    pub fn begins(&self) {
        self.handed_over.store(true, Ordering::Relaxed);
    }

    /// Whether an earlier attempt of this delivery may have arrived.
    pub fn may_be_repeated(&self) -> bool {
        self.repeated.load(Ordering::Relaxed)
    }
}

/// Attempts a delivery until it succeeds, fails for good, or `timeout` runs out.
///
/// An attempt gets a third of the time, and none begins in the last third: each has its full share, and one that hangs leaves room for
/// another.
pub(super) async fn deliver<F>(
    channel: ChannelName,
    timeout: Duration,
    handover: &Handover,
    mut attempt: impl FnMut() -> F,
) -> Result<(), SendError>
where
    F: Future<Output = Result<(), SendError>>,
{
    let share = share(timeout);
    retry::run(Policy::within(timeout.saturating_sub(share)), || {
        handover.handed_over.store(false, Ordering::Relaxed);
        let call = attempt();
        async move {
            let result = tokio::time::timeout(share, call).await.unwrap_or_else(|_| {
                let arrived = handover.handed_over.load(Ordering::Relaxed);
                let detail = format!("no answer within {:.1} s", share.as_secs_f64());
                Err(SendError::new(channel, Fault::Timeout, detail).perhaps_arrived(arrived))
            });
            if result.as_ref().is_err_and(SendError::may_have_arrived) {
                handover.repeated.store(true, Ordering::Relaxed);
            }
            // Once it may have arrived, it may have arrived, whatever later attempts come to.
            result.map_err(|error| error.perhaps_arrived(handover.may_be_repeated()))
        }
    })
    .await
}

/// How much of a delivery's time one attempt may take.
pub(super) fn share(timeout: Duration) -> Duration {
    timeout / 3
}
