//! The report as one self-contained HTML page, readable from a bucket, on a phone, at night, without a network.
//!
//! Views (`html/*.rs`) hold text and coordinates; the templates (`html/*.html`) hold all markup, and askama escapes whatever they
//! show. No template uses `|safe`, and nothing here builds markup in a string: that is why no name can break out.

pub mod backtest;
mod feature;
mod header;
pub mod index;
mod picture;
mod quality;
mod relations;
mod scale;
mod trend;

use askama::Template;

use super::{Report, story};
use crate::decision::{DatasetVerdict, Verdict};
use feature::{ChangedView, FeatureView};
use header::HeaderView;
use picture::Picture;
use quality::{ProvenanceView, QualityView, SignalView};
use relations::RelationsView;
use trend::TrendView;

/// More stable features than this are drawn in a section that opens on demand.
const MOST_STABLE_IN_THE_OPEN: usize = 60;

/// Everything that the page shows.
#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    header: HeaderView,
    changed: Vec<ChangedView>,
    /// What there is to say where `changed` is empty.
    nothing_changed: String,
    /// Drifted features that move together, one sentence a group.
    causes: Vec<String>,
    /// Broken, drifted, warning: drawn large.
    large: Vec<FeatureView>,
    /// Inconclusive and stable: small multiples.
    small: Vec<FeatureView>,
    small_folded: bool,
    /// Class and confidence.
    predictions: Vec<FeatureView>,
    relations: Option<RelationsView>,
    trend: Option<TrendView>,
    quality: QualityView,
    signals: Vec<SignalView>,
    provenance: ProvenanceView,
}

/// The page. Deterministic: the same report gives the same bytes.
pub fn render(report: &Report) -> String {
    let views = report.features.iter().enumerate().map(|(index, feature)| FeatureView::new(report, feature, index));
    let (large, small): (Vec<FeatureView>, Vec<FeatureView>) = views.partition(|view| view.verdict_order <= Verdict::Warning);
    let predictions = report.predictions.iter().zip(report.features.len()..);
    let predictions = predictions.map(|(prediction, index)| FeatureView::new(report, prediction, index));
    let page = Page {
        header: HeaderView::new(report),
        changed: ChangedView::all(report),
        nothing_changed: nothing_changed(report),
        causes: report.causes.iter().map(|cause| story::cause_sentence(cause) + ".").collect(),
        predictions: predictions.collect(),
        relations: RelationsView::new(report),
        small_folded: small.len() > MOST_STABLE_IN_THE_OPEN,
        large,
        small,
        trend: TrendView::new(report),
        quality: QualityView::new(report),
        signals: report.signals.iter().map(SignalView::new).collect(),
        provenance: ProvenanceView::new(report),
    };
    // Rendering into memory cannot fail; should it ever, the reader still gets the one sentence that matters, as plain text.
    page.render().unwrap_or_else(|error| {
        let conclusion: String = story::visible(&report.decision.conclusion).replace(['<', '>', '&'], " ");
        format!("<!doctype html><title>drift-check</title><p>{conclusion}</p><p>The page could not be rendered: {error}</p>\n")
    })
}

fn nothing_changed(report: &Report) -> String {
    let inconclusive = report.features.iter().filter(|feature| feature.verdict == Verdict::Inconclusive).count();
    if report.decision.verdict == DatasetVerdict::NoData {
        return "Nothing was compared: the window holds no row.".to_owned();
    }
    match (report.features.len(), inconclusive) {
        (0, _) => "The report holds no feature.".to_owned(),
        (all, none) if none == all => "Nothing can be said: every feature is inconclusive.".to_owned(),
        (_, 0) if report.joint.as_ref().is_some_and(|joint| joint.pairs_changed > 0) => {
            "No feature changed on its own, but how features move together did: see the relations below.".to_owned()
        }
        (_, 0) => "No feature changed: every one is stable.".to_owned(),
        (_, some) => format!("No feature is known to have changed; {some} of them are inconclusive."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{feature, report};

    #[test]
    fn where_nothing_changed_the_page_says_what_is_known() {
        let mut report = report();
        let inconclusive = |name| feature(name, Verdict::Inconclusive);
        assert_eq!(nothing_changed(&report), "The report holds no feature.");
        report.features = vec![inconclusive("a"), inconclusive("b")];
        assert_eq!(nothing_changed(&report), "Nothing can be said: every feature is inconclusive.");
        report.features.push(feature("c", Verdict::Stable));
        assert_eq!(nothing_changed(&report), "No feature is known to have changed; 2 of them are inconclusive.");
        report.features.drain(..2);
        assert_eq!(nothing_changed(&report), "No feature changed: every one is stable.");
        let joint = |pairs_changed| Some(crate::report::JointSection { pairs_tested: 3, pairs_changed, changed: Vec::new() });
        report.joint = joint(0);
        assert_eq!(nothing_changed(&report), "No feature changed: every one is stable.");
        report.joint = joint(1);
        assert!(nothing_changed(&report).starts_with("No feature changed on its own, but how features move together did"));
        report.decision.verdict = DatasetVerdict::NoData;
        assert_eq!(nothing_changed(&report), "Nothing was compared: the window holds no row.");
    }

    #[test]
    fn more_than_sixty_stable_features_open_on_demand() {
        let page = |stable: usize| {
            let features = (0..stable).map(|index| feature(&format!("f{index}"), Verdict::Stable)).collect();
            render(&Report { features, ..report() })
        };
        assert!(!page(60).contains("<summary>60 stable or inconclusive features</summary>"));
        assert!(page(61).contains("<summary>61 stable or inconclusive features</summary>"));
    }
}
