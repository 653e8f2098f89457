//! Where the time of a run goes.

use chrono::{DateTime, Utc};

use crate::ingest::work::Spent;
use crate::report::Timings;

/// A clock that says how long ago it was asked before.
pub struct Laps {
    clock: fn() -> DateTime<Utc>,
    last: DateTime<Utc>,
}

impl Laps {
    pub fn new(clock: fn() -> DateTime<Utc>) -> Self {
        Self { clock, last: clock() }
    }

    /// What comes of a part of the work that goes on beside others, and its seconds.
    pub async fn timed<T>(&self, part: impl Future<Output = T>) -> (T, f64) {
        let mut own = Self::new(self.clock);
        let done = part.await;
        (done, own.lap())
    }

    /// Seconds since the last time.
    pub fn lap(&mut self) -> f64 {
        let now = (self.clock)();
        let lap = (now - self.last).to_std().unwrap_or_default();
        self.last = now;
        lap.as_secs_f64()
    }
}

/// Adds what the reading of the window says of itself.
pub fn with_reading(timings: Timings, reading_s: f64, spent: Spent) -> Timings {
    let Spent { download_s, decode_s, count_s } = spent;
    Timings { reading_s, download_s, decode_s, count_s, ..timings }
}

/// As `--timings` shows them.
pub fn table(timings: &Timings) -> String {
    let Timings { reference_s, listing_s, reading_s, download_s, decode_s, count_s, statistics_s, write_s } = *timings;
    let mut text = "\nSeconds\n".to_owned();
    let mut line = |name: &str, seconds: f64, note: &str| text.push_str(&format!("  {name:<12} {seconds:>9.3}  {note}\n"));
    line("reference", reference_s, "");
    line("listing", listing_s, "");
    line("reading", reading_s, "of which, summed over all threads:");
    line("  download", download_s, "");
    line("  decode", decode_s, "");
    line("  count", count_s, "");
    line("statistics", statistics_s, "");
    line("write", write_s.unwrap_or_default(), if write_s.is_none() { "nothing was written" } else { "" });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_line() {
        let timings = with_reading(
            Timings { listing_s: 0.25, ..Timings::default() },
            1.5,
            Spent { download_s: 0.5, decode_s: 2.0, count_s: 0.75 },
        );
        let text = table(&timings);
        assert_eq!(text.lines().count(), 10, "{text}");
        assert!(
            text.contains("listing          0.250")
                && text.contains("  decode         2.000")
                && text.contains("nothing was written"),
            "{text}"
        );
    }
}
