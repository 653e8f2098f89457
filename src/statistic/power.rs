//! What a comparison of this size can see: the smallest drift that a feature's test would find, and the rows that a given drift takes.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::psi::{Cell, CellLabel};
use super::root::smallest;
use super::{Sizes, tail};

/// A drift counts as detectable when its test finds it in this share of windows: the field's convention (Cohen 1988).
pub const POWER: f64 = 0.8;

/// Standard deviations; a larger shift leaves no cell in common.
const LARGEST_SHIFT: f64 = 12.0;

/// No window has more independent rows.
const MOST_ROWS: f64 = 1e12;

/// From this share of one value on, the values of a feature are tied: KS then jumps where a continuous feature climbs.
const LARGEST_CONTINUOUS_TIE: f64 = 0.02;

/// The smallest drift that would be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detectable {
    pub psi: f64,
    /// As a shift of a numeric feature, in standard deviations of a normal distribution with the same ranks.
    pub shift: Option<f64>,
}

/// What a drift takes to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Needed {
    /// So many effective rows in the window.
    Rows(f64),
    /// A larger reference: no window is large enough.
    Reference,
    /// Nothing: the feature cannot change that much.
    Nothing,
}

/// A feature's test, seen from what it is to find.
///
/// Numeric features are tested by KS against a shift of all values, up or down: with the reference's cells ending at probabilities `P_j`,
/// the shifted ones end at `Φ(Φ⁻¹(P_j) ∓ δ)`, which fixes both the distances and `PSI(δ)`. The critical value is that of Kolmogorov's first
/// term, `√(ln(2/α)/2)` by `√(1/n + 1/m)`. Power is the probability that the largest of the distances, where it is expected, exceeds it
/// (Massey 1950, Ann. Math. Stat. 21:116, doi:10.1214/aoms/1177729943), a lower bound; a continuous feature may exceed it to the left or to
/// the right of there as well, which is the crossing of a line by a Brownian bridge.
///
/// Categorical features are tested by chi-squared against rows that move to the largest or to the smallest category, with the
/// noncentrality `Σ (q − p)² / p̄ / (1/n + 1/m)`.
///
/// Of the two directions the one counts in which less is found: a flag that is nearly always set can fall, and hardly rise. Other drifts of the same PSI may be harder to
/// find: KS sees a change of spread less well than a shift. Shifts and mixes that are called detectable are found in 74 to 90 % of drawn
/// samples (`tests/power.rs`).
#[derive(Clone, Debug, PartialEq)]
pub struct Power {
    /// Of the reference, by cell; all above 0, at least two.
    shares: Vec<f64>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Ordered {
        /// Normal quantiles of the inner ends of the cells, ascending.
        edges: Vec<f64>,
        is_continuous: bool,
    },
    Categories,
}

/// Up or down; to the largest category or to the smallest.
const DIRECTIONS: [bool; 2] = [true, false];

impl Power {
    /// `largest_tie`: the share of the most frequent value in the reference. `None` where the reference has one cell only: then nothing but
    /// a new value can be seen.
    pub fn of(cells: &[Cell], largest_tie: f64) -> Option<Self> {
        let known: Vec<&Cell> = cells.iter().filter(|cell| cell.label.is_value() && cell.reference > 0).collect();
        if known.len() < 2 {
            return None;
        }
        let total = known.iter().map(|cell| cell.reference).sum::<u64>() as f64;
        let shares = known.iter().map(|cell| cell.reference as f64 / total).collect();
        let ordered = |cell: &&Cell| matches!(cell.label, CellLabel::Interval { .. } | CellLabel::Value(_));
        if !known.iter().all(ordered) {
            return Some(Self { shares, kind: Kind::Categories });
        }
        let mut below = 0;
        let mut edges = Vec::new();
        for cell in known.iter().take(known.len() - 1) {
            below += cell.reference;
            edges.push(Normal::standard().inverse_cdf(below as f64 / total));
        }
        Some(Self { shares, kind: Kind::Ordered { edges, is_continuous: largest_tie <= LARGEST_CONTINUOUS_TIE } })
    }

    /// The smallest drift that the test finds at this significance level; `None` where not even the largest would be found.
    pub fn smallest(&self, sizes: Sizes, level: f64) -> Option<Detectable> {
        let wanted = self.wanted(level)?;
        let size = |direction| smallest(0.0, self.largest(), |size| self.margin(direction, size, sizes, level, wanted));
        let up = size(true);
        // A continuous feature is searched alike in both directions: only the PSI differs.
        let down = if matches!(self.kind, Kind::Ordered { is_continuous: true, .. }) { up } else { size(false) };
        let seen = DIRECTIONS.into_iter().zip([up, down]).filter_map(|(direction, size)| {
            let size = size?;
            let shift = matches!(self.kind, Kind::Ordered { .. }).then_some(size);
            Some(Detectable { psi: self.psi(direction, size, sizes.reference), shift })
        });
        seen.min_by(|a, b| a.psi.total_cmp(&b.psi))
    }

    /// What it takes to find a drift of this PSI against a reference of so many effective rows.
    pub fn needed(&self, reference: f64, level: f64, psi: f64) -> Needed {
        let Some(wanted) = self.wanted(level) else { return Needed::Nothing };
        let mut needed = Needed::Nothing;
        for direction in DIRECTIONS {
            let Some(size) = smallest(0.0, self.largest(), |size| self.psi(direction, size, reference) - psi) else { continue };
            let margin = |ln_rows: f64| self.margin(direction, size, Sizes { reference, current: ln_rows.exp() }, level, wanted);
            let rows = smallest(1.0_f64.ln(), MOST_ROWS.ln(), margin).map(f64::exp);
            needed = match (needed, rows) {
                (Needed::Rows(known), Some(rows)) => Needed::Rows(known.min(rows)),
                (Needed::Nothing | Needed::Reference, Some(rows)) => Needed::Rows(rows),
                (Needed::Nothing, None) => Needed::Reference,
                (known, None) => known,
            };
        }
        needed
    }

    /// The largest change that is looked at: a shift in standard deviations, or the share of the rows that move.
    fn largest(&self) -> f64 {
        if matches!(self.kind, Kind::Ordered { .. }) { LARGEST_SHIFT } else { 1.0 }
    }

    /// The noncentrality that the chi-squared test needs; 0 for KS, which has no use for it.
    fn wanted(&self, level: f64) -> Option<f64> {
        match self.kind {
            Kind::Ordered { .. } => Some(0.0),
            Kind::Categories => noncentrality(u32::try_from(self.shares.len() - 1).unwrap_or(u32::MAX), level),
        }
    }

    /// By how much a change is found; below 0 where it is not.
    fn margin(&self, direction: bool, size: f64, sizes: Sizes, level: f64, wanted: f64) -> f64 {
        match &self.kind {
            Kind::Ordered { edges, is_continuous } => {
                let shift = if direction { size } else { -size };
                power_of_shift(edges, *is_continuous, shift, sizes, level) - POWER
            }
            Kind::Categories => {
                let pooled = |p: f64, q: f64| (sizes.reference * p + sizes.current * q) / (sizes.reference + sizes.current);
                let changed = self.changed(direction, size);
                let distance: f64 = self.shares.iter().zip(&changed).map(|(p, q)| (q - p).powi(2) / pooled(*p, *q)).sum();
                distance / sizes.inverse_sum() - wanted
            }
        }
    }

    /// The shares of the cells after a change.
    fn changed(&self, direction: bool, size: f64) -> Vec<f64> {
        match &self.kind {
            Kind::Ordered { edges, .. } => {
                let shift = if direction { size } else { -size };
                let normal = Normal::standard();
                let mut below = 0.0;
                let ends = edges.iter().map(|edge| normal.cdf(edge - shift)).chain([1.0]);
                ends.map(|end| end - std::mem::replace(&mut below, end)).collect()
            }
            Kind::Categories => {
                let by_size = |a: &(usize, &f64), b: &(usize, &f64)| a.1.total_cmp(b.1);
                let shares = self.shares.iter().enumerate();
                let target = if direction { shares.max_by(by_size) } else { shares.min_by(by_size) };
                let target = target.map_or(0, |(index, _)| index);
                let after = |(index, share): (usize, &f64)| share * (1.0 - size) + if index == target { size } else { 0.0 };
                self.shares.iter().enumerate().map(after).collect()
            }
        }
    }

    /// The PSI of a change. A cell that it empties keeps half a row of a window as large as the reference, as in the PSI itself.
    fn psi(&self, direction: bool, size: f64, rows: f64) -> f64 {
        let least = 0.5 / (rows + self.shares.len() as f64 / 2.0);
        let changed = self.changed(direction, size);
        self.shares.iter().zip(&changed).map(|(p, q)| (p, q.max(least))).map(|(p, q)| (q - p) * (q / p).ln()).sum()
    }
}

fn power_of_shift(edges: &[f64], is_continuous: bool, shift: f64, sizes: Sizes, level: f64) -> f64 {
    let normal = Normal::standard();
    let at = |edge: f64| (normal.cdf(edge), normal.cdf(edge - shift));
    let apart = |(before, after): (f64, f64)| (before - after).abs();
    let widest = if is_continuous {
        Some(at(shift / 2.0))
    } else {
        edges.iter().map(|edge| at(*edge)).max_by(|a, b| apart(*a).total_cmp(&apart(*b)))
    };
    let Some((before, after)) = widest else { return 0.0 };
    let scale = sizes.inverse_sum().sqrt();
    let critical = ((2.0 / level).ln() / 2.0).sqrt();
    let distance = apart((before, after)) / scale;
    let deviation = (before * (1.0 - before) / sizes.reference + after * (1.0 - after) / sizes.current).sqrt() / scale;
    // Without a row on either side.
    if !deviation.is_finite() {
        return 0.0;
    }
    let there = normal.cdf((distance - critical) / deviation);
    if is_continuous && there < POWER { there + elsewhere(distance, deviation, critical, before) } else { there }
}

/// The probability that the process stays below the critical value at its peak and crosses it on either side of it. From its end, where
/// the distance is 0, to the peak the process is a Brownian bridge over a drift that bends away from the straight line; half the peak is
/// taken off its start for that, which `tests/power.rs` holds against drawn samples.
///
/// With its peak `z` deviations above its mean the process is short of the critical value by `gap = g − s·z`, and crosses it on a side of length
/// `l` with probability `exp(−k·gap)`, `k = 2·start/l`. So this is `∫ φ(z) (e^(−k₁·gap) + e^(−k₂·gap) − e^(−(k₁+k₂)·gap)) dz` up to
/// `g/s`, where no gap is left.
fn elsewhere(distance: f64, deviation: f64, critical: f64, before: f64) -> f64 {
    let start = (critical - distance / 2.0).max(0.0);
    let (left, right) = (2.0 * start / before, 2.0 * start / (1.0 - before));
    let crossed = |rate: f64| tilted(rate * deviation, (critical - distance) / deviation);
    crossed(left) + crossed(right) - crossed(left + right)
}

/// From here on the tail of the normal distribution is taken from its expansion, to 1e-8 of it.
const FAR: f64 = 30.0;

/// `∫ φ(z) exp(rate·(z − end)) dz` up to `end`: `exp(rate²/2 − rate·end) Φ(end − rate)`.
fn tilted(rate: f64, end: f64) -> f64 {
    let normal = Normal::standard();
    let beyond = rate - end;
    if beyond < FAR {
        (rate * (rate / 2.0 - end)).exp() * normal.cdf(-beyond)
    } else {
        // Where the one is too large for a double, and the other too small.
        let square = beyond * beyond;
        normal.pdf(end) / beyond * (1.0 - 1.0 / square + 3.0 / (square * square))
    }
}

/// The noncentrality at which a chi-squared test at this level has the wanted power.
fn noncentrality(degrees_of_freedom: u32, level: f64) -> Option<f64> {
    let critical = smallest(0.0, 1e6, |x| level - tail::chi_squared(x, degrees_of_freedom))?;
    let margin = |lambda: f64| tail::noncentral_chi_squared(critical, degrees_of_freedom, lambda) - POWER;
    let mut high = critical;
    while margin(high) < 0.0 {
        high *= 2.0;
    }
    smallest(0.0, high, margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: f64 = 0.05 / 16.0;

    fn ordered(counts: &[u64], largest_tie: f64) -> Power {
        let cell = |(number, count): (usize, &u64)| Cell {
            label: CellLabel::Interval { lower: None, upper: Some(number as f64) },
            reference: *count,
            current: 0,
        };
        Power::of(&counts.iter().enumerate().map(cell).collect::<Vec<_>>(), largest_tie).unwrap()
    }

    fn deciles() -> Power {
        ordered(&[100; 10], 0.001)
    }

    fn categories(counts: &[u64]) -> Power {
        let cell =
            |(number, count): (usize, &u64)| Cell { label: CellLabel::Category(number.to_string()), reference: *count, current: 0 };
        Power::of(&counts.iter().enumerate().map(cell).collect::<Vec<_>>(), 1.0).unwrap()
    }

    #[test]
    fn a_crossing_elsewhere_is_what_the_sum_over_all_peaks_says() {
        let normal = Normal::standard();
        // Φ(2 − 3)·e^(9/2 − 6), and what is left of a steep tilt.
        assert!((tilted(3.0, 2.0) - (-1.5_f64).exp() * normal.cdf(-1.0)).abs() < 1e-15);
        assert!((tilted(0.0, 0.5) - normal.cdf(0.5)).abs() < 1e-15);
        for end in [-0.8, 0.0, 1.5, 6.0] {
            let (near, far) = (tilted(FAR - 1e-9 + end, end), tilted(FAR + 1e-9 + end, end));
            assert!((near / far - 1.0).abs() < 1e-7, "{end}: {near} {far}");
        }
        for (distance, deviation, critical, before) in
            [(1.5, 0.7, 1.9, 0.7), (0.5, 0.2, 1.6, 0.999), (2.4, 1.3, 2.0, 0.01), (0.0, 0.5, 2.0, 0.5), (5.0, 0.4, 2.0, 0.5)]
        {
            let end = (critical - distance) / deviation;
            let start = (critical - distance / 2.0_f64).max(0.0);
            let nodes = 40_000;
            let step = (end.min(9.0) + 9.0) / f64::from(nodes);
            let summed: f64 = (0..nodes)
                .map(|node| end.min(9.0) - (f64::from(node) + 0.5) * step)
                .map(|z| {
                    let stays = |length: f64| 1.0 - (-2.0 * (critical - distance - deviation * z) * start / length).exp();
                    normal.pdf(z) * (1.0 - stays(before) * stays(1.0 - before)) * step
                })
                .sum();
            let found = elsewhere(distance, deviation, critical, before);
            assert!((found - summed).abs() < 1e-6, "{distance} {deviation} {critical} {before}: {found} {summed}");
        }
    }

    #[test]
    fn one_standard_deviation_is_a_psi_of_about_one() {
        // With scipy: p = 0.1 each, q = diff(norm.cdf(norm.ppf(arange(0, 1.01, .1)) - 1)); sum((q - p) * log(q / p)) = 0.92614…
        for direction in DIRECTIONS {
            assert!((deciles().psi(direction, 1.0, 613.0) - 0.926_142_4).abs() < 1e-6);
        }
    }

    fn close(found: f64, expected: f64) -> bool {
        (found / expected - 1.0).abs() < 1e-7
    }

    // The numbers of the next tests are those of the formulae of this file in Python, with scipy's norm, ncx2, quad (the integral as it is defined) and brentq.

    #[test]
    fn a_shift_is_found_where_the_distances_are_largest_and_elsewhere() {
        let power = |shift: f64, is_continuous: bool, reference: f64, current: f64, level: f64| {
            let tied = ordered(&[500, 300, 150, 50], 0.5);
            let Kind::Ordered { edges, .. } = &tied.kind else { panic!("numbers are ordered") };
            power_of_shift(edges, is_continuous, shift, Sizes { reference, current }, level)
        };
        for shift in [0.3, -0.3] {
            assert!(close(power(shift, true, 613.0, 73.0, LEVEL), 0.153_888_187_883_375), "{shift}");
            assert!(close(power(shift, false, 613.0, 73.0, LEVEL), 0.041_474_389_945_128), "{shift}");
        }
        assert!(close(power(0.45, true, 613.0, 73.0, LEVEL), 0.483_272_820_062_554_7));
        assert!(close(power(0.3, true, 100.0, 200.0, 0.05), 0.517_724_496_958_756_2), "{}", power(0.3, true, 100.0, 200.0, 0.05));
        assert!(close(power(1.2, false, 613.0, 73.0, LEVEL), 0.999_900_126_392_854_4));
        assert!(close(power(-1.2, false, 613.0, 73.0, LEVEL), 0.999_934_483_146_685_8));
    }

    #[test]
    fn the_smallest_shift_is_where_the_power_is_four_fifths() {
        let tied = || ordered(&[500, 300, 150, 50], 0.5);
        let skewed = || ordered(&[400, 350, 200, 50], 0.4);
        for (power, reference, current, shift, psi) in [
            (deciles(), 613.0, 20.0, 1.098_391_080_957_939_8, 1.108_977_204_040_883_6),
            (deciles(), 613.0, 73.0, 0.583_741_335_236_754_1, 0.323_047_663_357_884_54),
            (deciles(), 613.0, 300.0, 0.329_965_637_618_457_76, 0.104_038_865_928_414_71),
            (deciles(), 2_000.0, 5_000.0, 0.123_563_336_627_448_3, 0.014_635_190_171_139_716),
            (tied(), 613.0, 73.0, 0.730_622_231_132_348_9, 0.366_787_635_515_884_8),
            (tied(), 613.0, 300.0, 0.399_726_182_144_42, 0.117_654_946_538_773_24),
            // Up it would be 0.551 standard deviations, and a PSI of 0.261.
            (skewed(), 613.0, 150.0, 0.509_997_569_225_865_8, 0.202_617_379_691_055_37),
        ] {
            let found = power.smallest(Sizes { reference, current }, LEVEL).unwrap();
            assert!(
                close(found.psi, psi) && close(found.shift.unwrap(), shift),
                "{reference} {current}: {found:?} and not {shift} {psi}"
            );
        }
    }

    #[test]
    fn the_smallest_mix_is_where_the_noncentral_tail_is_four_fifths() {
        for (degrees_of_freedom, level, expected) in [
            (1, LEVEL, 14.415_599_732_363_106),
            (2, LEVEL, 16.832_464_028_803_53),
            (9, LEVEL, 25.243_696_947_949_67),
            (2, 0.05, 9.634_688_867_970_242),
        ] {
            let found = noncentrality(degrees_of_freedom, level).unwrap();
            assert!(close(found, expected), "{degrees_of_freedom} {level}: {found}");
        }
        for (counts, current, psi) in [
            // To the smallest category; to the largest it would be 0.2835 and 0.0852.
            (&[500, 300, 200][..], 73.0, 0.217_104_868_363_822_7),
            (&[300, 200, 500][..], 300.0, 0.080_178_762_500_404_62),
            (&[100; 4][..], 73.0, 0.250_817_097_042_108_8),
        ] {
            let found = categories(counts).smallest(Sizes { reference: 613.0, current }, LEVEL).unwrap();
            assert!(close(found.psi, psi) && found.shift.is_none(), "{counts:?} {current}: {found:?}");
        }
    }

    #[test]
    fn the_rows_that_a_drift_takes_are_those_of_the_easier_direction() {
        let skewed = ordered(&[400, 350, 200, 50], 0.4);
        for (power, reference, psi, rows) in [
            (deciles(), 613.0, 0.3, 79.282_162_737_755_81),
            (ordered(&[500, 300, 150, 50], 0.5), 613.0, 0.3, 91.150_294_093_528_16),
            (ordered(&[500, 300, 150, 50], 0.5), 2_000.0, 0.1, 267.767_183_405_248_7),
            // The other direction takes 125, be it the first or the second that is asked.
            (skewed, 613.0, 0.3, 92.603_112_110_418_25),
            (ordered(&[50, 200, 350, 400], 0.4), 613.0, 0.3, 92.603_112_110_418_25),
            (categories(&[500, 300, 200]), 613.0, 0.3, 49.048_904_778_292_77),
            (categories(&[500, 300, 200]), 613.0, 0.1, 210.451_670_855_400_52),
        ] {
            let Needed::Rows(found) = power.needed(reference, LEVEL, psi) else { panic!("a window can be large enough") };
            assert!((found / rows - 1.0).abs() < 1e-6, "{reference} {psi}: {found} and not {rows}");
        }
    }

    #[test]
    fn a_cell_that_is_emptied_keeps_half_a_row() {
        // q = (1, 0.5 / 614) and (0.5 / 614, 1): sum((q - p) * log(q / p)) with p = (0.9, 0.1)
        let flag = ordered(&[900, 100], 0.9);
        assert!(close(flag.psi(false, 6.0, 613.0), 0.487_674_361_430_446_2), "{}", flag.psi(false, 6.0, 613.0));
        assert!(close(flag.psi(true, 6.0, 613.0), 8.373_619_549_429_957), "{}", flag.psi(true, 6.0, 613.0));
    }

    #[test]
    fn numbers_are_ordered_and_tied_from_a_fiftieth_on() {
        let kind = |label: CellLabel, largest_tie: f64| {
            let cells = [CellLabel::Value(1.0), label, CellLabel::Missing, CellLabel::New]
                .into_iter()
                .zip([1, 3, 7, 0])
                .map(|(label, reference)| Cell { label, reference, current: 2 });
            let power = Power::of(&cells.collect::<Vec<_>>(), largest_tie).unwrap();
            assert_eq!(power.shares, [0.25, 0.75]);
            power.kind
        };
        let quartile = |kind: &Kind, continuous: bool| match kind {
            Kind::Ordered { edges, is_continuous } => {
                // scipy.stats.norm.ppf(0.25)
                edges.len() == 1 && close(edges[0], -0.674_489_750_196_081_7) && *is_continuous == continuous
            }
            Kind::Categories => false,
        };
        assert!(quartile(&kind(CellLabel::Value(2.0), 0.02), true));
        assert!(quartile(&kind(CellLabel::Value(2.0), 0.021), false));
        assert!(quartile(&kind(CellLabel::Interval { lower: Some(1.0), upper: None }, 0.75), false));
        for label in [CellLabel::Category("a".to_owned()), CellLabel::Other, CellLabel::New] {
            assert_eq!(kind(label, 0.01), Kind::Categories);
        }
    }

    #[test]
    fn more_rows_see_smaller_drifts() {
        for power in [deciles(), categories(&[100; 4]), ordered(&[900, 100], 0.9)] {
            let smallest = |current: f64| power.smallest(Sizes { reference: 613.0, current }, LEVEL).unwrap().psi;
            assert!(smallest(73.0) > smallest(300.0) && smallest(300.0) > smallest(3_000.0), "{power:?}");
        }
    }

    #[test]
    fn a_feature_and_its_mirror_image_see_the_same() {
        let sizes = Sizes { reference: 613.0, current: 300.0 };
        for counts in [[950, 50], [800, 200], [600, 400]] {
            let seen = |counts: &[u64]| ordered(counts, 0.9).smallest(sizes, LEVEL).unwrap().psi;
            let mirrored = [counts[1], counts[0]];
            assert!((seen(&counts) - seen(&mirrored)).abs() < 1e-9, "{counts:?}");
            // A flag that is nearly always set cannot rise much, but its fall would be seen.
            assert!(seen(&counts) < 0.5, "{counts:?}: {}", seen(&counts));
        }
    }

    #[test]
    fn the_rows_that_are_needed_see_just_that() {
        for power in [deciles(), categories(&[100; 4])] {
            let Needed::Rows(rows) = power.needed(613.0, LEVEL, 0.30) else { panic!("a window can be large enough") };
            let seen = power.smallest(Sizes { reference: 613.0, current: rows }, LEVEL).unwrap().psi;
            assert!((seen - 0.30).abs() < 1e-3, "{power:?}: {rows} rows see {seen}");
        }
    }

    #[test]
    fn a_reference_can_be_too_small_for_any_window() {
        assert_eq!(deciles().needed(20.0, LEVEL, 0.10), Needed::Reference);
        assert_eq!(categories(&[100; 4]).needed(20.0, LEVEL, 0.10), Needed::Reference);
    }

    #[test]
    fn what_a_feature_cannot_do_needs_nothing() {
        assert_eq!(ordered(&[999, 1], 0.999).needed(613.0, LEVEL, 50.0), Needed::Nothing);
    }

    #[test]
    fn no_row_sees_nothing_and_two_rows_next_to_nothing() {
        assert!(deciles().smallest(Sizes { reference: 613.0, current: 2.0 }, 0.05).is_none_or(|seen| seen.psi > 3.0));
        assert_eq!(deciles().smallest(Sizes { reference: 613.0, current: 0.0 }, 0.05), None);
        assert_eq!(categories(&[100; 3]).smallest(Sizes { reference: 613.0, current: 0.0 }, 0.05), None);
    }

    #[test]
    fn a_constant_reference_has_no_power() {
        let cell = |label| Cell { label, reference: 10, current: 5 };
        assert_eq!(Power::of(&[cell(CellLabel::Value(1.0)), cell(CellLabel::Missing)], 1.0), None);
        assert_eq!(Power::of(&[], 0.0), None);
    }
}
