//! What is drawn where only quantiles are known: a box from the first to the third quartile, whiskers to 5 % and 95 %, the median.

use crate::report::html::scale::{Scale, Tick, WIDTH, short};
use crate::report::{FeatureReport, SummarySection};

/// Room on both sides of the scale, so that no whisker ends at the border.
const MARGIN: f64 = 30.0;

/// One or both sides, in a drawing area of 1000 × 100.
pub struct Quantiles {
    pub reference: Option<Whiskers>,
    pub current: Option<Whiskers>,
    pub ticks: Vec<Tick>,
}

/// Positions in drawing units.
pub struct Whiskers {
    pub p05: String,
    pub p25: String,
    pub p50: String,
    pub p95: String,
    /// From the first to the third quartile.
    pub box_width: String,
}

impl Quantiles {
    /// `None` where neither side has quantiles.
    pub fn new(feature: &FeatureReport) -> Option<Self> {
        let sides = [&feature.reference, &feature.current];
        let known = || sides.iter().filter_map(|side| side.quantiles.as_ref());
        known().next()?;
        let low = known().map(|quantiles| quantiles.p05).fold(f64::INFINITY, f64::min);
        let high = known().map(|quantiles| quantiles.p95).fold(f64::NEG_INFINITY, f64::max);
        let scale = Scale::new(low, high, MARGIN, WIDTH - MARGIN)?;
        let whiskers = |side: &SummarySection| {
            side.quantiles.as_ref().map(|quantiles| Whiskers {
                p05: short(scale.at(quantiles.p05)),
                p25: short(scale.at(quantiles.p25)),
                p50: short(scale.at(quantiles.p50)),
                p95: short(scale.at(quantiles.p95)),
                box_width: short((scale.at(quantiles.p75) - scale.at(quantiles.p25)).max(4.0)),
            })
        };
        Some(Self { reference: whiskers(&feature.reference), current: whiskers(&feature.current), ticks: scale.ticks() })
    }
}
