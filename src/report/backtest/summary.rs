//! From windows to the backtest: counts, rates, episodes, curves and delays, each over its own windows.

use super::curve::curves;
use super::delay::{By, delays};
use super::episodes::{in_a_row, live};
use super::rate::Rate;
use super::{
    Backtest, FeatureSummary, Injected, NotReplayed, ReadingSection, ReplayedFeature, ReplayedWindow, SCHEMA_VERSION, Setting,
    SignalSummary, WindowFeatureSection, WindowSection, WindowSignalSection, fired,
};
use crate::decision::known_drift::{KnownInterval, is_drift, is_drift_of};
use crate::decision::label::{Label, Truth};
use crate::decision::policy::Policy;
use crate::decision::signal::{Rules, SignalMode, SignalName};
use crate::decision::{DatasetVerdict, Verdict};
use crate::feature::FeatureName;

/// A signal that was replayed.
#[derive(Clone, Copy, Debug)]
pub struct SignalSetting {
    pub name: SignalName,
    pub mode: SignalMode,
    pub rules: Rules,
}

/// What a backtest is made of.
pub struct Material<'a> {
    pub setting: Setting,
    pub policy: &'a Policy,
    pub reading: ReadingSection,
    /// In the order of time.
    pub windows: Vec<ReplayedWindow>,
    pub signals: Vec<SignalSetting>,
    pub not_replayed: Vec<NotReplayed>,
    /// Of the past as it was; what is injected is added.
    pub known: Vec<KnownInterval>,
    pub injected: Vec<Injected>,
    pub notes: Vec<String>,
}

/// Sums everything up.
pub fn summarize(material: Material<'_>) -> Backtest {
    let Material { setting, policy, reading, windows, signals, not_replayed, known, injected, notes } = material;
    let mut drifts = known.clone();
    drifts.extend(injected.iter().map(|injected| KnownInterval {
        label: Label { truth: Truth::Drift, from: injected.at, to: setting.to, feature: Some(injected.feature.clone()) },
        reason: format!("injected: {} {}", injected.feature, injected.change),
    }));
    let touches: Vec<bool> = windows.iter().map(|replayed| is_drift(&drifts, replayed.window.start, replayed.window.end)).collect();
    let count = |wanted: fn(&ReplayedWindow) -> bool| windows.iter().filter(|window| wanted(window)).count() as u64;
    let names = names(&windows);
    Backtest {
        schema_version: SCHEMA_VERSION,
        windows_total: windows.len() as u64,
        windows_independent: Rate::of(windows.iter().map(|window| (window.window, false))).independent,
        windows_empty: count(|window| window.verdict() == Some(DatasetVerdict::NoData)),
        windows_unusable: count(|window| window.unusable.is_some()),
        signals: signals.iter().map(|signal| of_signal(signal, &windows, &touches)).collect(),
        not_replayed,
        features: names.iter().map(|name| of_feature(name, &windows, &drifts)).collect(),
        curves: curves(&windows, &touches, policy),
        delays: delays_of(&windows, &drifts, &signals, &names),
        windows: windows.iter().zip(&touches).map(|(window, touches)| section(window, *touches)).collect(),
        setting,
        reading,
        known,
        injected,
        notes,
    }
}

/// The features of any window, in the order in which they first occur.
fn names(windows: &[ReplayedWindow]) -> Vec<FeatureName> {
    let mut names: Vec<FeatureName> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for feature in windows.iter().flat_map(|window| &window.features) {
        if seen.insert(&feature.name) {
            names.push(feature.name.clone());
        }
    }
    names
}

fn of_signal(signal: &SignalSetting, windows: &[ReplayedWindow], touches: &[bool]) -> SignalSummary {
    let SignalSetting { name, mode, rules } = *signal;
    let read =
        || windows.iter().zip(touches).filter_map(|(window, touches)| Some((window.window, *window.reading(name)?, *touches)));
    let told = || read().filter_map(|(window, reading, touches)| Some((window, fired(&reading)?, touches)));
    let life = live(name, &rules, read().map(|(window, reading, _)| (window, reading)));
    SignalSummary {
        name,
        mode,
        open_after: rules.open_after,
        close_after: rules.close_after,
        all: Rate::of(told().map(|(window, fired, _)| (window, fired))),
        clean: Rate::of(told().filter(|(.., touches)| !touches).map(|(window, fired, _)| (window, fired))),
        inconclusive: read().filter(|(_, reading, _)| fired(reading).is_none()).count() as u64,
        episodes: life.episodes,
        messages: life.messages,
    }
}

fn of_feature(name: &FeatureName, windows: &[ReplayedWindow], drifts: &[KnownInterval]) -> FeatureSummary {
    let seen: Vec<_> = windows.iter().filter_map(|window| Some((window.window, window.feature(name)?))).collect();
    let with = |verdict: Verdict| seen.iter().filter(|(_, feature)| feature.verdict == verdict).count() as u64;
    let told = || seen.iter().filter_map(|(window, feature)| Some((*window, feature.fired()?)));
    let is_clean = |window: &crate::window::Window| !is_drift_of(drifts, name, window.start, window.end);
    let tested: Vec<&ReplayedFeature> =
        seen.iter().map(|(_, feature)| *feature).filter(|feature| feature.q_value.is_some()).collect();
    FeatureSummary {
        name: name.clone(),
        drift: with(Verdict::Drift),
        broken: with(Verdict::Broken),
        warning: with(Verdict::Warning),
        inconclusive: with(Verdict::Inconclusive),
        stable: with(Verdict::Stable),
        all: Rate::of(told()),
        clean: Rate::of(told().filter(|(window, _)| is_clean(window))),
        episodes: in_a_row(seen.iter().map(|(window, feature)| (*window, feature.fired(), feature.psi_adjusted))),
        detectable_psi: median(tested.iter().filter_map(|feature| feature.detectable_psi)),
        detectable_sd: median(tested.iter().filter_map(|feature| feature.detectable_sd)),
        blind: tested.iter().filter(|feature| feature.detectable_psi.is_none()).count() as u64,
        effective_rows: median(seen.iter().map(|(_, feature)| feature.effective_rows)),
    }
}

/// The middle value, or the mean of the two in the middle; `None` of nothing.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    let lower = if values.len().is_multiple_of(2) { *values.get(middle.checked_sub(1)?)? } else { upper };
    Some(f64::midpoint(lower, upper))
}

/// Each known drift once, and those that begin together as one: injected changes of several features are one drift.
fn delays_of(
    windows: &[ReplayedWindow],
    drifts: &[KnownInterval],
    signals: &[SignalSetting],
    names: &[FeatureName],
) -> Vec<super::delay::Delays> {
    let mut groups: Vec<(&KnownInterval, Vec<&KnownInterval>)> = Vec::new();
    for drift in drifts.iter().filter(|drift| drift.label.truth == Truth::Drift) {
        match groups.iter_mut().find(|(first, _)| (first.label.from, first.label.to) == (drift.label.from, drift.label.to)) {
            Some((_, members)) => members.push(drift),
            None => groups.push((drift, vec![drift])),
        }
    }
    let of_signals = [SignalName::DataDrift, SignalName::PredictionDrift, SignalName::LowConfidence];
    groups
        .into_iter()
        .map(|(first, members)| {
            let replayed = of_signals.into_iter().filter(|name| signals.iter().any(|signal| signal.name == *name));
            let mut by: Vec<By> = replayed.map(By::Signal).collect();
            let named: Vec<&FeatureName> = members.iter().filter_map(|drift| drift.label.feature.as_ref()).collect();
            by.extend(names.iter().filter(|name| named.contains(name)).cloned().map(By::Feature));
            let reasons: Vec<&str> =
                members.iter().map(|drift| drift.reason.as_str()).filter(|reason| !reason.is_empty()).collect();
            let what = if reasons.is_empty() { "known drift".to_owned() } else { reasons.join("; ") };
            delays(windows, what, first.label.from, Some(first.label.to), &by)
        })
        .collect()
}

fn section(replayed: &ReplayedWindow, known_drift: bool) -> WindowSection {
    let feature = |feature: &ReplayedFeature| WindowFeatureSection {
        name: feature.name.clone(),
        verdict: feature.verdict,
        reason: feature.reason.clone(),
        q_value: feature.q_value,
        psi_adjusted: feature.psi_adjusted,
    };
    WindowSection {
        start: replayed.window.start,
        end: replayed.window.end,
        rows: replayed.rows,
        known_drift,
        unusable: replayed.unusable.clone(),
        decision: replayed.decision.clone(),
        features: replayed.features.iter().map(feature).collect(),
        signals: replayed
            .signals
            .iter()
            .map(|(name, reading)| WindowSignalSection { name: *name, state: reading.state, value: reading.value })
            .collect(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::rate::tests::window as span;
    use super::*;
    use crate::decision::Rule;
    use crate::decision::dataset::decide;
    use crate::decision::rule::Reach;
    use crate::decision::signal::{Telling, data_drift};
    use crate::report::assemble;

    /// A feature that is drift up to a threshold, by the default policy.
    pub fn feature(reach: Reach) -> ReplayedFeature {
        let verdict = match reach {
            Reach::Always => Verdict::Broken,
            reach if reach.is_drift_at(0.10) => Verdict::Drift,
            _ => Verdict::Stable,
        };
        let psi_adjusted = if let Reach::UpTo(size) = reach { Some(size) } else { Some(0.0) };
        ReplayedFeature {
            name: FeatureName::from("f"),
            verdict,
            reason: String::new(),
            q_value: Some(0.01),
            psi_adjusted,
            effective_rows: 100.0,
            detectable_psi: Some(0.2),
            detectable_sd: Some(0.4),
            reach,
        }
    }

    /// A window of a day that ends at this hour, with features `f0`, `f1`, …
    pub fn window(end_hour: i64, features: &[ReplayedFeature]) -> ReplayedWindow {
        let named = |(index, feature): (usize, &ReplayedFeature)| ReplayedFeature {
            name: FeatureName::new(format!("f{index}")),
            ..feature.clone()
        };
        let features: Vec<ReplayedFeature> = features.iter().enumerate().map(named).collect();
        let verdicts: Vec<Verdict> = features.iter().map(|feature| feature.verdict).collect();
        let decision = decide(&verdicts, 0.30, 100);
        ReplayedWindow {
            window: span(end_hour, 24),
            rows: 100,
            signals: vec![(SignalName::DataDrift, data_drift(&decision).0)],
            decision: Some(assemble::decision(&decision, &Policy::default(), &[])),
            unusable: None,
            features,
        }
    }

    pub fn backtest(windows: Vec<ReplayedWindow>, known: Vec<KnownInterval>, injected: Vec<Injected>) -> Backtest {
        let (from, to) = (windows[0].window.start, windows[windows.len() - 1].window.end);
        let rules = Rules { open_after: 1, close_after: 1, repeat: None, telling: Telling::Send };
        summarize(Material {
            setting: Setting {
                job: "ct-scan".to_owned(),
                environment: "test".to_owned(),
                version: "0.0.0".to_owned(),
                from,
                to,
                every_s: 21_600,
                window_s: 86_400,
                rule: Rule::SignificantAndMaterial,
                share: 0.30,
                alpha: 0.05,
                psi_drift: 0.10,
                profile_id: "0123456789abcdef".to_owned(),
            },
            policy: &Policy::default(),
            reading: ReadingSection::default(),
            windows,
            signals: vec![SignalSetting { name: SignalName::DataDrift, mode: SignalMode::Notify, rules }],
            not_replayed: vec![NotReplayed { name: SignalName::Storage, reason: "no past".to_owned() }],
            known,
            injected,
            notes: Vec::new(),
        })
    }

    fn interval(from_hour: i64, to_hour: i64, feature: Option<&str>) -> KnownInterval {
        let (from, to) = (span(from_hour, 1).end, span(to_hour, 1).end);
        let label = Label { truth: Truth::Drift, from, to, feature: feature.map(FeatureName::from) };
        KnownInterval { label, reason: "new scanner".to_owned() }
    }

    /// Twelve windows of a day, every six hours, ending at hour 24, 30, …, 90; those that end at 60 and 66 drift.
    fn twelve() -> Vec<ReplayedWindow> {
        let ends = (0..12).map(|index| 24 + 6 * index);
        let drifts = |end: i64| if end == 60 || end == 66 { Reach::UpTo(0.4) } else { Reach::Never };
        ends.map(|end| window(end, &[feature(drifts(end)), feature(Reach::Never)])).collect()
    }

    #[test]
    fn an_alarm_that_nobody_knows_a_drift_for_is_false() {
        let found = backtest(twelve(), Vec::new(), Vec::new());
        let [signal] = found.signals.as_slice() else { panic!("one signal") };
        // Stretches: 24–42, 48–66, 72–90.
        assert_eq!((found.windows_total, found.windows_independent), (12, 3));
        assert_eq!(
            (signal.clean.windows, signal.clean.fired, signal.clean.independent, signal.clean.independent_fired),
            (12, 2, 3, 1)
        );
        assert_eq!(signal.all, signal.clean);
        assert_eq!(signal.episodes.len(), 1);
        let [first, second] = found.features.as_slice() else { panic!("two features") };
        assert_eq!((first.drift, first.stable, first.clean.fired, second.clean.fired), (2, 10, 2, 0));
        assert_eq!((first.detectable_psi, first.detectable_sd, first.effective_rows), (Some(0.2), Some(0.4), Some(100.0)));
    }

    #[test]
    fn windows_that_touch_a_known_drift_are_no_trials() {
        let found = backtest(twelve(), vec![interval(54, 62, None)], Vec::new());
        // [30, 54) is the last clean window before it, [66, 90) the first one after it: the one that ends at 90.
        let clean = found.signals[0].clean;
        assert_eq!((clean.windows, clean.fired, clean.independent, clean.independent_fired), (7, 0, 3, 0));
        assert_eq!(found.windows.iter().filter(|window| window.known_drift).count(), 5);
        let delay = &found.delays[0];
        assert_eq!((delay.what.as_str(), delay.found[0].delay_h), ("new scanner", Some(6.0)));
    }

    #[test]
    fn a_drift_of_one_feature_leaves_the_others_clean() {
        let found = backtest(twelve(), vec![interval(54, 62, Some("f0"))], Vec::new());
        let [first, second] = found.features.as_slice() else { panic!("two features") };
        assert_eq!((first.clean.windows, first.clean.fired, second.clean.windows), (7, 0, 12));
        assert_eq!(found.delays[0].found.iter().map(|delay| delay.by.as_str()).collect::<Vec<_>>(), ["data-drift", "f0"]);
    }

    #[test]
    fn what_is_injected_is_known() {
        let at = span(54, 1).end;
        let injected = Injected { feature: FeatureName::from("f0"), change: "+0.5sd".to_owned(), added: 1.0, scaled: 1.0, at };
        let found = backtest(twelve(), Vec::new(), vec![injected]);
        assert_eq!((found.signals[0].clean.windows, found.signals[0].clean.fired), (6, 0));
        assert_eq!(found.delays[0].found[1].delay_h, Some(6.0));
        assert!(found.known.is_empty(), "it did not happen");
    }

    #[test]
    fn the_median_is_that_of_the_middle() {
        let of = |values: &[f64]| median(values.iter().copied());
        assert_eq!((of(&[]), of(&[3.0]), of(&[5.0, 1.0]), of(&[9.0, 1.0, 2.0])), (None, Some(3.0), Some(3.0), Some(2.0)));
    }

    #[test]
    fn windows_without_rows_and_those_that_cannot_be_used_are_counted() {
        let mut windows = twelve();
        windows[0].decision.as_mut().unwrap().verdict = DatasetVerdict::NoData;
        for window in &mut windows[1..3] {
            (window.decision, window.unusable) = (None, Some("too many rejected rows".to_owned()));
        }
        let found = backtest(windows, Vec::new(), Vec::new());
        assert_eq!((found.windows_total, found.windows_empty, found.windows_unusable), (12, 1, 2));
        assert_eq!(found.windows[2].unusable.as_deref(), Some("too many rejected rows"));
    }

    #[test]
    fn drifts_that_begin_and_end_together_are_one_and_times_without_drift_are_none() {
        let mut quiet = interval(54, 62, None);
        quiet.label.truth = Truth::NoDrift;
        let unnamed = KnownInterval { reason: String::new(), ..interval(54, 70, None) };
        let known = vec![interval(54, 62, Some("f1")), quiet, interval(54, 62, Some("f0")), unnamed];
        let found = backtest(twelve(), known, Vec::new());
        let told: Vec<(&str, Vec<&str>)> =
            found.delays.iter().map(|of| (of.what.as_str(), of.found.iter().map(|delay| delay.by.as_str()).collect())).collect();
        assert_eq!(told, [("new scanner; new scanner", vec!["data-drift", "f0", "f1"]), ("known drift", vec!["data-drift"])]);
    }

    #[test]
    fn a_feature_that_was_not_tested_is_not_blind_and_one_that_could_find_nothing_is() {
        let mut windows = twelve();
        windows[0].features[0].q_value = None;
        windows[1].features[0].detectable_psi = None;
        windows[2].features[0].verdict = Verdict::Inconclusive;
        windows[3].features[0].verdict = Verdict::Warning;
        let found = backtest(windows, Vec::new(), Vec::new());
        let feature = &found.features[0];
        assert_eq!((feature.blind, feature.warning, feature.inconclusive, feature.broken, feature.all.windows), (1, 1, 1, 0, 11));
    }
}
