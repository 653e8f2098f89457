//! How far signals in shadow are from being fit to notify, in words and numbers.

use serde::Serialize;

use super::table::{Medium, Table};
use crate::decision::readiness::{Readiness, TARGET};
use crate::decision::signal::{SignalMode, SignalName};
use crate::report::format_percent;

/// What past windows show of each signal.
#[derive(Clone, Debug, Serialize)]
pub struct ReadinessReport {
    pub schema_version: u32,
    pub job: String,
    pub environment: String,
    pub window_length_s: i64,
    /// The false-alarm rate that the upper bound must be below.
    pub target: f64,
    /// Of the upper bound, one-sided.
    pub confidence: f64,
    pub signals: Vec<SignalReadiness>,
}

/// One signal.
#[derive(Clone, Debug, Serialize)]
pub struct SignalReadiness {
    pub name: SignalName,
    pub mode: SignalMode,
    pub ready: bool,
    #[serde(flatten)]
    pub readiness: Readiness,
}

impl ReadinessReport {
    pub fn new(job: String, environment: String, window_length_s: i64, signals: Vec<SignalReadiness>) -> Self {
        let schema_version = super::HISTORY_VERSION;
        Self { schema_version, job, environment, window_length_s, target: TARGET, confidence: 0.95, signals }
    }

    pub fn render(&self, length: &str, medium: Medium) -> String {
        let title = format!("Readiness of signals in shadow, by windows of {length} that do not overlap");
        let mut table = Table::new(
            title,
            &[
                "signal",
                "ready",
                "independent windows",
                "false alarms",
                "rate",
                "upper bound",
                "more needed",
                "false alarms a month",
            ],
        );
        for SignalReadiness { name, ready, readiness, .. } in &self.signals {
            let estimate = readiness.per_month.estimate.map_or_else(|| "-".to_owned(), |estimate| format!("{estimate:.1}"));
            table.row([
                name.to_string(),
                if *ready { "yes" } else { "no" }.to_owned(),
                readiness.independent.to_string(),
                readiness.false_alarms.to_string(),
                readiness.rate.map_or_else(|| "-".to_owned(), format_percent),
                exact_percent(readiness.upper_bound),
                readiness.needed.map_or_else(|| "over a million".to_owned(), |needed| needed.to_string()),
                format!("{estimate}, at most {:.1}", readiness.per_month.upper_bound),
            ]);
        }
        let mut text = table.render(medium);
        text.push('\n');
        for signal in &self.signals {
            text.push_str(&left_out(signal));
        }
        text.push_str(&format!(
            "Ready: the upper bound (95 %, Clopper-Pearson) is below {}. A window in which a signal fired counts as a false alarm unless \
             somebody labelled it drift (`drift-check history --label drift --from … --to … --reason …`); windows labelled drift are left \
             out. Each independent window stands for those that overlap it. The bound holds for the rule, the reference and the logs of \
             these windows.\n",
            format_percent(TARGET)
        ));
        text
    }
}

/// What was left out of a signal's windows, one line; nothing where nothing was.
fn left_out(signal: &SignalReadiness) -> String {
    let left_out = signal.readiness.left_out;
    let parts = [
        (left_out.labelled_drift, "labelled drift"),
        (left_out.inconclusive, "inconclusive"),
        (left_out.other_threshold, "held against another threshold"),
    ];
    let parts: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
    if parts.is_empty() {
        return String::new();
    }
    format!("{}: of {} windows on record, left out: {}.\n", signal.name, signal.readiness.windows, parts.join(", "))
}

/// A rate with three digits after the point, rounded up: what is just above the target must not read as if it met it.
fn exact_percent(rate: f64) -> String {
    format!("{:.3} %", (rate * 100_000.0).ceil().min(100_000.0) / 1_000.0)
}

/// Why a signal cannot notify yet, in one sentence; `None` when it can.
pub fn refusal(name: SignalName, readiness: &Readiness) -> Option<String> {
    if readiness.is_ready() {
        return None;
    }
    let more = match readiness.needed {
        Some(needed) => format!("{needed} more independent windows without a false alarm are needed"),
        None => "more than a million further windows would be needed".to_owned(),
    };
    Some(format!(
        "{name} fired in {} of {} independent windows without drift, so its false-alarm rate may be as high as {} (95 %); it must be below {}: {more}",
        readiness.false_alarms,
        readiness.independent,
        exact_percent(readiness.upper_bound),
        format_percent(TARGET),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_just_above_the_target_does_not_read_as_below_it() {
        assert_eq!([0.019_904_8, 0.020_000_1, 1.0].map(exact_percent), ["1.991 %", "2.001 %", "100.000 %"]);
    }

    #[test]
    fn a_refusal_says_what_is_needed_and_who_is_ready_has_none() {
        let readiness = Readiness {
            windows: 40,
            left_out: crate::decision::readiness::LeftOut::default(),
            independent: 31,
            false_alarms: 1,
            rate: Some(0.03),
            upper_bound: 0.144_5,
            needed: Some(204),
            per_month: crate::decision::readiness::PerMonth { windows: 30.4, estimate: None, upper_bound: 4.4 },
        };
        let said = |readiness: Readiness| refusal(SignalName::DataDrift, &readiness);
        let begin = "data-drift fired in 1 of 31 independent windows without drift, so its false-alarm rate may be as high as 14.450 % (95 %); it must be below 2 %";
        assert_eq!(said(readiness), Some(format!("{begin}: 204 more independent windows without a false alarm are needed")));
        assert_eq!(
            said(Readiness { needed: None, ..readiness }),
            Some(format!("{begin}: more than a million further windows would be needed"))
        );
        assert_eq!(said(Readiness { upper_bound: 0.019, ..readiness }), None);
    }
}
