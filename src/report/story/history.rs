//! Since when: how many windows in a row a verdict has held, walking back from the newest past run.

use chrono::{DateTime, Utc};

use super::{dataset_words, moment};
use crate::decision::Verdict;
use crate::feature::FeatureName;
use crate::report::{FeatureReport, PastRun, Report};

/// How long a verdict has held without a break, up to and including this window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    /// Where the first of these windows ends. What it found may have begun in any hour of it.
    pub at: Option<DateTime<Utc>>,
    /// How many windows, this one included.
    pub windows: usize,
    /// Whether it goes back to the oldest past run that is known, so that it may have begun earlier.
    pub whole_history: bool,
}

impl Since {
    /// `new in this window`, or `since the window to 2026-01-30 18:00 UTC (3 windows)`.
    pub fn sentence(&self) -> String {
        let (lead, rest) = self.parts();
        rest.map_or_else(|| lead.clone(), |(moment, windows)| format!("{lead} to {moment} {windows}"))
    }

    /// The beginning of [`Self::sentence`], and the moment that it leads `to` and the number of windows, where it names a moment.
    pub fn parts(&self) -> (String, Option<(String, String)>) {
        if self.windows <= 1 {
            return ("new in this window".to_owned(), None);
        }
        let at_least = if self.whole_history { "at least " } else { "" };
        match self.at {
            Some(at) => {
                let rest = (format!("{} UTC", moment(at)), format!("({} windows)", self.windows));
                (format!("since {at_least}the window"), Some(rest))
            }
            None => (format!("for {at_least}{} windows", self.windows), None),
        }
    }
}

/// Since when a feature has been as bad as it is: drifted or broken, or, for a warning, at least that. `None` for a feature that has
/// nothing to say, or when no past run knows it.
pub fn feature_since(report: &Report, feature: &FeatureReport) -> Option<Since> {
    let counts: fn(Verdict) -> bool = match feature.verdict {
        Verdict::Broken | Verdict::Drift => |past| past <= Verdict::Drift,
        Verdict::Warning => |past| past <= Verdict::Warning,
        Verdict::Inconclusive | Verdict::Stable => return None,
    };
    report.run.history.iter().find(|past| past.features.contains_key(&feature.name))?;
    since(report, |past| verdict_in(past, &feature.name).is_some_and(counts))
}

/// Since when the data set has had its verdict, and what it was before: `Drift since the window to 2026-01-31 12:00 UTC (2 windows);
/// stable in the window to 2026-01-31 06:00 UTC`. `None` without a past run.
pub fn dataset_since(report: &Report) -> Option<String> {
    let since = since(report, |past| past.verdict == report.decision.verdict)?;
    let word = dataset_words(report.decision.verdict).word;
    let now = if since.windows == 1 { format!("{word} is {}", since.sentence()) } else { format!("{word} {}", since.sentence()) };
    let before = report.run.history.iter().rev().find(|past| past.verdict != report.decision.verdict);
    let before = before.map(|past| {
        let word = dataset_words(past.verdict).word.to_lowercase();
        format!("; {word} in the window to {} UTC", moment(past.window_end))
    });
    Some(now + &before.unwrap_or_default())
}

fn verdict_in(past: &PastRun, name: &FeatureName) -> Option<Verdict> {
    past.features.get(name).map(|feature| feature.verdict)
}

fn since(report: &Report, holds: impl Fn(&PastRun) -> bool) -> Option<Since> {
    let history = &report.run.history;
    if history.is_empty() {
        return None;
    }
    let stretch: Vec<&PastRun> = history.iter().rev().take_while(|past| holds(past)).collect();
    let at = match stretch.last() {
        Some(first) => Some(first.window_end),
        None => report.window.end,
    };
    Some(Since { at, windows: stretch.len() + 1, whole_history: stretch.len() == history.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::DatasetVerdict;
    use crate::report::tests::{feature, past as a_past, report};

    #[test]
    fn since_reads_as_one_phrase() {
        let at = DateTime::from_timestamp(1_769_796_000, 0);
        let sentence = |at, windows, whole_history| Since { at, windows, whole_history }.sentence();
        assert_eq!(sentence(at, 1, false), "new in this window");
        assert_eq!(sentence(at, 3, false), "since the window to 2026-01-30 18:00 UTC (3 windows)");
        assert_eq!(sentence(at, 7, true), "since at least the window to 2026-01-30 18:00 UTC (7 windows)");
        assert_eq!(sentence(None, 2, false), "for 2 windows");
    }

    use Verdict::{Broken, Drift, Inconclusive, Stable, Warning};

    const DRIFT: DatasetVerdict = DatasetVerdict::Drift;
    const STABLE: DatasetVerdict = DatasetVerdict::Stable;

    /// A report after these windows, the oldest first.
    fn after(verdict: DatasetVerdict, past: &[DatasetVerdict]) -> Report {
        let mut report = report();
        report.decision.verdict = verdict;
        report.run.history = past.iter().rev().zip(1..).map(|(verdict, back)| a_past(back, *verdict, &[])).collect();
        report.run.history.reverse();
        report
    }

    #[test]
    fn a_data_set_has_its_verdict_since_the_last_other_one() {
        let told = |verdict, past: &[DatasetVerdict]| dataset_since(&after(verdict, past)).unwrap();
        assert_eq!(dataset_since(&after(DRIFT, &[])), None);
        assert_eq!(told(DRIFT, &[DRIFT, STABLE]), "Drift is new in this window; stable in the window to 2026-01-31 12:00 UTC");
        assert_eq!(
            told(DRIFT, &[STABLE, DRIFT, DRIFT]),
            "Drift since the window to 2026-01-31 06:00 UTC (3 windows); stable in the window to 2026-01-31 00:00 UTC"
        );
        assert_eq!(told(STABLE, &[STABLE]), "Stable since at least the window to 2026-01-31 12:00 UTC (2 windows)");
    }

    #[test]
    fn a_feature_is_as_bad_as_it_is_since_a_window_in_which_it_was_better() {
        let since = |now, past: &[Verdict]| {
            let mut report = report();
            report.run.history = past.iter().rev().zip(1..).map(|(past, back)| a_past(back, STABLE, &[("f", *past)])).collect();
            report.run.history.reverse();
            feature_since(&report, &feature("f", now)).map(|since| (since.windows, since.whole_history))
        };
        // What is broken or drifts counts alike, and a warning counts what is worse.
        assert_eq!(since(Drift, &[Stable, Broken, Drift]), Some((3, false)));
        assert_eq!(since(Broken, &[Warning, Drift]), Some((2, false)));
        assert_eq!(since(Warning, &[Inconclusive, Warning, Drift]), Some((3, false)));
        assert_eq!(since(Drift, &[Drift, Drift]), Some((3, true)));
        assert_eq!(since(Drift, &[Drift, Stable]), Some((1, false)));
        assert_eq!([since(Stable, &[Stable]), since(Inconclusive, &[Inconclusive]), since(Drift, &[])], [None, None, None]);
    }

    #[test]
    fn a_feature_that_no_window_knows_has_no_past() {
        let mut report = after(DRIFT, &[DRIFT, DRIFT]);
        assert_eq!(feature_since(&report, &feature("f", Verdict::Drift)), None);
        report.run.history[0].features = a_past(2, DRIFT, &[("f", Verdict::Drift)]).features;
        // The newest window does not know it, so the row ends there.
        let since = feature_since(&report, &feature("f", Verdict::Drift)).unwrap();
        assert_eq!((since.windows, since.at, since.whole_history), (1, report.window.end, false));
    }
}
