//! This machine's clock against another: windows end when it says so.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Check, Patient};
use crate::bucket::Bucket;
use crate::error::ExitCode;

/// Clocks that are kept by NTP differ by milliseconds; the header has whole seconds.
const WARN: TimeDelta = TimeDelta::minutes(1);
/// Beyond, Google refuses what is signed.
const FAIL: TimeDelta = TimeDelta::minutes(5);

/// Against the `Date` of the storage service; `None` where there is none.
pub async fn of_service(patient: &Patient<'_>, bucket: &Bucket) -> Option<Check> {
    // One that cannot be reached is told of by the bucket's own checks.
    let theirs = bucket.clock().await.ok().flatten()?;
    // The answer was on its way for far less than what makes a difference.
    Some(compared((patient.invocation.clock)(), theirs, "the storage service"))
}

/// `whose` is the other clock.
pub fn compared(ours: DateTime<Utc>, theirs: DateTime<Utc>, whose: &str) -> Check {
    let name = "clock";
    let ahead = ours - theirs;
    let apart = ahead.abs();
    let direction = if ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
    let seen = format!("{} {direction} {whose}", in_words(apart));
    let remedy = "set this machine's clock (NTP): windows end when it says so, and credentials are refused when it is minutes off";
    if apart > FAIL {
        Check::fail(name, ExitCode::Config, seen, remedy)
    } else if apart > WARN {
        Check::warn(name, seen, remedy)
    } else {
        Check::ok(name, format!("within {} s of {whose}", apart.num_seconds() + 1))
    }
}

/// Of minutes and more, two units.
pub fn in_words(length: TimeDelta) -> String {
    let (days, hours, minutes, seconds) = (length.num_days(), length.num_hours(), length.num_minutes(), length.num_seconds());
    match (days, hours, minutes) {
        (2.., ..) => format!("{days} days"),
        (_, 1.., _) => format!("{hours} h {} min", minutes % 60),
        (.., 1..) => format!("{minutes} min {} s", seconds % 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_minute_is_a_warning_and_five_are_a_failure() {
        let now = DateTime::from_timestamp(1_769_882_400, 0).unwrap();
        let status = |seconds| compared(now + TimeDelta::seconds(seconds), now, "x").status;
        assert_eq!([0, 60, -60].map(status), [Status::Ok; 3]);
        assert_eq!([61, -61, 300, -300].map(status), [Status::Warn; 4]);
        assert_eq!([301, -301, 86_400].map(status), [Status::Fail; 3]);
        assert_eq!(compared(now, now + TimeDelta::days(1), "x").seen, "24 h 0 min behind x");
        assert_eq!(compared(now + TimeDelta::seconds(90), now, "x").seen, "1 min 30 s ahead of x");
        assert_eq!(compared(now + TimeDelta::days(9), now, "x").seen, "9 days ahead of x");
    }
}
