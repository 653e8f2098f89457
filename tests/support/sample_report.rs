//! Reports to render: a realistic drift day, and every edge that a renderer has to survive.
//!
//! The numbers come from known distributions, so that a picture, a median and a table of one feature agree with each other. They are
//! not expected values of any statistic.

#[path = "sample_feature.rs"]
mod sample_feature;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use drift_check::decision::finding::{Finding, FindingCode, Severity};
use drift_check::decision::signal::{Delivery, DeliveryStatus, SignalMode, SignalName, SignalReport, SignalState, Transition};
use drift_check::decision::{DatasetVerdict, Rule, Verdict};
use drift_check::feature::FeatureName;
use drift_check::report::{
    CauseSection, CurrentSection, DecisionSection, FeatureReport, JointSection, ObjectSection, PairSection, PastFeature, PastRun,
    ReferenceSection, Report, Run, Timings, WindowSection,
};

pub use sample_feature::{Shape, all_null, bare, categorical, discrete, numeric};

/// Names that try to break out of the page, the table and the terminal.
pub const HOSTILE: [&str; 6] = [
    "<script>window.hostile=1;alert(1)</script>",
    "\"><img src=x onerror=\"window.hostile=1\">",
    "a|b`c`\n## heading [x](http://evil.example)",
    "\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}\u{202E}desrever",
    "{{ template }} {% raw %} &amp; ' \" </title></style>",
    "a_feature_with_a_name_that_goes_on_and_on_and_on_without_one_single_place_to_break_it_for_much_longer_than_any_column_is_wide",
];

/// 2026-01-31 18:00 UTC.
pub fn window_end() -> DateTime<Utc> {
    DateTime::from_timestamp(1_769_882_400, 0).unwrap()
}

/// Six of sixteen features drifted and one broken, with six past windows.
pub fn drift_day() -> Report {
    let mut features = vec![
        all_null("eccentricity"),
        numeric("glcm_contrast_mean", Shape::normal(41.2, 9.6), Shape::normal(52.9, 10.4)),
        numeric("wavelet_L2_HH_energy", Shape::log(6.1, 0.52), Shape::log(6.72, 0.58)),
        discrete("ggo_ratio", &[380, 41, 52, 48, 39, 31, 22], &[21, 6, 14, 24, 41, 52, 61]),
        categorical("extent", &["axial", "coronal", "sagittal", "oblique"], &[402, 121, 66, 24], &[96, 70, 28, 4], 21),
        numeric("max_gradient", Shape::normal(812.0, 140.0), Shape::normal(905.0, 141.0)),
        numeric("perimeter", Shape::log(4.4, 0.35), Shape::log(4.58, 0.44)),
        numeric("sphericity", Shape::normal(0.742, 0.081), Shape::normal(0.718, 0.084)),
        Shape::few(numeric("wavelet_L1_HH_energy", Shape::log(-4.2, 0.6), Shape::log(-4.1, 0.62))),
    ];
    for (name, shape, nudge) in [
        ("compactness", Shape::normal(0.61, 0.11), 0.002),
        ("glcm_correlation_std", Shape::normal(0.031, 0.006), 0.0002),
        ("major_axis_length", Shape::log(3.1, 0.4), 0.02),
        ("solidity", Shape::normal(0.904, 0.041), -0.001),
        ("wavelet_L1_LH_mean", Shape::normal(-0.0012, 0.011), 0.0003),
        ("wavelet_L2_HH_mean", Shape::normal(0.00002, 0.0041), -0.0001),
        ("wavelet_L2_HL_energy", Shape::log(7.9, 0.5), 0.03),
    ] {
        features.push(numeric(name, shape, shape.moved(nudge)));
    }
    let mut report = assemble(features, history(6));
    report.causes = vec![CauseSection {
        features: ["glcm_contrast_mean", "wavelet_L2_HH_energy", "max_gradient"].map(FeatureName::new).to_vec(),
        correlation: 0.917,
    }];
    report.joint = Some(joint());
    report.findings = findings();
    report.signals = signals(&report);
    report
}

/// The same day with names and messages that attack whatever shows them.
pub fn hostile_day() -> Report {
    day_of(HOSTILE)
}

/// The same day with these names, and messages of them.
pub fn day_of(names: [&str; 6]) -> Report {
    let mut report = drift_day();
    for (feature, name) in report.features.iter_mut().zip(names) {
        feature.name = FeatureName::new(name);
        feature.reason = format!("reason of {name}");
    }
    if let Some(psi) = report.features.iter_mut().find_map(|feature| feature.psi.as_mut()) {
        for (cell, name) in psi.cells.iter_mut().zip(names) {
            cell.label = name.to_owned();
        }
    }
    for cause in &mut report.causes {
        cause.features = names.map(FeatureName::new).to_vec();
    }
    for pair in report.joint.iter_mut().flat_map(|joint| &mut joint.changed) {
        (pair.a, pair.b) = (FeatureName::new(names[0]), FeatureName::new(names[1]));
    }
    let hostile = names.join(" ");
    report.run.job.clone_from(&hostile);
    report.run.environment.clone_from(&hostile);
    report.run.command.clone_from(&hostile);
    report.decision.conclusion.clone_from(&hostile);
    for finding in &mut report.findings {
        finding.message.clone_from(&hostile);
        finding.object = Some(hostile.clone());
        finding.feature = Some(FeatureName::new(hostile.clone()));
    }
    for object in report.reference.objects.iter_mut().chain(&mut report.current.objects) {
        object.uri.clone_from(&hostile);
        object.generation.clone_from(&hostile);
    }
    for signal in &mut report.signals {
        signal.deliveries = vec![Delivery { channel: hostile.clone(), status: DeliveryStatus::Suppressed }];
    }
    report
}

/// A window without a row.
pub fn no_data() -> Report {
    let names = ["sphericity", "solidity", "perimeter"];
    let mut report = assemble(names.iter().map(|name| bare(name, Verdict::Inconclusive)).collect(), history(3));
    report.decision.verdict = DatasetVerdict::NoData;
    report.decision.conclusion = "No data: the window holds no row, so nothing was compared.".to_owned();
    report.current = CurrentSection {
        rows: 0,
        effective_rows: 0.0,
        rows_read: 0,
        rows_outside_window: 0,
        rows_rejected: 0,
        objects: Vec::new(),
        objects_skipped: 112,
    };
    report.findings = vec![Finding::new(FindingCode::NoRows, Severity::Error, "The window holds no row.")];
    report
}

/// Nothing drifted.
pub fn stable_day() -> Report {
    let shape = Shape::normal(10.0, 2.0);
    let names = ["sphericity", "solidity", "perimeter", "compactness"];
    assemble(names.iter().map(|name| numeric(name, shape, shape.moved(0.02))).collect(), history(4))
}

/// Too few rows to tell anything.
pub fn inconclusive_day() -> Report {
    let shape = Shape::normal(10.0, 2.0);
    let names = ["sphericity", "solidity", "perimeter", "compactness"];
    assemble(names.iter().map(|name| Shape::few(numeric(name, shape, shape.moved(0.9)))).collect(), history(4))
}

/// No feature, no row, no object, no past: every section that can be empty is.
pub fn nothing_at_all() -> Report {
    let mut report = assemble(Vec::new(), Vec::new());
    report.window = WindowSection { start: None, end: None, length_s: None };
    report.reference.objects = Vec::new();
    report.current.objects = Vec::new();
    report
}

/// Features of every verdict of which nothing at all is known.
pub fn all_none() -> Report {
    let verdicts = [Verdict::Broken, Verdict::Drift, Verdict::Warning, Verdict::Inconclusive, Verdict::Stable];
    assemble(verdicts.iter().map(|verdict| bare(&format!("bare_{verdict}"), *verdict)).collect(), Vec::new())
}

/// A zero-inflated feature with a histogram: one bin holds most of the rows on both sides.
pub fn spike() -> Report {
    let mut feature = numeric("ggo_ratio", Shape::normal(0.2, 0.1), Shape::normal(0.25, 0.1));
    if let Some(histogram) = &mut feature.histogram {
        for (bins, spike) in [(&mut histogram.reference, 0.71), (&mut histogram.current, 0.58)] {
            for fraction in bins.iter_mut() {
                *fraction *= 1.0 - spike;
            }
            bins[4] += spike;
        }
    }
    assemble(vec![feature], Vec::new())
}

/// Numbers that should never be in a report, and a histogram without bins.
pub fn not_finite() -> Report {
    let mut report = drift_day();
    for (index, feature) in report.features.iter_mut().enumerate() {
        if let Some(histogram) = &mut feature.histogram {
            match index % 4 {
                0 => histogram.edges = vec![f64::NAN, f64::INFINITY],
                1 => (histogram.edges, histogram.reference, histogram.current) = (Vec::new(), Vec::new(), Vec::new()),
                2 => histogram.reference.fill(f64::NAN),
                _ => histogram.edges.fill(1.0),
            }
        }
        feature.reference.mean = Some(f64::NAN);
        feature.current.std = Some(f64::INFINITY);
        if let Some(quantiles) = &mut feature.current.quantiles {
            (quantiles.p05, quantiles.p50, quantiles.p95) = (f64::NEG_INFINITY, f64::NAN, f64::INFINITY);
        }
    }
    report.decision.share = f64::NAN;
    report.decision.threshold = f64::INFINITY;
    for past in &mut report.run.history {
        past.share = f64::NAN;
    }
    report
}

/// A wide model: 500 features, twenty of them drifted.
pub fn wide(features: usize) -> Report {
    let shape = Shape::normal(100.0, 15.0);
    let list = (0..features)
        .map(|index| {
            let nudge = if index < features / 25 { 16.0 } else { 0.2 };
            numeric(&format!("feature_{index:03}"), shape, shape.moved(nudge))
        })
        .collect();
    assemble(list, history(6))
}

/// Puts the features into a report whose decision is computed from their verdicts.
pub fn assemble(mut features: Vec<FeatureReport>, history: Vec<PastRun>) -> Report {
    features.sort_by(|a, b| a.verdict.cmp(&b.verdict).then_with(|| psi(b).total_cmp(&psi(a))).then_with(|| a.name.cmp(&b.name)));
    let count = |verdict| u32::try_from(features.iter().filter(|feature| feature.verdict == verdict).count()).unwrap();
    let (drifted, broken, inconclusive) = (count(Verdict::Drift), count(Verdict::Broken), count(Verdict::Inconclusive));
    let configured = u32::try_from(features.len()).unwrap();
    let share = f64::from(drifted + broken) / f64::from(configured.max(1));
    let (verdict, word) = match (share > 0.3, f64::from(drifted + broken + inconclusive) / f64::from(configured.max(1)) > 0.3) {
        (true, _) => (DatasetVerdict::Drift, "Drift"),
        (false, true) => (DatasetVerdict::Inconclusive, "Inconclusive"),
        (false, false) => (DatasetVerdict::Stable, "Stable"),
    };
    let conclusion = format!(
        "{word}: {} of {configured} features changed ({drifted} drifted, {broken} broken), {:.1} % against a threshold of 30 %.",
        drifted + broken,
        share * 100.0
    );
    Report {
        schema_version: 1,
        run: run(history),
        window: WindowSection { start: Some(window_end() - TimeDelta::hours(24)), end: Some(window_end()), length_s: Some(86_400) },
        reference: ReferenceSection {
            rows: 613,
            effective_rows: 402.7,
            profile_id: "9f2c4e61d0b7a835".to_owned(),
            objects: vec![object("reference/radiomics.parquet", 613, 84_211)],
        },
        current: CurrentSection {
            rows: 219,
            effective_rows: 148.3,
            rows_read: 1_204,
            rows_outside_window: 974,
            rows_rejected: 11,
            objects: vec![
                object("predictions/2026/01/30.csv.gz", 71, 40_127),
                object("predictions/2026/01/31.csv.gz", 148, 61_003),
            ],
            objects_skipped: 28,
        },
        decision: DecisionSection {
            verdict,
            drifted,
            broken,
            inconclusive,
            configured,
            share,
            threshold: 0.3,
            rule: Rule::SignificantAndMaterial,
            alpha: 0.05,
            psi_drift: 0.10,
            psi_warning: 0.05,
            conclusion,
        },
        features,
        predictions: Vec::new(),
        causes: Vec::new(),
        joint: None,
        findings: Vec::new(),
        signals: Vec::new(),
    }
}

fn psi(feature: &FeatureReport) -> f64 {
    feature.psi.as_ref().map_or(0.0, |psi| psi.adjusted)
}

fn run(history: Vec<PastRun>) -> Run {
    Run {
        id: "019c157a-41c0-7d52-8b1e-3f0a6d5c9e21".to_owned(),
        job: "ct-scan".to_owned(),
        environment: "prod".to_owned(),
        version: "0.1.0".to_owned(),
        attempt: 1,
        trigger: "cloud-run".to_owned(),
        started_at: window_end() + TimeDelta::seconds(7),
        finished_at: window_end() + TimeDelta::seconds(11),
        timings: Timings {
            reference_s: 0.04,
            listing_s: 0.21,
            reading_s: 2.87,
            download_s: 1.92,
            decode_s: 1.31,
            count_s: 0.88,
            statistics_s: 0.12,
            write_s: None,
        },
        config_digest: "5b1d09aa37c4f2e8".to_owned(),
        command: "drift-check --config ct-scan.toml --window 24h --as-of 2026-01-31T18:00:00Z".to_owned(),
        history,
    }
}

fn object(path: &str, rows: u64, size_bytes: u64) -> ObjectSection {
    let uri = format!("gs://ct-scan-drift-logs/{path}");
    ObjectSection { uri, generation: "1769881322417006".to_owned(), size_bytes, rows }
}

/// Past windows, six hours apart: stable at first, then the drift builds up.
pub fn history(windows: usize) -> Vec<PastRun> {
    let names: Vec<FeatureName> = drifting().iter().map(|(name, _)| FeatureName::new(*name)).collect();
    (0..windows)
        .map(|index| {
            let back = windows - index;
            let mut features: BTreeMap<FeatureName, PastFeature> = BTreeMap::new();
            for (name, (_, since)) in names.iter().zip(drifting()) {
                let verdict = if back <= since { Verdict::Drift } else { Verdict::Stable };
                let psi_adjusted = if back <= since { 0.18 + 0.07 * (since - back) as f64 } else { 0.004 * index as f64 };
                features.insert(name.clone(), PastFeature { verdict, psi_adjusted: Some(psi_adjusted), ks_statistic: None });
            }
            let lone = |verdict, psi_adjusted| PastFeature { verdict, psi_adjusted, ks_statistic: None };
            features.insert("eccentricity".into(), lone(if back == 1 { Verdict::Broken } else { Verdict::Stable }, None));
            features.insert("sphericity".into(), lone(if back <= 2 { Verdict::Warning } else { Verdict::Stable }, Some(0.06)));
            features.insert("solidity".into(), lone(if index == 1 { Verdict::Warning } else { Verdict::Stable }, Some(0.01)));
            features.insert("wavelet_L1_HH_energy".into(), lone(Verdict::Inconclusive, Some(0.0)));
            let affected = features.values().filter(|feature| feature.verdict <= Verdict::Drift).count();
            let share = affected as f64 / 16.0;
            let verdict = if share > 0.3 { DatasetVerdict::Drift } else { DatasetVerdict::Stable };
            let window_end = window_end() - TimeDelta::hours(6 * back as i64);
            let window_start = Some(window_end - TimeDelta::hours(24));
            PastRun { window_start, window_end, verdict, share, rows: 190 + 7 * index as u64, features }
        })
        .collect()
}

/// Features and for how many past windows each has drifted.
fn drifting() -> [(&'static str, usize); 6] {
    [("glcm_contrast_mean", 4), ("wavelet_L2_HH_energy", 3), ("ggo_ratio", 2), ("extent", 2), ("max_gradient", 1), ("perimeter", 0)]
}

/// Stable features whose relations broke.
fn joint() -> JointSection {
    let pair = |a: &str, b: &str, reference, current| PairSection {
        a: FeatureName::new(a),
        b: FeatureName::new(b),
        reference,
        current,
        p_value: 3e-9,
        q_value: 2e-7,
    };
    JointSection {
        pairs_tested: 21,
        pairs_changed: 3,
        changed: vec![
            pair("compactness", "solidity", 0.82, -0.11),
            pair("major_axis_length", "wavelet_L2_HL_energy", 0.64, 0.21),
            pair("glcm_correlation_std", "wavelet_L1_LH_mean", -0.41, 0.02),
        ],
    }
}

fn findings() -> Vec<Finding> {
    let bucket = "gs://ct-scan-drift-logs/predictions/2026/01/31.csv.gz";
    vec![
        Finding::new(
            FindingCode::FeatureAllNull,
            Severity::Error,
            "Every value of eccentricity in the window is missing; look at what the service writes into this column.",
        )
        .about_feature(&"eccentricity".into()),
        Finding::new(
            FindingCode::RowsRejected,
            Severity::Warning,
            "11 rows were rejected: 9 with fewer cells than the header (lines 204, 205, 311), 2 with a timestamp that is none.",
        )
        .about_object(bucket),
        Finding::new(
            FindingCode::DeliveryFailed,
            Severity::Error,
            "A message could not be delivered, and is tried again by the next run: data-drift by slack: status 503.",
        ),
    ]
}

fn signals(report: &Report) -> Vec<SignalReport> {
    let signal = |name, state, value: f64, threshold, n, transition, deliveries| SignalReport {
        name,
        mode: SignalMode::Notify,
        state,
        reason: format!("It reads {value}."),
        value: Some(value),
        threshold: Some(threshold),
        n,
        interval: None,
        transition: Some(transition),
        since: (transition != Transition::None).then(|| window_end() - TimeDelta::hours(18)),
        silenced: None,
        deliveries,
    };
    let slack = vec![
        Delivery { channel: "slack".to_owned(), status: DeliveryStatus::Pending },
        Delivery { channel: "email".to_owned(), status: DeliveryStatus::Delivered },
    ];
    vec![
        signal(SignalName::DataDrift, SignalState::Firing, report.decision.share, 0.3, 16, Transition::Worsened, slack),
        signal(SignalName::BrokenInput, SignalState::Firing, 1.0, 0.0, 16, Transition::Ongoing, Vec::new()),
        signal(SignalName::NoData, SignalState::Quiet, 219.0, 0.0, 219, Transition::None, Vec::new()),
    ]
}
