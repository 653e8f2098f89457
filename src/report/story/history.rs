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

    #[test]
    fn since_reads_as_one_phrase() {
        let at = DateTime::from_timestamp(1_769_796_000, 0);
        let sentence = |at, windows, whole_history| Since { at, windows, whole_history }.sentence();
        assert_eq!(sentence(at, 1, false), "new in this window");
        assert_eq!(sentence(at, 3, false), "since the window to 2026-01-30 18:00 UTC (3 windows)");
        assert_eq!(sentence(at, 7, true), "since at least the window to 2026-01-30 18:00 UTC (7 windows)");
        assert_eq!(sentence(None, 2, false), "for 2 windows");
    }
}
