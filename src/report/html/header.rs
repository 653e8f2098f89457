//! The top of the page: the verdict, the share against its threshold, and the facts that place it.

use crate::decision::DatasetVerdict;
use crate::report::html::scale::short;
use crate::report::story::{self, Words, fraction};
use crate::report::{Report, format_count, format_percent};

/// The top of the page.
pub struct HeaderView {
    pub title: String,
    pub job: String,
    pub environment: String,
    pub verdict: Words,
    pub conclusion: String,
    /// Since when the data set has had this verdict, and what it was before.
    pub since: Option<String>,
    pub meter: Meter,
    pub facts: Vec<Fact>,
}

/// The share as a bar; all positions in percent.
pub struct Meter {
    pub share: String,
    pub affected: String,
    pub possible: Option<Possible>,
    pub threshold: String,
    pub threshold_at: String,
    pub filled: String,
    pub label: String,
}

/// What the inconclusive features could add.
pub struct Possible {
    pub width: String,
    pub words: String,
}

/// A labelled number.
pub struct Fact {
    pub label: &'static str,
    pub value: String,
    pub note: String,
}

impl HeaderView {
    pub fn new(report: &Report) -> Self {
        let verdict = story::dataset_words(report.decision.verdict);
        let (job, environment) = (story::visible(&report.run.job), story::visible(&report.run.environment));
        Self {
            title: format!("{}: {job} ({environment}), {}", verdict.word, story::window(&report.window)),
            job,
            environment,
            verdict,
            conclusion: story::visible(&report.decision.conclusion),
            since: story::dataset_since(report),
            meter: Meter::new(report),
            facts: facts(report),
        }
    }
}

impl Meter {
    fn new(report: &Report) -> Self {
        let decision = &report.decision;
        let (configured, inconclusive) = (u64::from(decision.configured), u64::from(decision.inconclusive));
        let share = if decision.share.is_finite() { decision.share.clamp(0.0, 1.0) } else { 0.0 };
        let could = fraction(inconclusive, configured).min(1.0 - share);
        let affected = decision.drifted.saturating_add(decision.broken);
        let threshold = format_percent(decision.threshold);
        if decision.verdict == DatasetVerdict::NoData {
            return Self::unknown(decision.threshold);
        }
        Self {
            share: format_percent(share),
            affected: format!("{affected} of {configured} features drifted or broken"),
            possible: (inconclusive > 0).then(|| Possible {
                width: short(could * 100.0),
                words: format!("{inconclusive} inconclusive, which could carry it to {}", format_percent(share + could)),
            }),
            threshold_at: short(decision.threshold.clamp(0.0, 1.0) * 100.0),
            filled: short(share * 100.0),
            label: format!("{} of the features drifted or broken; above {threshold} the verdict is drift", format_percent(share)),
            threshold,
        }
    }

    /// Nothing was compared: a share of 0 would read as if all were well.
    fn unknown(threshold: f64) -> Self {
        let threshold_at = short(threshold.clamp(0.0, 1.0) * 100.0);
        Self {
            share: "Not known".to_owned(),
            affected: "no feature could be compared".to_owned(),
            possible: None,
            threshold_at,
            filled: "0".to_owned(),
            label: "The share of drifted and broken features is not known".to_owned(),
            threshold: format_percent(threshold),
        }
    }
}

fn facts(report: &Report) -> Vec<Fact> {
    let (current, reference) = (&report.current, &report.reference);
    let window = &report.window;
    let (value, note) = match (window.start, window.end) {
        (Some(start), Some(end)) => {
            (format!("{} UTC", story::moment(end)), format!("{}, from {} UTC", length(report), story::moment(start)))
        }
        _ => (story::window(window), String::new()),
    };
    vec![
        Fact { label: "Window ends", value, note },
        Fact {
            label: "Rows in the window",
            value: format_count(current.rows),
            note: format!("{} effective", story::effective(current.effective_rows)),
        },
        Fact {
            label: "Reference rows",
            value: format_count(reference.rows),
            note: format!("{} effective", story::effective(reference.effective_rows)),
        },
        Fact { label: "Rule", value: rule(report), note: report.decision.rule.to_string() },
    ]
}

fn length(report: &Report) -> String {
    story::length(report.window.length_s).map(|length| length.to_string()).unwrap_or_default()
}

fn rule(report: &Report) -> String {
    use crate::decision::Rule;
    let (psi, alpha) = (report.decision.psi_drift, report.decision.alpha);
    match report.decision.rule {
        Rule::SignificantAndMaterial => format!("q < {alpha} and PSI adj. ≥ {psi}"),
        Rule::Ks => format!("p < {alpha}, uncorrected"),
        Rule::Psi => format!("PSI ≥ {psi}, uncorrected"),
        Rule::Either => format!("p < {alpha} or PSI ≥ {psi}, uncorrected"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::decision::Rule;
    use crate::report::tests::report;

    #[test]
    fn a_meter_shows_the_share_what_could_be_added_and_the_threshold() {
        let mut report = report();
        let decision = &mut report.decision;
        (decision.drifted, decision.broken, decision.inconclusive, decision.configured) = (1, 2, 3, 8);
        (decision.share, decision.threshold) = (0.375, 0.6);
        let meter = Meter::new(&report);
        let possible = meter.possible.unwrap();
        assert_eq!((meter.share.as_str(), meter.filled.as_str(), meter.threshold_at.as_str()), ("37.5 %", "37.5", "60"));
        assert_eq!(meter.affected, "3 of 8 features drifted or broken");
        assert_eq!((possible.width.as_str(), possible.words.as_str()), ("37.5", "3 inconclusive, which could carry it to 75 %"));
        report.decision.verdict = DatasetVerdict::NoData;
        let meter = Meter::new(&report);
        assert_eq!((meter.share.as_str(), meter.filled.as_str(), meter.threshold_at.as_str()), ("Not known", "0", "60"));
        assert_eq!((meter.threshold.as_str(), meter.affected.as_str()), ("60 %", "no feature could be compared"));
    }

    #[test]
    fn each_rule_is_told_with_its_thresholds() {
        let mut report = report();
        let told = [Rule::SignificantAndMaterial, Rule::Ks, Rule::Psi, Rule::Either].map(|of| {
            report.decision.rule = of;
            rule(&report)
        });
        assert_eq!(
            told,
            [
                "q < 0.05 and PSI adj. ≥ 0.1",
                "p < 0.05, uncorrected",
                "PSI ≥ 0.1, uncorrected",
                "p < 0.05 or PSI ≥ 0.1, uncorrected"
            ]
        );
    }

    #[test]
    fn the_facts_place_the_window_as_far_as_it_is_known() {
        let mut report = report();
        let told = |report: &Report| {
            facts(report).into_iter().map(|fact| format!("{}: {} ({})", fact.label, fact.value, fact.note)).collect::<Vec<_>>()
        };
        let all = told(&report);
        assert_eq!(all[0], "Window ends: 2026-01-31 18:00 UTC (24h, from 2026-01-30 18:00 UTC)");
        assert_eq!(all[1..3], ["Rows in the window: 200 (150 effective)", "Reference rows: 600 (400 effective)"]);
        report.window.start = None;
        assert_eq!(told(&report)[0], "Window ends: everything before 2026-01-31 18:00 UTC ()");
    }
}
