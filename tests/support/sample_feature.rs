//! One feature of a sample report, from two known distributions.

use drift_check::decision::Verdict;
use drift_check::feature::{FeatureKind, FeatureName};
use drift_check::report::{
    ChiSquaredSection, FeatureReport, HistogramSection, KsSection, MinimumDetectableSection, MissingSection, PsiCellSection,
    PsiSection, QuantilesSection, ShiftSection, SidesSection, SummarySection, WassersteinSection,
};
use statrs::distribution::{ContinuousCDF, Normal};

const ROWS_REFERENCE: u64 = 613;
const ROWS_CURRENT: u64 = 219;

/// A normal distribution, of the value or of its logarithm.
#[derive(Clone, Copy)]
pub struct Shape {
    mean: f64,
    std: f64,
    log: bool,
}

impl Shape {
    pub fn normal(mean: f64, std: f64) -> Self {
        Self { mean, std, log: false }
    }

    pub fn log(mean: f64, std: f64) -> Self {
        Self { mean, std, log: true }
    }

    pub fn moved(self, by: f64) -> Self {
        Self { mean: self.mean + by, ..self }
    }

    /// The same feature with too few rows to tell.
    pub fn few(mut feature: FeatureReport) -> FeatureReport {
        feature.verdict = Verdict::Inconclusive;
        feature.n_current = 9;
        feature.effective_current = 4.0;
        feature.reason = "4 effective rows of the 10 that it takes: about 14 more rows".to_owned();
        feature
    }

    fn distribution(self) -> Normal {
        Normal::new(self.mean, self.std).unwrap()
    }

    fn cdf(self, value: f64) -> f64 {
        match (self.log, value > 0.0) {
            (true, true) => self.distribution().cdf(value.ln()),
            (true, false) => 0.0,
            (false, _) => self.distribution().cdf(value),
        }
    }

    fn quantile(self, p: f64) -> f64 {
        let value = self.distribution().inverse_cdf(p);
        if self.log { value.exp() } else { value }
    }

    fn summary(self, missing_fraction: f64) -> SummarySection {
        let (mean, std) = if self.log {
            let mean = (self.mean + self.std * self.std / 2.0).exp();
            (mean, mean * ((self.std * self.std).exp() - 1.0).sqrt())
        } else {
            (self.mean, self.std)
        };
        let [p01, p05, p25, p50, p75, p95, p99] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99].map(|p| self.quantile(p));
        SummarySection {
            mean: Some(mean),
            std: Some(std),
            min: Some(self.quantile(0.001)),
            max: Some(self.quantile(0.999)),
            quantiles: Some(QuantilesSection { p01, p05, p25, p50, p75, p95, p99 }),
            missing_fraction,
            non_finite_fraction: 0.0,
        }
    }
}

/// A numeric feature with a histogram.
pub fn numeric(name: &str, reference: Shape, current: Shape) -> FeatureReport {
    let mut feature = bare(name, Verdict::Stable);
    feature.reference = reference.summary(0.004);
    feature.current = current.summary(0.012);
    feature.missing = Some(MissingSection { reference_fraction: 0.004, current_fraction: 0.012, p_value: 0.21 });
    feature.histogram = Some(histogram(reference, current));
    let edges: Vec<f64> = (1..10).map(|decile| reference.quantile(f64::from(decile) / 10.0)).collect();
    let mut cells = Vec::new();
    for decile in 0..10 {
        let lower = (decile > 0).then(|| edges[decile - 1]);
        let upper = edges.get(decile).copied();
        let mass = |shape: Shape| upper.map_or(1.0, |x| shape.cdf(x)) - lower.map_or(0.0, |x| shape.cdf(x));
        let label = match (lower, upper) {
            (None, Some(upper)) => format!("≤ {upper:.4}"),
            (Some(lower), None) => format!("> {lower:.4}"),
            (lower, upper) => format!("{:.4} to {:.4}", lower.unwrap_or_default(), upper.unwrap_or_default()),
        };
        cells.push(cell(&label, lower, upper, mass(reference) * 611.0, mass(current) * 216.0));
    }
    cells.push(cell("MISSING", None, None, 2.0, 3.0));
    let distance = (1..400).map(|i| reference.quantile(f64::from(i) / 400.0));
    let distance = distance.map(|x| (reference.cdf(x) - current.cdf(x)).abs()).fold(0.0, f64::max);
    feature.ks = Some(KsSection {
        statistic: distance,
        p_value: tail(distance, 160.0),
        p_effective: tail(distance, 108.0),
        error_bound: 0.0,
    });
    let moved =
        (1..100).map(|i| f64::from(i) / 100.0).map(|p| (current.quantile(p) - reference.quantile(p)).abs()).sum::<f64>() / 99.0;
    let scaled = feature.reference.std.map(|std| moved / std);
    feature.wasserstein = Some(WassersteinSection { value: moved, scaled, error_bound: 0.0 });
    judge(feature, cells, tail(distance, 108.0))
}

/// A numeric feature of few distinct values, most of them 0: the PSI cells are its picture.
pub fn discrete(name: &str, reference: &[u64], current: &[u64]) -> FeatureReport {
    let mut feature = bare(name, Verdict::Stable);
    let cells = reference.iter().zip(current).enumerate().map(|(index, (reference, current))| PsiCellSection {
        label: format!("{}", index as f64 / 10.0),
        lower: Some(index as f64 / 10.0),
        upper: Some(index as f64 / 10.0),
        reference: *reference,
        current: *current,
        contribution: 0.0,
    });
    let cells = cells.collect();
    feature.reference = Shape::normal(0.11, 0.16).summary(0.0);
    feature.current = Shape::normal(0.38, 0.19).summary(0.0);
    for (side, median) in [(&mut feature.reference, 0.0), (&mut feature.current, 0.4)] {
        (side.min, side.max) = (Some(0.0), Some(0.6));
        side.quantiles = Some(QuantilesSection { p01: 0.0, p05: 0.0, p25: 0.0, p50: median, p75: 0.5, p95: 0.6, p99: 0.6 });
    }
    feature.ks = Some(KsSection { statistic: 0.524, p_value: 1e-38, p_effective: 4e-26, error_bound: 0.0 });
    judge(feature, cells, 4e-26)
}

/// A categorical feature; `unseen` rows of the window have a label that the reference does not have.
pub fn categorical(name: &str, labels: &[&str], reference: &[u64], current: &[u64], unseen: u64) -> FeatureReport {
    let mut feature = bare(name, Verdict::Stable);
    feature.kind = FeatureKind::Categorical;
    let mut cells: Vec<PsiCellSection> = labels
        .iter()
        .zip(reference.iter().zip(current))
        .map(|(label, (reference, current))| PsiCellSection {
            label: (*label).to_owned(),
            lower: None,
            upper: None,
            reference: *reference,
            current: *current,
            contribution: 0.0,
        })
        .collect();
    cells.push(cell("NEW", None, None, 0.0, unseen as f64));
    feature.chi_squared = Some(ChiSquaredSection { statistic: 61.3, degrees_of_freedom: 4, p_value: 1e-12, p_effective: 6e-9 });
    feature.total_variation = Some(0.217);
    judge(feature, cells, 6e-9)
}

/// A feature whose every value in the window is missing.
pub fn all_null(name: &str) -> FeatureReport {
    let mut feature = bare(name, Verdict::Broken);
    feature.reason = "every value in the window is missing".to_owned();
    feature.reference = Shape::normal(0.66, 0.17).summary(0.002);
    feature.current.missing_fraction = 1.0;
    feature.missing = Some(MissingSection { reference_fraction: 0.002, current_fraction: 1.0, p_value: 0.0 });
    feature.q_value = Some(0.0);
    feature
}

/// A feature of which nothing is known.
pub fn bare(name: &str, verdict: Verdict) -> FeatureReport {
    let nothing = SummarySection {
        mean: None,
        std: None,
        min: None,
        max: None,
        quantiles: None,
        missing_fraction: 0.0,
        non_finite_fraction: 0.0,
    };
    FeatureReport {
        name: FeatureName::new(name),
        kind: FeatureKind::Numeric,
        verdict,
        reason: "nothing could be compared".to_owned(),
        n_reference: ROWS_REFERENCE,
        n_current: ROWS_CURRENT,
        effective_reference: 402.7,
        effective_current: 148.3,
        design_effect: SidesSection { reference: 1.5, current: 2.9 },
        ks: None,
        chi_squared: None,
        missing: None,
        psi: None,
        wasserstein: None,
        jensen_shannon: None,
        total_variation: None,
        shift: None,
        minimum_detectable: None,
        p_value: None,
        q_value: None,
        reference: nothing.clone(),
        current: nothing,
        histogram: None,
    }
}

fn judge(mut feature: FeatureReport, mut cells: Vec<PsiCellSection>, p_value: f64) -> FeatureReport {
    let (total_reference, total_current) = cells.iter().fold((0, 0), |(r, c), cell| (r + cell.reference, c + cell.current));
    let half = cells.len() as f64 / 2.0;
    let share = |count: u64, total: u64| (count as f64 + 0.5) / (total as f64 + half);
    for cell in &mut cells {
        let (p, q) = (share(cell.reference, total_reference), share(cell.current, total_current));
        cell.contribution = (q - p) * (q / p).ln();
    }
    let value: f64 = cells.iter().map(|cell| cell.contribution).sum();
    feature.shift = feature
        .reference
        .mean
        .zip(feature.current.mean)
        .map(|(from, to)| ShiftSection { value: to - from, scaled: feature.reference.std.map(|std| (to - from) / std) });
    feature.minimum_detectable = Some(MinimumDetectableSection { psi: 0.17, shift: Some(0.42) });
    let adjusted = (value - (cells.len() as f64 - 1.0) * (1.0 / 402.7 + 1.0 / 148.3)).max(0.0);
    feature.psi = Some(PsiSection { value, adjusted, p_value, cells });
    feature.jensen_shannon = Some((value / 8.0).sqrt().min(1.0));
    feature.p_value = Some(p_value);
    feature.q_value = Some((p_value * 2.0).min(1.0));
    let significant = p_value * 2.0 < 0.05;
    let about = format!("q {:.1e}, PSI adjusted {adjusted:.3}", p_value * 2.0);
    (feature.verdict, feature.reason) = match adjusted {
        psi if significant && psi >= 0.10 => (Verdict::Drift, format!("significant and material: {about}")),
        psi if significant && psi >= 0.05 => (Verdict::Warning, format!("significant, not material: {about}")),
        _ => (Verdict::Stable, format!("no significant and material change: {about}")),
    };
    feature
}

fn cell(label: &str, lower: Option<f64>, upper: Option<f64>, reference: f64, current: f64) -> PsiCellSection {
    PsiCellSection {
        label: label.to_owned(),
        lower,
        upper,
        reference: reference.round() as u64,
        current: current.round() as u64,
        contribution: 0.0,
    }
}

fn histogram(reference: Shape, current: Shape) -> HistogramSection {
    let (low, high) = (reference.quantile(0.002), reference.quantile(0.998));
    let edges: Vec<f64> = (0..=32).map(|edge| low + (high - low) * f64::from(edge) / 32.0).collect();
    let bins = |shape: Shape| edges.windows(2).map(|pair| shape.cdf(pair[1]) - shape.cdf(pair[0])).collect();
    HistogramSection {
        reference: bins(reference),
        current: bins(current),
        below: SidesSection { reference: reference.cdf(low), current: current.cdf(low) },
        above: SidesSection { reference: 1.0 - reference.cdf(high), current: 1.0 - current.cdf(high) },
        edges,
    }
}

/// The first terms of the Kolmogorov tail; enough for a picture.
fn tail(distance: f64, effective: f64) -> f64 {
    let x = distance * effective.sqrt();
    let series: f64 = (1..=20).map(|k| f64::from(if k % 2 == 1 { 2 } else { -2 }) * (-2.0 * f64::from(k * k) * x * x).exp()).sum();
    if x < 0.3 { 1.0 } else { series.clamp(0.0, 1.0) }
}
