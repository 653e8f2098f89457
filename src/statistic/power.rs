//! What a comparison of this size can see: the smallest drift that a feature's test would find, and the rows that a given drift takes.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::psi::{Cell, CellLabel};
use super::{Sizes, tail};

/// A drift counts as detectable when its test finds it in this share of windows: the field's convention (Cohen 1988).
pub const POWER: f64 = 0.8;

/// Standard deviations; a larger shift leaves no cell in common.
const LARGEST_SHIFT: f64 = 12.0;

/// A cell that a shift empties keeps this share: a logarithm of 0 is no number.
const SMALLEST_SHARE: f64 = 1e-12;

/// No window has more independent rows.
const MOST_ROWS: f64 = 1e12;

/// Halvings of an interval: to within 2^-50 of its length.
const STEPS: u32 = 50;

/// The smallest drift that would be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detectable {
    pub psi: f64,
    /// As a shift of a numeric feature, in standard deviations of a normal distribution with the same ranks.
    pub shift: Option<f64>,
}

/// A feature's test, seen from the alternative.
///
/// Numeric features are tested by KS against a shift of all values: with the reference's cell edges at probabilities `P_j`, the shifted
/// ones are `Φ(Φ⁻¹(P_j) − δ)`, which fixes both the distances and `PSI(δ)`. The critical value is that of Kolmogorov's first term,
/// `√(ln(2/α)/2)` by `√(1/n + 1/m)`. Power is the probability that the largest of the distances, where it is expected, exceeds it (Massey
/// 1950, Ann. Math. Stat. 21:116, doi:10.1214/aoms/1177729943), a lower bound; a continuous feature may exceed it to the left or to the
/// right of there as well, which is the crossing of a line by a Brownian bridge.
///
/// Categorical features are tested by chi-squared, whose noncentrality under a PSI of ψ is `ψ / (1/n + 1/m)` to first order.
///
/// Held against drawn samples: what is called detectable was found in 80 to 87 % (`tests/power.rs`).
#[derive(Clone, Debug, PartialEq)]
pub enum Power {
    Shift {
        /// Normal quantiles of the inner edges, ascending; at least one.
        edges: Vec<f64>,
        /// No cell holds more than a fifth of the reference: values are not tied.
        is_continuous: bool,
    },
    Mix {
        degrees_of_freedom: u32,
    },
}

/// The largest cell of a feature without many ties.
const LARGEST_CONTINUOUS_CELL: f64 = 0.2;

impl Power {
    /// `None` where the reference has one cell only: then nothing but a new value can be seen.
    pub fn of(cells: &[Cell]) -> Option<Self> {
        let known: Vec<&Cell> = cells.iter().filter(|cell| cell.label.is_value() && cell.reference > 0).collect();
        if known.len() < 2 {
            return None;
        }
        let ordered = |cell: &&Cell| matches!(cell.label, CellLabel::Interval { .. } | CellLabel::Value(_));
        if !known.iter().all(ordered) {
            return Some(Self::Mix { degrees_of_freedom: u32::try_from(known.len() - 1).unwrap_or(u32::MAX) });
        }
        let total = known.iter().map(|cell| cell.reference).sum::<u64>() as f64;
        let mut below = 0;
        let mut edges = Vec::new();
        for cell in known.iter().take(known.len() - 1) {
            below += cell.reference;
            edges.push(Normal::standard().inverse_cdf(below as f64 / total));
        }
        let is_continuous = known.iter().all(|cell| cell.reference as f64 <= LARGEST_CONTINUOUS_CELL * total);
        Some(Self::Shift { edges, is_continuous })
    }

    /// The smallest drift that the test finds at this significance level; `None` where not even the largest would be found.
    pub fn smallest(&self, sizes: Sizes, level: f64) -> Option<Detectable> {
        match self {
            Self::Shift { edges, is_continuous } => {
                let found = |shift: f64| power_of_shift(edges, *is_continuous, shift, sizes, level) >= POWER;
                let shift = smallest(0.0, LARGEST_SHIFT, found)?;
                Some(Detectable { psi: psi_of_shift(edges, shift), shift: Some(shift) })
            }
            Self::Mix { degrees_of_freedom } => {
                let noise = sizes.inverse_sum();
                let psi = noncentrality(*degrees_of_freedom, level)? * noise;
                psi.is_finite().then_some(Detectable { psi, shift: None })
            }
        }
    }

    /// The effective rows that a window needs so that a drift of this PSI is found; `None` where the reference is too small for any.
    pub fn rows_needed(&self, reference: f64, level: f64, psi: f64) -> Option<f64> {
        match self {
            Self::Shift { edges, is_continuous } => {
                let shift = smallest(0.0, LARGEST_SHIFT, |shift| psi_of_shift(edges, shift) >= psi)?;
                let found =
                    |current: f64| power_of_shift(edges, *is_continuous, shift, Sizes { reference, current }, level) >= POWER;
                smallest(1.0_f64.ln(), MOST_ROWS.ln(), |ln_rows| found(ln_rows.exp())).map(f64::exp)
            }
            Self::Mix { degrees_of_freedom } => {
                let inverse = psi / noncentrality(*degrees_of_freedom, level)? - 1.0 / reference;
                (inverse > 0.0).then(|| 1.0 / inverse)
            }
        }
    }
}

/// The smallest value between both for which a rising condition holds, if it does for the largest.
fn smallest(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(high) {
        return None;
    }
    let (mut low, mut high) = (low, high);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

fn power_of_shift(edges: &[f64], is_continuous: bool, shift: f64, sizes: Sizes, level: f64) -> f64 {
    let normal = Normal::standard();
    let at = |edge: f64| (normal.cdf(edge), normal.cdf(edge - shift));
    let widest = if is_continuous {
        Some(at(shift / 2.0))
    } else {
        edges.iter().map(|edge| at(*edge)).max_by(|a, b| (a.0 - a.1).total_cmp(&(b.0 - b.1)))
    };
    let Some((before, after)) = widest else { return 0.0 };
    let scale = sizes.inverse_sum().sqrt();
    let critical = ((2.0 / level).ln() / 2.0).sqrt();
    let distance = (before - after) / scale;
    let deviation = (before * (1.0 - before) / sizes.reference + after * (1.0 - after) / sizes.current).sqrt() / scale;
    if !(deviation > 0.0 && deviation.is_finite()) {
        return 0.0;
    }
    let there = normal.cdf((distance - critical) / deviation);
    if is_continuous { there + elsewhere(distance, deviation, critical, before) } else { there }
}

/// Standard deviations below its mean from which on a distance adds nothing.
const FARTHEST: f64 = 7.0;

/// Steps of Simpson's rule; even.
const NODES: u32 = 64;

/// The probability that the process stays below the critical value at its peak and crosses it on either side of it. From its end, where
/// the distance is 0, to the peak the process is a Brownian bridge over a drift that bends away from the straight line; half the peak is
/// taken off its start for that, which `tests/power.rs` holds against drawn samples.
fn elsewhere(distance: f64, deviation: f64, critical: f64, before: f64) -> f64 {
    let normal = Normal::standard();
    let (low, high) = (-FARTHEST, ((critical - distance) / deviation).min(FARTHEST));
    if high <= low {
        return 0.0;
    }
    let step = (high - low) / f64::from(NODES);
    let integrand = |z: f64| {
        let gap = (critical - distance - deviation * z).max(0.0);
        let start = (critical - distance / 2.0).max(0.0);
        let stays = |length: f64| 1.0 - (-2.0 * gap * start / length).exp();
        normal.pdf(z) * (1.0 - stays(before) * stays(1.0 - before))
    };
    let weight = |node: u32| match node {
        0 | NODES => 1.0,
        node if node % 2 == 1 => 4.0,
        _ => 2.0,
    };
    (0..=NODES).map(|node| weight(node) * integrand(low + f64::from(node) * step)).sum::<f64>() * step / 3.0
}

fn psi_of_shift(edges: &[f64], shift: f64) -> f64 {
    let normal = Normal::standard();
    let mut below = (0.0, 0.0);
    let ends = edges.iter().map(|edge| (normal.cdf(*edge), normal.cdf(edge - shift))).chain([(1.0, 1.0)]);
    ends.map(|end| {
        let (p, q) = ((end.0 - below.0).max(SMALLEST_SHARE), (end.1 - below.1).max(SMALLEST_SHARE));
        below = end;
        (q - p) * (q / p).ln()
    })
    .sum()
}

/// The noncentrality at which a chi-squared test at this level has the wanted power.
fn noncentrality(degrees_of_freedom: u32, level: f64) -> Option<f64> {
    let critical = smallest(0.0, 1e6, |x| tail::chi_squared(x, degrees_of_freedom) <= level)?;
    smallest(0.0, 1e4, |lambda| tail::noncentral_chi_squared(critical, degrees_of_freedom, lambda) >= POWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deciles() -> Power {
        let cell = |tenth: u32| Cell {
            label: CellLabel::Interval { lower: None, upper: Some(f64::from(tenth)) },
            reference: 100,
            current: 0,
        };
        Power::of(&(0..10).map(cell).collect::<Vec<_>>()).unwrap()
    }

    fn categories(count: u32) -> Power {
        let cell = |number: u32| Cell { label: CellLabel::Category(number.to_string()), reference: 100, current: 0 };
        Power::of(&(0..count).map(cell).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn one_standard_deviation_is_a_psi_of_about_one() {
        // With scipy: p = 0.1 each, q = diff(norm.cdf(norm.ppf(arange(0, 1.01, .1)) - 1)); sum((q - p) * log(q / p)) = 0.92614…
        let Power::Shift { edges, is_continuous: true } = deciles() else { panic!("intervals are ordered") };
        assert!((psi_of_shift(&edges, 1.0) - 0.926_142_4).abs() < 1e-6, "{}", psi_of_shift(&edges, 1.0));
    }

    #[test]
    fn more_rows_see_smaller_drifts() {
        for power in [deciles(), categories(4)] {
            let smallest = |current: f64| power.smallest(Sizes { reference: 613.0, current }, 0.05 / 16.0).unwrap().psi;
            assert!(smallest(73.0) > smallest(300.0) && smallest(300.0) > smallest(3_000.0), "{power:?}");
        }
    }

    #[test]
    fn the_rows_that_are_needed_see_just_that() {
        for power in [deciles(), categories(4)] {
            let rows = power.rows_needed(613.0, 0.05, 0.10).unwrap();
            let seen = power.smallest(Sizes { reference: 613.0, current: rows }, 0.05).unwrap().psi;
            assert!((seen - 0.10).abs() < 1e-6, "{power:?}: {rows} rows see {seen}");
        }
    }

    #[test]
    fn a_reference_can_be_too_small_for_any_window() {
        assert_eq!(deciles().rows_needed(20.0, 0.05, 0.10), None);
        assert_eq!(categories(4).rows_needed(20.0, 0.05, 0.10), None);
    }

    #[test]
    fn no_row_sees_nothing_and_two_rows_next_to_nothing() {
        assert!(deciles().smallest(Sizes { reference: 613.0, current: 2.0 }, 0.05).unwrap().psi > 5.0);
        assert_eq!(deciles().smallest(Sizes { reference: 613.0, current: 0.0 }, 0.05), None);
        assert_eq!(categories(3).smallest(Sizes { reference: 613.0, current: 0.0 }, 0.05), None);
    }

    #[test]
    fn a_constant_reference_has_no_power() {
        let cell = |label| Cell { label, reference: 10, current: 5 };
        assert_eq!(Power::of(&[cell(CellLabel::Value(1.0)), cell(CellLabel::Missing)]), None);
        assert_eq!(Power::of(&[]), None);
    }
}
