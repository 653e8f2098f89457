//! A small report in which everything that a report can hold is there, in round numbers that all differ: what a rendering mixes up shows.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use drift_check::decision::finding::{Finding, FindingCode, Severity};
use drift_check::decision::signal::{
    Delivery, DeliveryStatus, SignalMode, SignalName, SignalReport, SignalState, SilenceReport, Transition,
};
use drift_check::decision::{DatasetVerdict, Verdict};
use drift_check::feature::{FeatureKind, FeatureName};
use drift_check::report::{
    CauseSection, FeatureReport, HistogramSection, JointSection, KsSection, MinimumDetectableSection, MissingSection, PairSection,
    PastFeature, PastRun, PsiCellSection, PsiSection, QuantilesSection, Report, ShiftSection, SidesSection, SummarySection,
    WassersteinSection,
};

use crate::sample_report::{all_null, assemble, bare, categorical, discrete, window_end};

/// A report of eight features, of every verdict and with every kind of picture, after six windows.
pub fn full_day() -> Report {
    let features = vec![
        all_null("eccentricity"),
        contrast(),
        extent(),
        discrete_warning(),
        few_rows(),
        spiked(),
        without_anything(),
        bare("unknown", Verdict::Stable),
    ];
    let mut report = assemble(features, history());
    report.predictions = vec![confidence(), class()];
    report.causes =
        vec![CauseSection { features: ["contrast", "extent", "ggo_ratio"].map(FeatureName::new).to_vec(), correlation: 0.876 }];
    report.joint = Some(joint());
    report.findings = findings();
    report.signals = signals();
    report.run.attempt = 2;
    report.run.trigger = "github-actions".to_owned();
    report.run.finished_at = report.run.started_at + TimeDelta::milliseconds(4_321);
    report.decision.psi_warning = 0.04;
    report
}

/// A drifted numeric feature with everything that is measured of one.
pub fn contrast() -> FeatureReport {
    let cells = [
        ("≤ 20", None, Some(20.0), 400, 100, 0.2),
        ("20 – 40", Some(20.0), Some(40.0), 300, 200, 0.016),
        ("> 40", Some(40.0), None, 196, 700, 0.22),
        ("MISSING", None, None, 4, 12, 0.0),
    ];
    let cell = |(label, lower, upper, reference, current, contribution): (&str, Option<f64>, Option<f64>, u64, u64, f64)| {
        PsiCellSection { label: label.to_owned(), lower, upper, reference, current, contribution }
    };
    FeatureReport {
        kind: FeatureKind::Numeric,
        reason: "significant and material: q 4e-4, PSI adjusted 0.412".to_owned(),
        n_reference: 1_613,
        n_current: 1_219,
        effective_reference: 402.7,
        effective_current: 148.3,
        ks: Some(KsSection { statistic: 0.384, p_value: 1e-9, p_effective: 3e-4, error_bound: 0.0125 }),
        missing: Some(MissingSection { reference_fraction: 0.004, current_fraction: 0.012, p_value: 0.21 }),
        psi: Some(PsiSection { value: 0.436, adjusted: 0.412, p_value: 2e-5, cells: cells.map(cell).to_vec() }),
        wasserstein: Some(WassersteinSection { value: 8.25, scaled: Some(0.85), error_bound: 0.125 }),
        shift: Some(ShiftSection { value: 11.7, scaled: Some(1.22) }),
        minimum_detectable: Some(MinimumDetectableSection { psi: 0.17, shift: Some(0.42) }),
        jensen_shannon: Some(0.236),
        total_variation: Some(0.456),
        p_value: Some(1e-4),
        q_value: Some(4e-4),
        reference: SummarySection {
            mean: Some(41.2),
            std: Some(9.6),
            min: Some(12.0),
            max: Some(79.0),
            quantiles: Some(quantiles([14.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0])),
            missing_fraction: 0.004,
            non_finite_fraction: 0.0,
        },
        current: SummarySection {
            mean: Some(52.9),
            std: Some(10.4),
            min: Some(15.0),
            max: Some(95.0),
            quantiles: Some(quantiles([18.0, 26.0, 36.0, 52.0, 62.0, 74.0, 88.0])),
            missing_fraction: 0.012,
            non_finite_fraction: 0.002,
        },
        histogram: Some(HistogramSection {
            edges: vec![20.0, 30.0, 40.0, 50.0, 60.0],
            reference: vec![0.2, 0.3, 0.25, 0.15],
            current: vec![0.1, 0.15, 0.3, 0.25],
            below: SidesSection { reference: 0.1, current: 0.0 },
            above: SidesSection { reference: 0.0, current: 0.2 },
        }),
        ..bare("contrast", Verdict::Drift)
    }
}

fn quantiles([p01, p05, p25, p50, p75, p95, p99]: [f64; 7]) -> QuantilesSection {
    QuantilesSection { p01, p05, p25, p50, p75, p95, p99 }
}

/// A drifted category of more labels than a picture has rows.
fn extent() -> FeatureReport {
    let labels = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
    let reference = [200, 100, 80, 60, 50, 40, 30, 20, 10, 9, 8, 7, 6, 5];
    let current = [20, 100, 90, 50, 60, 30, 40, 10, 20, 3, 2, 4, 5, 6];
    let mut feature = categorical("extent", &labels, &reference, &current, 25);
    feature.verdict = Verdict::Drift;
    feature.reason = "significant and material: q 1.2e-8, PSI adjusted 0.773".to_owned();
    if let Some(psi) = &mut feature.psi {
        (psi.value, psi.adjusted) = (0.902, 0.773);
    }
    feature
}

fn discrete_warning() -> FeatureReport {
    let mut feature = discrete("ggo_ratio", &[380, 41, 52], &[340, 61, 72]);
    feature.verdict = Verdict::Warning;
    feature.reason = "significant, not material".to_owned();
    feature.minimum_detectable = Some(MinimumDetectableSection { psi: 0.31, shift: None });
    if let Some(psi) = &mut feature.psi {
        (psi.value, psi.adjusted) = (0.093, 0.075);
    }
    feature
}

/// Too few rows: only quantiles of the reference are known.
fn few_rows() -> FeatureReport {
    let mut feature = bare("sphericity", Verdict::Inconclusive);
    feature.reason = "4 effective rows of the 10 that it takes: about 14 more rows".to_owned();
    feature.n_current = 9;
    feature.effective_current = 4.0;
    feature.reference.quantiles = Some(quantiles([0.0, 0.2, 0.4, 0.5, 0.7, 1.2, 1.4]));
    feature
}

/// One bin holds most of the rows.
fn spiked() -> FeatureReport {
    let mut feature = bare("sparse", Verdict::Stable);
    feature.reason = "no significant change: q 0.61".to_owned();
    feature.q_value = Some(0.61);
    let nothing = SidesSection { reference: 0.0, current: 0.0 };
    feature.histogram = Some(HistogramSection {
        edges: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        reference: vec![0.02, 0.03, 0.81, 0.08, 0.06],
        current: vec![0.04, 0.06, 0.7, 0.12, 0.08],
        below: nothing,
        above: nothing,
    });
    feature.reference.quantiles = Some(quantiles([0.5, 0.8, 2.0, 2.5, 2.75, 4.0, 4.5]));
    feature.current.quantiles = Some(quantiles([0.4, 0.7, 2.1, 2.625, 2.9, 4.25, 4.75]));
    feature
}

/// Nothing is known but how many values are missing.
fn without_anything() -> FeatureReport {
    let mut feature = bare("texture", Verdict::Stable);
    feature.reference.missing_fraction = 0.05;
    feature.reference.non_finite_fraction = 0.01;
    feature
}

/// What the model said: less sure than before.
fn confidence() -> FeatureReport {
    let mut feature = bare("confidence", Verdict::Drift);
    feature.reason = "significant and material: q 0.011".to_owned();
    feature.q_value = Some(0.011);
    feature.shift = Some(ShiftSection { value: -0.125, scaled: Some(-0.75) });
    feature.reference.quantiles = Some(quantiles([0.3, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99]));
    feature.current.quantiles = Some(quantiles([0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97]));
    (feature.reference.mean, feature.current.mean) = (Some(0.75), Some(0.625));
    feature
}

fn class() -> FeatureReport {
    let mut feature = categorical("class", &["benign", "malignant"], &[500, 113], &[180, 39], 0);
    feature.verdict = Verdict::Stable;
    feature
}

/// Six windows, six hours apart. The first had no row.
fn history() -> Vec<PastRun> {
    let window = |back: u32| {
        let window_end = window_end() - TimeDelta::hours(6) * i32::try_from(back).unwrap();
        let past = |verdict, psi: Option<f64>| PastFeature { verdict, psi_adjusted: psi, ks_statistic: psi.map(|psi| psi / 2.0) };
        let since = |windows: u32, verdict| if back <= windows { verdict } else { Verdict::Stable };
        let only = |window: u32, verdict| if back == window { verdict } else { Verdict::Stable };
        let mut features = BTreeMap::new();
        let psi = Some(f64::from(8 - back) / 20.0).filter(|_| back != 5);
        features.insert("contrast".into(), past(since(3, Verdict::Drift), psi));
        if back != 2 {
            features.insert("extent".into(), past(only(1, Verdict::Broken), None));
        }
        features.insert("ggo_ratio".into(), past(since(2, Verdict::Warning), Some(0.05)));
        features.insert("eccentricity".into(), past(Verdict::Stable, Some(0.01)));
        features.insert("sphericity".into(), past(Verdict::Inconclusive, None));
        features.insert("sparse".into(), past(only(6, Verdict::Warning), Some(0.0)));
        features.insert("texture".into(), past(Verdict::Stable, Some(0.02)));
        let (verdict, share, rows) = match back {
            1..=2 => (DatasetVerdict::Drift, 0.5, 300 + u64::from(back)),
            6 => (DatasetVerdict::NoData, 0.0, 0),
            4 => (DatasetVerdict::Inconclusive, 0.25, 40),
            _ => (DatasetVerdict::Stable, 0.125, 1_000 + u64::from(back)),
        };
        PastRun { window_start: Some(window_end - TimeDelta::hours(24)), window_end, verdict, share, rows, features }
    };
    (1..=6).rev().map(window).collect()
}

/// Fourteen pairs of which the report lists thirteen and a picture shows twelve.
fn joint() -> JointSection {
    let pair = |index: u32| PairSection {
        a: FeatureName::new(format!("left_{index}")),
        b: FeatureName::new(format!("right_{index}")),
        reference: f64::from(index) / 20.0,
        current: -f64::from(index) / 10.0 + 0.3,
        p_value: 1e-9 * f64::from(index),
        q_value: 2e-7 * f64::from(index),
    };
    JointSection { pairs_tested: 1_035, pairs_changed: 14, changed: (1..=13).map(pair).collect() }
}

fn findings() -> Vec<Finding> {
    let object = "gs://ct-scan-drift-logs/predictions/2026/01/31.csv.gz";
    vec![
        Finding::new(FindingCode::FeatureAllNull, Severity::Error, "Every value of eccentricity in the window is missing.")
            .about_feature(&"eccentricity".into()),
        Finding::new(FindingCode::RowsRejected, Severity::Warning, "11 rows were rejected.").about_object(object),
        Finding::new(FindingCode::ColumnNotShared, Severity::Info, "Only the logs have the column scanner."),
    ]
}

/// Every signal, each with another state of everything.
fn signals() -> Vec<SignalReport> {
    let hours = |hours: i64| window_end() - TimeDelta::hours(hours);
    let quiet = |name: SignalName, value: f64, threshold: f64, n: u64| SignalReport {
        name,
        mode: SignalMode::Notify,
        state: SignalState::Quiet,
        reason: format!("The reason of {name}."),
        value: Some(value),
        threshold: Some(threshold),
        n,
        interval: None,
        transition: Some(Transition::None),
        since: None,
        silenced: None,
        deliveries: Vec::new(),
    };
    let sent = |channel: &str, status| Delivery { channel: channel.to_owned(), status };
    vec![
        SignalReport {
            state: SignalState::Firing,
            interval: Some([0.152, 0.646]),
            transition: Some(Transition::Worsened),
            since: Some(hours(18)),
            deliveries: vec![sent("slack", DeliveryStatus::Pending), sent("email", DeliveryStatus::Delivered)],
            ..quiet(SignalName::DataDrift, 0.375, 0.3, 8)
        },
        SignalReport {
            mode: SignalMode::Shadow,
            state: SignalState::Inconclusive,
            transition: None,
            ..quiet(SignalName::LowConfidence, 0.625, 0.7, 1_219)
        },
        SignalReport { interval: Some([0.81, 0.93]), ..quiet(SignalName::Accuracy, 0.875, 0.8, 120) },
        SignalReport {
            transition: Some(Transition::Resolved),
            since: Some(hours(30)),
            ..quiet(SignalName::PredictionDrift, 0.0625, 0.1, 2)
        },
        SignalReport {
            state: SignalState::Firing,
            transition: Some(Transition::Ongoing),
            since: Some(hours(12)),
            silenced: Some(SilenceReport { until: hours(-48), reason: "the scanner is being mended".to_owned() }),
            ..quiet(SignalName::BrokenInput, 1.0, 0.0, 8)
        },
        quiet(SignalName::NoData, 1.5, 26.0, 1_219),
        SignalReport { value: None, ..quiet(SignalName::Storage, 0.0, 5e8, 3) },
    ]
}

/// An end of a window, so many hours before that of the report.
pub fn ended(hours: i64) -> DateTime<Utc> {
    window_end() - TimeDelta::hours(hours)
}
