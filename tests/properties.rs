//! What must hold whatever the rows are, from batches through counts, comparison and decision to the report: proptest over the pure core.

use std::sync::Arc;

use chrono::TimeDelta;
use drift_check::decision::dataset::decide;
use drift_check::decision::finding::{Finding, FindingCode, Severity};
use drift_check::decision::joint::{Pair, judge_pairs};
use drift_check::decision::policy::Policy;
use drift_check::decision::rule::judge;
use drift_check::decision::{Rule, Verdict};
use drift_check::feature::{ColumnBatch, FeatureKind, FeatureName, MISSING, MISSING_CODE};
use drift_check::ingest::decode::{Batch, Column};
use drift_check::ingest::sink::{Counter, Sink};
use drift_check::profile::builder::ProfileBuilder;
use drift_check::profile::dependence::Estimate;
use drift_check::profile::packed::Packer;
use drift_check::profile::{FeatureCounts, FeatureProfile, ProfileObject, ReferenceProfile, WindowCounts};
use drift_check::report::assemble::{self, JudgedFeature};
use drift_check::report::{PastFeature, PastRun, Report, html, markdown, text};
use drift_check::statistic::joint::PairComparison;
use drift_check::statistic::wasserstein::Wasserstein;
use drift_check::statistic::{Condition, DesignEffect, Measurement, compare};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::sample_report;

/// One column of either side.
#[derive(Clone, Debug)]
enum Cells {
    Numbers(Vec<f64>),
    Labels(Vec<Option<String>>),
    Absent,
    WrongType,
}

impl Cells {
    fn column(&self) -> Column {
        match self {
            Self::Numbers(values) => Column::Numeric(values.clone()),
            Self::Labels(labels) => {
                let mut dictionary: Vec<String> = labels.iter().flatten().cloned().collect();
                dictionary.sort();
                dictionary.dedup();
                let code = |label: &String| dictionary.binary_search(label).unwrap() as u32;
                let codes = labels.iter().map(|label| label.as_ref().map_or(MISSING_CODE, code)).collect();
                Column::Categorical { codes, dictionary }
            }
            Self::Absent => Column::Absent,
            Self::WrongType => Column::WrongType,
        }
    }

    fn kind(&self) -> FeatureKind {
        if matches!(self, Self::Labels(_)) { FeatureKind::Categorical } else { FeatureKind::Numeric }
    }

    /// The rows with these numbers.
    fn pick(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numbers(values) => Self::Numbers(rows.iter().map(|row| values[*row]).collect()),
            Self::Labels(labels) => Self::Labels(rows.iter().map(|row| labels[*row].clone()).collect()),
            other => other.clone(),
        }
    }
}

/// How rows belong together.
#[derive(Clone, Copy, Debug)]
enum Together {
    Nothing,
    Clusters,
    Time,
}

/// A reference and a window with the same features.
#[derive(Clone, Debug)]
struct Data {
    names: Vec<FeatureName>,
    reference: Vec<Cells>,
    reference_rows: usize,
    current: Vec<Cells>,
    current_rows: usize,
    together: Together,
}

/// The rows with these numbers as a batch; a row's cluster and moment follow from its number.
fn batch(columns: &[Cells], rows: &[usize], together: Together) -> Batch {
    let clusters = matches!(together, Together::Clusters).then(|| rows.iter().map(|row| *row as u64 % 7 + 1).collect());
    let moment = |row: &usize| *row as i64 * 600_000_000;
    let timestamps_us = if matches!(together, Together::Time) { rows.iter().map(moment).collect() } else { Vec::new() };
    Batch { rows: rows.len(), columns: columns.iter().map(|cells| cells.pick(rows).column()).collect(), clusters, timestamps_us }
}

/// Counts the rows with these numbers, so many at a time; none is no batch.
fn counted(profile: &Arc<ReferenceProfile>, columns: &[Cells], rows: &[usize], batch_rows: usize, together: Together) -> Counter {
    let mut counter = Counter::new(Arc::clone(profile));
    for rows in rows.chunks(batch_rows) {
        counter.update(&batch(columns, rows, together)).unwrap();
    }
    counter.close();
    counter
}

fn all(rows: usize) -> Vec<usize> {
    (0..rows).collect()
}

impl Data {
    fn profile(&self) -> Arc<ReferenceProfile> {
        let features: Vec<(FeatureName, FeatureKind)> =
            self.names.iter().cloned().zip(self.reference.iter().map(Cells::kind)).collect();
        let mut builder = ProfileBuilder::new(&features);
        let columns: Vec<Column> = self.reference.iter().map(Cells::column).collect();
        builder.update(columns.iter().map(|column| match column {
            Column::Numeric(values) => ColumnBatch::Numeric(values),
            Column::Categorical { codes, dictionary } => ColumnBatch::Categorical { codes, dictionary },
            _ => ColumnBatch::Absent { rows: self.reference_rows },
        }));
        let rows = self.reference_rows as u64;
        let object = ProfileObject { uri: "file:reference.csv".to_owned(), generation: "g".to_owned(), size_bytes: 1, rows };
        let mut profile = builder.finish(vec![object]).with_joint(64);
        let counts = counted(&Arc::new(profile.clone()), &self.reference, &all(self.reference_rows), 40, self.together).counts;
        profile.learn(&counts);
        Arc::new(profile.named().unwrap())
    }

    fn current(&self, profile: &Arc<ReferenceProfile>) -> WindowCounts {
        counted(profile, &self.current, &all(self.current_rows), 40, self.together).counts
    }
}

/// Numbers as no service should write them, among such as every service does.
fn number() -> impl Strategy<Value = f64> {
    let strange = [MISSING, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -0.0, 1e300];
    prop_oneof![
        6 => (-6_i8..6).prop_map(|value| f64::from(value) / 2.0),
        6 => -1e3..1e3_f64,
        1 => prop::num::f64::ANY,
        2 => prop::sample::select(strange.to_vec()),
    ]
}

fn label() -> impl Strategy<Value = Option<String>> {
    let hostile: Vec<String> = sample_report::HOSTILE.map(str::to_owned).to_vec();
    prop_oneof![
        6 => "[a-d]".prop_map(Some),
        1 => Just(None),
        1 => prop::sample::select(hostile).prop_map(Some),
        1 => any::<String>().prop_map(Some),
    ]
}

/// Columns of so many rows on either side; now and then one that is constant, or not what it was.
fn columns(reference: usize, current: usize) -> impl Strategy<Value = (Cells, Cells)> {
    let numbers = |rows: usize| {
        let any = prop::collection::vec(number(), rows).prop_map(Cells::Numbers);
        let constant = number().prop_map(move |value| Cells::Numbers(vec![value; rows]));
        prop_oneof![5 => any, 1 => constant]
    };
    let labels = |rows: usize| prop::collection::vec(label(), rows).prop_map(Cells::Labels);
    let lost = || prop_oneof![Just(Cells::Absent), Just(Cells::WrongType)];
    prop_oneof![
        6 => (numbers(reference), numbers(current)),
        3 => (labels(reference), labels(current)),
        1 => (numbers(reference), lost()),
        1 => (labels(reference), numbers(current)),
    ]
}

fn data(most_current: usize) -> impl Strategy<Value = Data> {
    let together = prop_oneof![Just(Together::Nothing), Just(Together::Clusters), Just(Together::Time)];
    let sizes = (1_usize..70, prop_oneof![1 => Just(0), 9 => 0..most_current], 0_usize..5, together);
    sizes.prop_flat_map(|(reference_rows, current_rows, features, together)| {
        let hostile = prop_oneof![any::<String>(), prop::sample::select(sample_report::HOSTILE.map(str::to_owned).to_vec())];
        let features = prop::collection::vec((hostile, columns(reference_rows, current_rows)), features);
        features.prop_map(move |features| {
            // Names differ, as the columns of a file do.
            let names = features.iter().enumerate().map(|(i, (name, _))| FeatureName::new(format!("{name}{i}"))).collect();
            let (reference, current) = features.into_iter().map(|(_, sides)| sides).unzip();
            Data { names, reference, reference_rows, current, current_rows, together }
        })
    })
}

fn packed(counter: &Counter) -> Vec<u8> {
    let mut packer = Packer::default();
    counter.counts.pack(&mut packer);
    packer.into_bytes()
}

/// Every feature compared, with what was estimated of the dependence of its rows.
fn measured(profile: &ReferenceProfile, counts: &WindowCounts) -> Vec<Measurement> {
    let reference: Vec<Estimate> = profile.features.iter().map(|(_, feature)| *feature.dependence()).collect();
    let current = counts.dependence.estimates(&reference);
    let sides = profile.features.iter().zip(&counts.features).zip(reference.iter().zip(&current));
    let compared = sides.map(|(((_, profile), counts), (reference, current))| {
        compare(profile, counts, DesignEffect { reference: reference.design_effect, current: current.design_effect })
    });
    compared.collect()
}

/// How far the numeric features moved.
fn moved(profile: &ReferenceProfile, counts: &WindowCounts) -> Vec<Wasserstein> {
    let sides = profile.features.iter().zip(&counts.features).filter_map(|((_, profile), counts)| match (profile, counts) {
        (FeatureProfile::Numeric { grid, reference, .. }, FeatureCounts::Numeric(current)) => {
            Wasserstein::compute(grid, reference, current)
        }
        _ => None,
    });
    sides.collect()
}

/// The report of a run over these counts, as the job puts it together.
fn report(profile: &ReferenceProfile, counts: &WindowCounts, policy: &Policy, rows: u64) -> Report {
    let measurements = measured(profile, counts);
    let named: Vec<(&FeatureName, &Measurement)> = profile.features.iter().map(|(name, _)| name).zip(&measurements).collect();
    let judgements = judge(&named, policy);
    let verdicts: Vec<Verdict> = judgements.iter().map(|judgement| judgement.verdict).collect();
    let decision = decide(&verdicts, policy.share, rows);
    let sides = profile.features.iter().zip(&counts.features).zip(measurements.iter().zip(judgements));
    let judged: Vec<JudgedFeature<'_>> = sides
        .map(|(((name, feature), counts), (measurement, judgement))| JudgedFeature {
            name,
            kind: feature.kind(),
            sides: Some((feature, counts)),
            measurement: measurement.clone(),
            judgement,
        })
        .collect();
    let past = judged.iter().map(|feature| {
        let psi_adjusted = feature.measurement.psi.as_ref().map(|psi| psi.adjusted);
        (feature.name.clone(), PastFeature { verdict: feature.judgement.verdict, psi_adjusted, ks_statistic: None })
    });
    let (window_end, verdict, share) = (sample_report::window_end() - TimeDelta::hours(6), decision.verdict, decision.share);
    let past = PastRun { window_start: None, window_end, verdict, share, rows, features: past.collect() };
    let pairs = profile.joint.as_ref().map(|joint| {
        let pairs = joint.named_pairs().zip(counts.joint.pairs()).filter_map(|((a, b, before), now)| {
            Some(Pair { a, b, comparison: PairComparison::compute(before, &now, DesignEffect::INDEPENDENT)? })
        });
        assemble::joint(&judge_pairs(pairs, |_| true, policy))
    });
    let features = assemble::features(judged);
    let decided = assemble::decision(&decision, policy, &features);
    let remark = |name: &FeatureName| {
        let message = format!("something about {name}");
        Finding::new(FindingCode::ColumnNotShared, Severity::Warning, message).about_feature(name).about_object(name.as_str())
    };
    let findings = profile.features.iter().map(|(name, _)| remark(name)).collect();
    Report { decision: decided, joint: pairs, findings, ..sample_report::assemble(features, vec![past]) }
}

fn is_probability(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

/// Everything of a measurement that has bounds is within them, and a number.
fn assert_in_range(measurement: &Measurement) -> Result<(), TestCaseError> {
    let Measurement { ks, chi_squared, missing, non_finite, psi, .. } = measurement;
    let mut probabilities: Vec<f64> =
        [measurement.p_value, measurement.jensen_shannon, measurement.total_variation].into_iter().flatten().collect();
    probabilities.extend(ks.iter().flat_map(|ks| [ks.statistic, ks.p_value, ks.p_effective, ks.error_bound]));
    probabilities.extend(chi_squared.iter().flat_map(|test| [test.p_value, test.p_effective]));
    let fractions = missing.iter().chain(non_finite);
    probabilities.extend(fractions.flat_map(|test| [test.p_value, test.reference_fraction, test.current_fraction]));
    probabilities.extend(psi.iter().map(|psi| psi.p_value));
    probabilities.push(measurement.largest_tie);
    prop_assert!(probabilities.iter().all(|p| is_probability(*p)), "{:?}", measurement);
    let mut sizes: Vec<f64> = vec![measurement.effective.reference, measurement.effective.current];
    sizes.extend(chi_squared.iter().map(|test| test.statistic));
    sizes.extend(psi.iter().flat_map(|psi| [psi.value, psi.adjusted].into_iter().chain(psi.contributions())));
    // A sum of differences of equal terms may be a hair below none.
    prop_assert!(sizes.iter().all(|size| *size >= -1e-12 && size.is_finite()), "{:?}", measurement);
    if let Condition::Comparable { single_value_ln_probability: Some(ln) } = measurement.condition {
        prop_assert!(ln <= 0.0, "{:?}", measurement);
    }
    Ok(())
}

/// Adds counts to themselves, again and again.
fn doubled(counts: &mut FeatureCounts, times: u32) {
    for _ in 0..times {
        let same = counts.clone();
        counts.merge(&same);
    }
}

fn many(profile: &ReferenceProfile, times: u32) -> ReferenceProfile {
    let mut many = profile.clone();
    for (_, feature) in &mut many.features {
        match feature {
            FeatureProfile::Numeric { reference, .. } => {
                (0..times).for_each(|_| reference.merge(&reference.clone()));
            }
            FeatureProfile::Categorical { reference, .. } => {
                (0..times).for_each(|_| reference.merge(&reference.clone()));
            }
        }
    }
    many
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Rows that lie in time belong to their neighbours: then whole objects are merged in any order, otherwise any rows.
    #[test]
    fn any_split_and_any_order_of_the_rows_count_the_same(data in data(150), batch_rows in 1_usize..60, keys in prop::collection::vec(any::<u16>(), 150)) {
        let profile = data.profile();
        let count = |rows: &[usize], batch_rows: usize| counted(&profile, &data.current, rows, batch_rows, data.together);
        let rows = all(data.current_rows);
        let mut parts: Vec<Vec<usize>> = rows.chunks(batch_rows).map(<[usize]>::to_vec).collect();
        let whole = if matches!(data.together, Together::Time) {
            let mut whole = Counter::new(Arc::clone(&profile));
            for part in &parts {
                whole.update(&batch(&data.current, part, data.together)).unwrap();
                whole.close();
            }
            parts.sort_by_key(|part| keys[part[0]]);
            whole
        } else {
            let mut shuffled = rows.clone();
            shuffled.sort_by_key(|row| keys[*row]);
            parts = shuffled.chunks(batch_rows).map(<[usize]>::to_vec).collect();
            count(&rows, 150)
        };
        let mut merged = Counter::new(Arc::clone(&profile));
        for part in &parts {
            // Two batches each, so that batches of one object follow each other too.
            merged.merge(count(part, part.len().div_ceil(2)));
        }
        prop_assert_eq!(packed(&merged), packed(&whole));
    }

    #[test]
    fn whatever_is_compared_is_within_its_bounds(
        data in data(150), (reference_times, current_times) in (prop_oneof![3 => Just(0), 1 => 0_u32..50], prop_oneof![3 => Just(0), 1 => 0_u32..50]),
    ) {
        let profile = many(&data.profile(), reference_times);
        let mut counts = data.current(&Arc::new(profile.clone()));
        counts.features.iter_mut().for_each(|feature| doubled(feature, current_times));
        let measurements = measured(&profile, &counts);
        for measurement in &measurements {
            assert_in_range(measurement)?;
        }
        let distances = moved(&profile, &counts);
        prop_assert!(distances.iter().flat_map(|distance| [distance.value, distance.error_bound]).all(|size| size >= -1e-12 && size.is_finite()), "{:?}", distances);
        let named: Vec<(&FeatureName, &Measurement)> = profile.features.iter().map(|(name, _)| name).zip(&measurements).collect();
        for judgement in judge(&named, &Policy::default()) {
            prop_assert!(judgement.q_value.is_none_or(is_probability), "{:?}", judgement);
            let seen = judgement.detectable;
            prop_assert!(seen.is_none_or(|seen| seen.psi.is_finite() && seen.shift.is_none_or(f64::is_finite)), "{:?}", judgement);
        }
    }

    #[test]
    fn rows_compared_with_themselves_have_not_changed(data in data(1), times in prop_oneof![3 => Just(0), 1 => 0_u32..50]) {
        let profile = data.profile();
        let mut counts = counted(&profile, &data.reference, &all(data.reference_rows), 40, data.together).counts;
        counts.features.iter_mut().for_each(|feature| doubled(feature, times));
        for distance in moved(&profile, &counts) {
            prop_assert!(distance.value.abs() < 1e-12 && distance.error_bound.abs() < 1e-12, "{:?}", distance);
        }
        for measurement in measured(&profile, &counts) {
            let Measurement { ks, chi_squared, missing, non_finite, psi, .. } = &measurement;
            let is_none = |statistic: f64| statistic.abs() < 1e-12;
            // Effective rows are whole ones in the tests of proportions: of samples of another size the fractions are rounded otherwise.
            let is_sure = |p: f64| p > if times == 0 { 1.0 - 1e-6 } else { 0.1 };
            prop_assert!(ks.is_none_or(|ks| is_none(ks.statistic) && is_sure(ks.p_value) && is_sure(ks.p_effective)), "{:?}", measurement);
            prop_assert!(chi_squared.is_none_or(|test| is_none(test.statistic) && is_sure(test.p_value) && is_sure(test.p_effective)), "{:?}", measurement);
            prop_assert!(missing.iter().chain(non_finite).all(|test| is_sure(test.p_value)), "{:?}", measurement);
            prop_assert!(measurement.total_variation.is_none_or(is_none) && measurement.p_value.is_none_or(is_sure), "{:?}", measurement);
            // Rounding of the proportions is within a root here.
            prop_assert!(measurement.jensen_shannon.is_none_or(|distance| distance < 1e-7), "{:?}", measurement);
            // Smoothing weighs less in more rows: only samples of one size are smoothed alike.
            if times == 0 {
                prop_assert!(psi.as_ref().is_none_or(|psi| is_none(psi.value) && is_none(psi.adjusted) && is_sure(psi.p_value)), "{:?}", measurement);
            }
        }
    }

    #[test]
    fn a_report_of_whatever_comes_is_strict_json_after_its_schema(
        data in data(100), rule in prop::sample::select(vec![Rule::SignificantAndMaterial, Rule::Ks, Rule::Psi, Rule::Either]), width in any::<Index>(),
    ) {
        let profile = data.profile();
        let policy = Policy { rule, min_effective_rows: 2.0, ..Policy::default() };
        let report = report(&profile, &data.current(&profile), &policy, data.current_rows as u64);
        let bytes = report.to_json().unwrap();
        // serde_json reads RFC 8259 and nothing more: no NaN, no Infinity, no raw control character, no comma too many.
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        let errors: Vec<String> = schema().iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
        prop_assert_eq!(errors, Vec::<String>::new());
        // What was not finite would be null there, and not come back as it was.
        prop_assert_eq!(&serde_json::from_slice::<Report>(&bytes).unwrap(), &report);
        let options = text::TextOptions { color: true, width: width.index(200) as u16, verbose: true, report_location: None };
        for shown in [text::render(&report, options), markdown::render(&report), html::render(&report)] {
            prop_assert!(!shown.is_empty());
        }
    }
}

fn schema() -> &'static jsonschema::Validator {
    static SCHEMA: std::sync::OnceLock<jsonschema::Validator> = std::sync::OnceLock::new();
    SCHEMA.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");
        let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    })
}
