//! How features move together: before and now, one line a pair.

use crate::report::html::scale::{Scale, short};
use crate::report::story;
use crate::report::{JointSection, Report, format_count, format_p_value};

/// More lines than this do not fit a glance; the largest changes come first.
const MOST_PAIRS: usize = 12;

/// The section.
pub struct RelationsView {
    /// How many pairs changed.
    pub changed: String,
    pub summary: String,
    pub pairs: Vec<PairView>,
    pub rest: String,
}

/// One pair; positions in percent of the axis from −1 to 1.
pub struct PairView {
    pub a: String,
    pub b: String,
    pub reference: String,
    pub current: String,
    pub q_value: String,
    pub reference_at: String,
    pub current_at: String,
    pub line_left: String,
    pub line_width: String,
}

impl RelationsView {
    /// `None` where relations were not compared.
    pub fn new(report: &Report) -> Option<Self> {
        let joint = report.joint.as_ref()?;
        let pairs: Vec<PairView> = pairs(joint);
        let hidden = joint.pairs_changed.saturating_sub(pairs.len() as u64);
        let rest = if hidden > 0 { format!("{} more are in report.json.", format_count(hidden)) } else { String::new() };
        Some(Self { changed: format_count(joint.pairs_changed), summary: summary(joint), pairs, rest })
    }
}

fn summary(joint: &JointSection) -> String {
    let tested = format_count(joint.pairs_tested);
    match (joint.pairs_tested, joint.pairs_changed) {
        (0, _) => "No pair of features could be compared: a pair needs two features that are stable on their own, and enough rows."
            .to_owned(),
        (_, 0) => format!("No correlation changed among the {tested} pairs of features that are stable on their own."),
        (_, changed) => format!(
            "Correlation of ranks (normal scores) of {} of {tested} pairs of features that are each stable on their own. They do not count in the \
             share of drifted features.",
            format_count(changed)
        ),
    }
}

fn pairs(joint: &JointSection) -> Vec<PairView> {
    let Some(scale) = Scale::new(-1.0, 1.0, 0.0, 100.0) else { return Vec::new() };
    let view = |pair: &crate::report::PairSection| {
        let (before, now) = (scale.at(pair.reference), scale.at(pair.current));
        PairView {
            a: story::visible(pair.a.as_str()),
            b: story::visible(pair.b.as_str()),
            reference: signed(pair.reference),
            current: signed(pair.current),
            q_value: format_p_value(pair.q_value),
            reference_at: short(before),
            current_at: short(now),
            line_left: short(before.min(now)),
            line_width: short((before - now).abs()),
        }
    };
    joint.changed.iter().take(MOST_PAIRS).map(view).collect()
}

fn signed(correlation: f64) -> String {
    // A true minus: as wide as a digit.
    format!("{correlation:.2}").replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_pairs_changed_is_said_whatever_was_tested() {
        let of = |pairs_tested, pairs_changed| {
            let mut report = crate::report::tests::report();
            report.joint = Some(JointSection { pairs_tested, pairs_changed, changed: Vec::new() });
            let view = RelationsView::new(&report).unwrap();
            (view.summary.split(':').next().unwrap_or_default().to_owned(), view.rest)
        };
        assert_eq!(of(0, 0).0, "No pair of features could be compared");
        assert_eq!(of(1_035, 0).0, "No correlation changed among the 1,035 pairs of features that are stable on their own.");
        assert_eq!(of(1_035, 0).1, "");
        assert_eq!(of(1_035, 1_000).1, "1,000 more are in report.json.");
        assert!(RelationsView::new(&crate::report::tests::report()).is_none());
    }
}
