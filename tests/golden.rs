//! The statistics against scipy and exact arithmetic: `tests/golden/*.json`, each number with the call that made it.

use std::fmt::Debug;
use std::path::Path;

use drift_check::decision::correction::benjamini_hochberg;
use drift_check::feature::{ColumnBatch, FeatureKind, FeatureName};
use drift_check::profile::builder::ProfileBuilder;
use drift_check::profile::counts::NumericCounts;
use drift_check::profile::grid::Grid;
use drift_check::profile::table::FeatureTable;
use drift_check::profile::{FeatureCounts, ReferenceProfile};
use drift_check::statistic::chi_squared::ChiSquared;
use drift_check::statistic::psi::{Cell, CellLabel, Psi};
use drift_check::statistic::wasserstein::Wasserstein;
use drift_check::statistic::{DesignEffect, Measurement, compare, interval, jensen_shannon, kolmogorov, ks, proportions, tail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One golden case: its name, the call, and the rest of its fields.
#[derive(Deserialize)]
struct Case<T> {
    name: String,
    call: String,
    #[serde(flatten)]
    fields: T,
}

#[derive(Deserialize)]
struct File<T> {
    cases: Vec<Case<T>>,
}

fn cases<T: DeserializeOwned>(file: &str) -> Vec<Case<T>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: File<T> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(file.cases.len() >= 8, "{} holds {} cases only", path.display(), file.cases.len());
    file.cases
}

/// Fails with the case and its call unless `found` is within `relative` (or `absolute`) of `expected`.
fn close<T: Debug>(case: &Case<T>, found: f64, expected: f64, relative: f64, absolute: f64) {
    let tolerance = (relative * expected.abs()).max(absolute);
    assert!(
        (found - expected).abs() <= tolerance,
        "{}: {found:e} instead of {expected:e} ({}) from {:?}",
        case.name,
        case.call,
        case.fields
    );
}

/// A sample, written out or as the rule that makes it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sample {
    Values(Vec<f64>),
    Rule { kind: String, n: u64, multiplier: u64, modulus: u64, shift: i64 },
}

impl Sample {
    #[expect(clippy::cast_possible_wrap, reason = "the rules stay small")]
    fn values(&self) -> Vec<f64> {
        match self {
            Self::Values(values) => values.clone(),
            Self::Rule { kind, n, multiplier, modulus, shift } => (0..*n)
                .map(|i| match kind.as_str() {
                    "arange_mod" => i * multiplier % modulus,
                    "square_mod" => i * i * multiplier % modulus,
                    other => panic!("unknown rule {other}"),
                })
                .map(|value| (value as i64 + shift) as f64)
                .collect(),
        }
    }
}

fn measure(reference: &[f64], current: &[f64]) -> Measurement {
    let mut builder = ProfileBuilder::new(&[(FeatureName::new("x"), FeatureKind::Numeric)]);
    builder.update([ColumnBatch::Numeric(reference)]);
    let profile: ReferenceProfile = builder.finish(Vec::new());
    let profile = profile.feature("x").unwrap();
    let mut counts = FeatureCounts::empty(profile);
    counts.update(profile, &FeatureTable::of(profile), ColumnBatch::Numeric(current), None);
    compare(profile, &counts, DesignEffect::INDEPENDENT)
}

#[derive(Debug, Deserialize)]
struct TwoSamples {
    x: Sample,
    y: Sample,
    n: u64,
    m: u64,
    h: u64,
    lcm: u64,
    statistic: f64,
    p_value: f64,
}

#[test]
fn two_sample_ks_agrees_with_scipy_and_exact_counting() {
    for case in cases::<TwoSamples>("ks_two_sample.json") {
        let fields = &case.fields;
        let ks = measure(&fields.x.values(), &fields.y.values()).ks.unwrap();
        close(&case, ks.statistic, fields.statistic, 1e-14, 0.0);
        // 5e-324 is the spacing of subnormal doubles.
        close(&case, ks.p_value, fields.p_value, 1e-9, 5e-324);
        assert_eq!(ks.error_bound.to_bits(), 0, "{}", case.name);
        let distance = u128::from(fields.h) * u128::from(fields.n * fields.m / fields.lcm);
        close(&case, ks::p_value(fields.n, fields.m, distance), fields.p_value, 1e-9, 5e-324);
    }
}

#[derive(Debug, Deserialize)]
struct Tail {
    n: f64,
    d: f64,
    sf: f64,
}

#[test]
fn the_kolmogorov_tail_agrees_with_scipy() {
    for case in cases::<Tail>("kolmogorov_tail.json") {
        close(&case, kolmogorov::survival(case.fields.n, case.fields.d), case.fields.sf, 1e-3, 1e-300);
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ChiSquaredCase {
    Table { table: [Vec<u64>; 2], statistic: f64, df: u32, p_value: f64 },
    Tail { x: f64, df: u32, sf: f64 },
}

#[test]
fn chi_squared_agrees_with_scipy() {
    for case in cases::<ChiSquaredCase>("chi_squared.json") {
        match &case.fields {
            ChiSquaredCase::Table { table: [reference, current], statistic, df, p_value } => {
                let cells = cells(reference, current);
                let test = ChiSquared::compute(&cells.iter().collect::<Vec<_>>(), DesignEffect::INDEPENDENT).unwrap();
                close(&case, test.statistic, *statistic, 1e-11, 1e-13);
                assert_eq!(test.degrees_of_freedom, *df, "{}", case.name);
                close(&case, test.p_value, *p_value, 1e-9, 1e-307);
            }
            ChiSquaredCase::Tail { x, df, sf } => close(&case, tail::chi_squared(*x, *df), *sf, 1e-9, 1e-307),
        }
    }
}

fn cells(reference: &[u64], current: &[u64]) -> Vec<Cell> {
    reference.iter().zip(current).map(|(&reference, &current)| Cell { label: CellLabel::Other, reference, current }).collect()
}

#[derive(Debug, Deserialize)]
struct Proportions {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    method: String,
    p_value: f64,
}

#[test]
fn two_proportions_agree_with_scipy() {
    for case in cases::<Proportions>("two_proportions.json") {
        let &Proportions { a, b, c, d, ref method, p_value } = &case.fields;
        let found = match method.as_str() {
            "fisher" => proportions::fisher(a, a + b, c, c + d),
            _ if a + c == 0.0 || b + d == 0.0 => proportions::p_value(a, a + b, c, c + d),
            _ => proportions::pearson(a, a + b, c, c + d),
        };
        close(&case, found, p_value, 1e-7, 1e-300);
    }
}

#[derive(Debug, Deserialize)]
struct Distance {
    x: Sample,
    y: Sample,
    distance: f64,
}

#[test]
fn wasserstein_agrees_with_scipy_within_its_own_bound() {
    for case in cases::<Distance>("wasserstein.json") {
        let (reference, current) = (case.fields.x.values(), case.fields.y.values());
        let grid = Grid::from_values(&mut reference.clone());
        let sides = (NumericCounts::of(&grid, &reference), NumericCounts::of(&grid, &current));
        let found = Wasserstein::compute(&grid, &sides.0, &sides.1).unwrap();
        close(&case, found.value, case.fields.distance, 1e-9, found.error_bound + 1e-12);
        // Values on the knots leave nothing to guess.
        let exact = found.error_bound.to_bits() == 0;
        if exact {
            close(&case, found.value, case.fields.distance, 1e-9, 1e-12);
        }
    }
}

#[derive(Debug, Deserialize)]
struct Weights {
    p: Vec<f64>,
    q: Vec<f64>,
    distance: f64,
}

#[test]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "weights are whole, or made so")]
fn jensen_shannon_agrees_with_scipy() {
    let mut compared = 0;
    for case in cases::<Weights>("jensen_shannon.json") {
        // Cells hold counts: take the cases with whole weights.
        if case.fields.p.iter().chain(&case.fields.q).any(|weight| weight.fract() != 0.0 || *weight > 1e15) {
            continue;
        }
        let counts = |weights: &[f64]| weights.iter().map(|&weight| weight as u64).collect::<Vec<_>>();
        let found = jensen_shannon::distance(&cells(&counts(&case.fields.p), &counts(&case.fields.q))).unwrap();
        close(&case, found, case.fields.distance, 1e-9, 1e-7);
        compared += 1;
    }
    assert!(compared >= 8, "{compared} cases compared only");
}

#[derive(Debug, Deserialize)]
struct Adjustment {
    p_values: Vec<f64>,
    q_values: Vec<f64>,
}

#[test]
fn benjamini_hochberg_agrees_with_scipy() {
    for case in cases::<Adjustment>("benjamini_hochberg.json") {
        let found = benjamini_hochberg(&case.fields.p_values);
        assert_eq!(found.len(), case.fields.q_values.len());
        for (q, expected) in found.iter().zip(&case.fields.q_values) {
            close(&case, *q, *expected, 1e-12, 0.0);
        }
    }
}

#[derive(Debug, Deserialize)]
struct Index {
    reference: Vec<u64>,
    current: Vec<u64>,
    value: f64,
    adjusted: f64,
    p_value: f64,
}

#[test]
fn the_stability_index_agrees_with_its_formula() {
    for case in cases::<Index>("psi.json") {
        let psi = Psi::compute(cells(&case.fields.reference, &case.fields.current), DesignEffect::INDEPENDENT).unwrap();
        close(&case, psi.value, case.fields.value, 1e-11, 1e-15);
        close(&case, psi.adjusted, case.fields.adjusted, 1e-10, 1e-14);
        close(&case, psi.p_value, case.fields.p_value, 1e-8, 1e-307);
    }
}

#[derive(Debug, Deserialize)]
struct Intervals {
    successes: u64,
    trials: u64,
    alpha: f64,
    method: String,
    low: f64,
    high: f64,
}

#[test]
fn intervals_of_a_proportion_agree_with_statsmodels() {
    for case in cases::<Intervals>("proportions.json") {
        let Intervals { successes, trials, alpha, ref method, low, high } = case.fields;
        let found = match method.as_str() {
            "wilson" => interval::wilson(successes, trials, 1.0 - alpha),
            _ => interval::clopper_pearson(successes, trials, 1.0 - alpha),
        };
        let found = found.unwrap();
        close(&case, found.low, low, 1e-9, 1e-15);
        close(&case, found.high, high, 1e-9, 0.0);
    }
}
