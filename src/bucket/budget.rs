//! How many bytes of downloads may be in memory at a time, over all objects of a service. Knows nothing of what they hold.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is reserved is counted in these, in bytes: a terabyte of them is within 32 bits.
const UNIT_BYTES: u64 = 1 << 10;

/// Bytes to be shared.
#[derive(Clone, Debug)]
pub struct Budget {
    units: u32,
    free: Arc<Semaphore>,
}

/// Bytes of the budget, until this is dropped.
#[derive(Debug)]
pub struct Reserved {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    /// A budget of so many bytes, down to whole kibibytes and at most 4 TiB.
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT_BYTES).unwrap_or(u32::MAX);
        // Where a machine can count less, it has less memory.
        let permits = usize::try_from(units).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { units, free: Arc::new(Semaphore::new(permits)) }
    }

    /// All of it, in bytes.
    pub fn bytes(&self) -> u64 {
        u64::from(self.units) * UNIT_BYTES
    }

    /// Waits until so many bytes are free, and takes them; who asked first is served first. `None` when there are never so many.
    ///
    /// Whoever waits must hold nothing of the same budget: two could wait for each other.
    pub async fn reserve(&self, bytes: u64) -> Option<Reserved> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok().filter(|units| *units <= self.units)?;
        // It is never closed.
        let permit = Arc::clone(&self.free).acquire_many_owned(units).await.ok()?;
        Some(Reserved { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_is_reserved_is_waited_for_and_what_is_dropped_is_free_again() {
        let budget = Budget::new(10 * UNIT_BYTES + 1);
        assert_eq!(budget.bytes(), 10 * UNIT_BYTES);
        let six = budget.reserve(6 * UNIT_BYTES).await.unwrap();
        let _four = budget.reserve(3 * UNIT_BYTES + 1).await.unwrap();
        let five = budget.reserve(5 * UNIT_BYTES);
        tokio::pin!(five);
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut five).await.is_err());
        drop(six);
        assert!(five.await.is_some());
    }

    #[tokio::test]
    async fn more_than_all_of_it_is_refused_and_not_waited_for() {
        let budget = Budget::new(10 * UNIT_BYTES);
        assert!(budget.reserve(10 * UNIT_BYTES + 1).await.is_none());
        assert!(budget.reserve(u64::MAX).await.is_none());
        assert!(budget.reserve(10 * UNIT_BYTES).await.is_some());
    }
}
