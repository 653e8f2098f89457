//! A small backtest in which everything that a backtest can hold is there: four days of windows of a day, one every six hours.

use chrono::{DateTime, TimeDelta, Utc};
use drift_check::decision::dataset::decide;
use drift_check::decision::known_drift::KnownInterval;
use drift_check::decision::label::{Label, Truth};
use drift_check::decision::policy::Policy;
use drift_check::decision::rule::Reach;
use drift_check::decision::signal::{Rules, SignalMode, SignalName, Telling, broken_input, data_drift};
use drift_check::decision::{Rule, Verdict};
use drift_check::report::assemble;
use drift_check::report::backtest::summary::{Material, SignalSetting, summarize};
use drift_check::report::backtest::{Backtest, Injected, NotReplayed, ReadingSection, ReplayedFeature, ReplayedWindow, Setting};
use drift_check::window::Window;

/// So many hours after 2026-01-20 00:00 UTC.
pub fn hour(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_768_867_200, 0).unwrap() + TimeDelta::hours(hour)
}

/// Sixteen windows: the fourth has no row, the sixth cannot be used, the eighth to the tenth drift as is known, the eleventh does not
/// tell, the last two drift as was injected.
pub fn backtest() -> Backtest {
    let setting = Setting {
        job: "ct-scan".to_owned(),
        environment: "test".to_owned(),
        version: "0.1.0".to_owned(),
        from: hour(0),
        to: hour(114),
        every_s: 21_600,
        window_s: 86_400,
        rule: Rule::SignificantAndMaterial,
        share: 0.3,
        alpha: 0.05,
        psi_drift: 0.1,
        profile_id: "9f2c4e61d0b7a835".to_owned(),
    };
    let reading = ReadingSection {
        objects: 1_112,
        size_bytes: 123_456_789,
        rows_read: 50_123,
        rows_in_range: 48_765,
        objects_read_again: 3,
        rows_read_again: 4_560,
        rows_read_before: 1_023,
        steps_held: 17,
    };
    let rules = |open_after, close_after| Rules { open_after, close_after, repeat: None, telling: Telling::Send };
    summarize(Material {
        setting,
        policy: &Policy::default(),
        reading,
        windows: (0..16).map(window).collect(),
        signals: vec![
            SignalSetting { name: SignalName::DataDrift, mode: SignalMode::Notify, rules: rules(2, 1) },
            SignalSetting { name: SignalName::BrokenInput, mode: SignalMode::Shadow, rules: rules(1, 2) },
        ],
        not_replayed: vec![NotReplayed { name: SignalName::Storage, reason: "the past of the bucket is not known".to_owned() }],
        known: vec![
            KnownInterval { label: label(Truth::Drift, 60, 84, None), reason: "a new scanner".to_owned() },
            KnownInterval { label: label(Truth::NoDrift, 60, 84, Some("c")), reason: String::new() },
        ],
        injected: vec![Injected { feature: "b".into(), change: "+0.5sd".to_owned(), added: 4.5, scaled: 1.0, at: hour(105) }],
        notes: vec!["The reference is younger than some of the windows.".to_owned()],
    })
}

fn label(truth: Truth, from: i64, to: i64, feature: Option<&str>) -> Label {
    Label { truth, from: hour(from), to: hour(to), feature: feature.map(Into::into) }
}

fn window(index: i64) -> ReplayedWindow {
    let end = 24 + 6 * index;
    let window = Window { start: hour(end - 24), end: hour(end) };
    if index == 5 {
        let reason = "more than half of the rows were rejected";
        let signals = vec![(SignalName::BrokenInput, broken_input(None, Some(reason)).0)];
        let unusable = Some(reason.to_owned());
        return ReplayedWindow { window, rows: 0, decision: None, unusable, features: Vec::new(), signals };
    }
    let rows = if index == 3 { 0 } else { 100 + index.unsigned_abs() };
    let features = vec![
        match index {
            7..=9 => feature("a", Verdict::Drift, Reach::UpTo(0.45)),
            3 | 10 => feature("a", Verdict::Inconclusive, Reach::Never),
            2 => feature("a", Verdict::Warning, Reach::UpTo(0.06)),
            _ => feature("a", Verdict::Stable, Reach::Never),
        },
        match index {
            14 | 15 => feature("b", Verdict::Drift, Reach::UpTo(0.2)),
            8 => feature("b", Verdict::Broken, Reach::Always),
            3 | 10 => feature("b", Verdict::Inconclusive, Reach::Never),
            _ => feature("b", Verdict::Stable, Reach::Never),
        },
        if index == 3 { feature("c", Verdict::Inconclusive, Reach::Never) } else { feature("c", Verdict::Stable, Reach::Never) },
    ];
    let verdicts: Vec<Verdict> = features.iter().map(|feature| feature.verdict).collect();
    let decision = decide(&verdicts, 0.3, rows);
    ReplayedWindow {
        window,
        rows,
        signals: vec![
            (SignalName::DataDrift, data_drift(&decision).0),
            (SignalName::BrokenInput, broken_input(Some(&decision), None).0),
        ],
        decision: Some(assemble::decision(&decision, &Policy::default(), &[])),
        unusable: None,
        features,
    }
}

fn feature(name: &str, verdict: Verdict, reach: Reach) -> ReplayedFeature {
    let is_told = verdict != Verdict::Inconclusive;
    ReplayedFeature {
        name: name.into(),
        verdict,
        reason: format!("{name} is {verdict}"),
        q_value: is_told.then_some(0.01),
        psi_adjusted: match reach {
            Reach::UpTo(size) => Some(size),
            _ => is_told.then_some(0.0),
        },
        effective_rows: if name == "c" { 55.0 } else { 80.0 },
        detectable_psi: (name != "c").then_some(0.2),
        detectable_sd: (name == "a").then_some(0.4),
        reach,
    }
}
