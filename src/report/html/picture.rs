//! The picture of one feature: both distributions over each other. Coordinates only; the markup is in `picture.html`.

mod bars;
mod histogram;
mod quantiles;

use crate::report::{FeatureReport, format_value, story};
pub use bars::Bars;
pub use histogram::Histogram;
pub use quantiles::Quantiles;

/// What can be drawn of a feature, the best first.
pub enum Picture {
    /// Numeric: overlaid step histograms.
    Histogram(Histogram),
    /// Few values or categories: a pair of bars for each.
    Bars(Bars),
    /// Only quantiles are known, perhaps of one side.
    Quantiles(Quantiles),
    /// Nothing is known.
    Nothing,
}

impl Picture {
    pub fn new(feature: &FeatureReport) -> Self {
        let histogram = feature.histogram.as_ref().and_then(|section| Histogram::new(feature, section));
        let bars = || feature.psi.as_ref().and_then(|psi| Bars::new(&psi.cells)).map(Self::Bars);
        let quantiles = || Quantiles::new(feature).map(Self::Quantiles);
        histogram.map(Self::Histogram).or_else(bars).or_else(quantiles).unwrap_or(Self::Nothing)
    }
}

/// What a reader hears instead of seeing the picture.
pub fn description(feature: &FeatureReport) -> String {
    let side = |name: &str, summary: &crate::report::SummarySection| match &summary.quantiles {
        Some(q) => {
            let [low, middle, high] = [q.p05, q.p50, q.p95].map(format_value);
            format!("{name}: median {middle}, 5 % below {low}, 5 % above {high}.")
        }
        None => format!("{name}: no quantiles."),
    };
    let moved = story::tell(feature).sentence("→");
    let moved = if moved.is_empty() { String::new() } else { format!(" {moved}.") };
    format!("{} {}{moved}", side("Reference", &feature.reference), side("Current", &feature.current))
}
