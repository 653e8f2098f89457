//! Where the time of a reading goes: getting bytes, decoding them, counting values. Summed over all threads, which work side by side.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::decode::{Ranges, Reservation};

/// What was spent so far, in nanoseconds; shared by all who work on a reading.
#[derive(Debug, Default)]
pub struct Work {
    getting: AtomicU64,
    /// With getting the bytes, which happens on the way.
    decoding: AtomicU64,
    counting: AtomicU64,
}

/// Seconds of work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    pub download_s: f64,
    pub decode_s: f64,
    pub count_s: f64,
}

fn add(sum: &AtomicU64, time: Duration) {
    sum.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Work {
    fn getting<T>(&self, get: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let got = get();
        add(&self.getting, start.elapsed());
        got
    }

    pub fn decoded(&self, time: Duration) {
        add(&self.decoding, time);
    }

    pub fn counted(&self, time: Duration) {
        add(&self.counting, time);
    }

    pub fn spent(&self) -> Spent {
        let [getting, decoding, counting] = [&self.getting, &self.decoding, &self.counting].map(|sum| sum.load(Ordering::Relaxed));
        let seconds = |time: u64| Duration::from_nanos(time).as_secs_f64();
        Spent { download_s: seconds(getting), decode_s: seconds(decoding.saturating_sub(getting)), count_s: seconds(counting) }
    }
}

/// Bytes, with the time that they take to get.
pub struct Timed<T> {
    pub inner: T,
    pub work: Arc<Work>,
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.work.getting(|| self.inner.read(buffer))
    }
}

impl<R: Ranges> Ranges for Timed<R> {
    fn length(&self) -> u64 {
        self.inner.length()
    }

    fn is_near(&self) -> bool {
        self.inner.is_near()
    }

    fn budget_bytes(&self) -> u64 {
        self.inner.budget_bytes()
    }

    fn reserve(&self, bytes: u64) -> io::Result<Reservation> {
        self.inner.reserve(bytes)
    }

    fn get_into(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.work.getting(|| self.inner.get_into(range, bytes))
    }
}
