//! What other thresholds would have done: how many windows would have fired at each.

use serde::Serialize;

use super::rate::Rate;
use super::{ReplayedFeature, ReplayedWindow};
use crate::decision::policy::Policy;
use crate::decision::{DatasetVerdict, Verdict};
use crate::feature::FeatureName;

/// The data set's verdict under other values of one threshold, all else equal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// The key of the configuration: `policy.share` or `policy.psi_drift`.
    pub key: &'static str,
    /// The value that is set.
    pub current: f64,
    pub points: Vec<CurvePoint>,
}

/// One value of the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    pub threshold: f64,
    pub all: Rate,
    /// Over the windows that touch no known drift.
    pub clean: Rate,
    /// Over the windows that do: what a higher threshold would miss.
    pub drifted: Rate,
}

/// The thresholds of adjusted PSI that are tried, besides the one that is set.
const PSI: [f64; 15] = [0.01, 0.02, 0.03, 0.05, 0.07, 0.10, 0.15, 0.20, 0.25, 0.30, 0.40, 0.50, 0.70, 1.00, 1.50];

/// Shares are tried in steps of one feature where there are at most so many, and in as many steps where there are more.
const MOST_SHARES: u32 = 40;

/// Windows with rows, each with whether it touches a known drift.
type Told<'a> = Vec<(&'a ReplayedWindow, bool)>;

/// Both curves. `is_drift` says which windows touch a known drift.
pub fn curves(windows: &[ReplayedWindow], is_drift: &[bool], policy: &Policy) -> Vec<Curve> {
    let has_rows = |window: &ReplayedWindow| window.verdict().is_some_and(|verdict| verdict != DatasetVerdict::NoData);
    let told: Told<'_> = windows.iter().zip(is_drift.iter().copied()).filter(|(window, _)| has_rows(window)).collect();
    let configured = told.iter().filter_map(|(window, _)| Some(window.decision.as_ref()?.configured)).max().unwrap_or(0);
    let by_share = |window: &ReplayedWindow, share: f64| {
        let decision = window.decision.as_ref()?;
        fires(decision.drifted + decision.broken, decision.inconclusive, decision.configured, share)
    };
    let by_psi = |window: &ReplayedWindow, psi_drift: f64| {
        let is_drift = |feature: &&ReplayedFeature| feature.reach.is_drift_at(threshold(policy, &feature.name, psi_drift));
        let is_unclear = |feature: &&ReplayedFeature| feature.verdict == Verdict::Inconclusive && !is_drift(feature);
        let count = |wanted: &dyn Fn(&&ReplayedFeature) -> bool| window.features.iter().filter(wanted).count();
        let [drifted, unclear] = [count(&is_drift), count(&is_unclear)].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        fires(drifted, unclear, window.decision.as_ref()?.configured, policy.share)
    };
    vec![
        curve("policy.share", policy.share, shares(configured, policy.share), &told, by_share),
        curve("policy.psi_drift", policy.psi_drift, with(PSI.to_vec(), policy.psi_drift), &told, by_psi),
    ]
}

/// A feature with a threshold of its own keeps it.
fn threshold(policy: &Policy, name: &FeatureName, psi_drift: f64) -> f64 {
    policy.overrides.get(name).and_then(|own| own.psi_drift).unwrap_or(psi_drift)
}

/// As the rule says it: drift strictly above the share, and nothing where the unclear features could carry it there.
fn fires(drifted: u32, unclear: u32, configured: u32, share: f64) -> Option<bool> {
    // A part of nothing is no number, which is above no share.
    let is_above = |features: u32| f64::from(features) / f64::from(configured) > share;
    if is_above(drifted) {
        return Some(true);
    }
    (configured > 0 && !is_above(drifted + unclear)).then_some(false)
}

fn shares(configured: u32, current: f64) -> Vec<f64> {
    let steps = configured.clamp(1, MOST_SHARES);
    with((0..steps).map(|step| f64::from(step) / f64::from(steps)).collect(), current)
}

/// The values with one more, ascending.
fn with(mut values: Vec<f64>, current: f64) -> Vec<f64> {
    values.push(current);
    values.sort_by(f64::total_cmp);
    values.dedup_by(|a, b| (*a - *b).abs() < 1e-12);
    values
}

fn curve(
    key: &'static str,
    current: f64,
    thresholds: Vec<f64>,
    told: &Told<'_>,
    fires: impl Fn(&ReplayedWindow, f64) -> Option<bool>,
) -> Curve {
    let point = |threshold: f64| {
        let outcome = |(window, drift): &(&ReplayedWindow, bool)| Some((window.window, fires(window, threshold)?, *drift));
        let outcomes: Vec<_> = told.iter().filter_map(outcome).collect();
        let rate = |wanted: fn(bool) -> bool| {
            Rate::of(outcomes.iter().filter(|(.., drift)| wanted(*drift)).map(|(window, fired, _)| (*window, *fired)))
        };
        CurvePoint { threshold, all: rate(|_| true), clean: rate(|drift| !drift), drifted: rate(|drift| drift) }
    };
    Curve { key, current, points: thresholds.into_iter().map(point).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{feature, window};
    use super::*;
    use crate::decision::rule::Reach;

    fn at(curve: &Curve, threshold: f64) -> CurvePoint {
        *curve.points.iter().find(|point| (point.threshold - threshold).abs() < 1e-12).unwrap()
    }

    #[test]
    fn a_curve_says_what_each_threshold_would_have_done() {
        // Four features; sizes of the significant changes in three windows of a day.
        let windows: Vec<ReplayedWindow> = [[0.0, 0.0, 0.0, 0.0], [0.6, 0.12, 0.0, 0.0], [0.6, 0.6, 0.6, 0.0]]
            .into_iter()
            .zip(1_i64..)
            .map(|(sizes, day)| {
                window(24 * day, &sizes.map(|size| feature(if size > 0.0 { Reach::UpTo(size) } else { Reach::Never })))
            })
            .collect();
        let policy = Policy::default();
        let curves = curves(&windows, &[false, false, true], &policy);
        let [share, psi] = curves.as_slice() else { panic!("two curves") };
        let fired = |curve: &Curve, threshold: f64| {
            let point = at(curve, threshold);
            (point.clean.fired, point.clean.windows, point.drifted.fired, point.drifted.windows)
        };
        assert_eq!((share.key, psi.key), ("policy.share", "policy.psi_drift"));
        assert_eq!(fired(share, 0.25), (1, 2, 1, 1));
        // Strictly above: two of four are not more than half.
        assert_eq!(fired(share, 0.5), (0, 2, 1, 1));
        assert_eq!(fired(share, 0.75), (0, 2, 0, 1));
        assert_eq!(fired(psi, 0.10), (1, 2, 1, 1));
        // Above 0.12 one of four is left in the second window, not more than 0.30 of them.
        assert_eq!(fired(psi, 0.15), (0, 2, 1, 1));
        assert_eq!(fired(psi, 0.70), (0, 2, 0, 1));
    }

    #[test]
    fn what_is_set_is_on_the_curve_and_gives_the_verdicts_that_were_given() {
        let windows = [window(24, &[feature(Reach::Always), feature(Reach::UpTo(0.3))]), window(48, &[feature(Reach::UpTo(0.05))])];
        for curve in curves(&windows, &[false, false], &Policy::default()) {
            let fired = windows.iter().filter(|window| window.verdict() == Some(DatasetVerdict::Drift)).count() as u64;
            assert_eq!((at(&curve, curve.current).all.fired, fired), (1, 1), "{}", curve.key);
            assert!(curve.points.is_sorted_by(|a, b| a.threshold < b.threshold && a.all.fired >= b.all.fired), "{curve:?}");
        }
    }

    #[test]
    fn what_is_unclear_at_a_threshold_is_no_trial() {
        // One of four drifts and one is unclear: above 0.25 neither drift nor stable up to 0.5.
        assert_eq!(fires(1, 1, 4, 0.2), Some(true));
        assert_eq!(fires(1, 1, 4, 0.3), None);
        assert_eq!(fires(1, 1, 4, 0.5), Some(false));
        assert_eq!(fires(0, 0, 0, 0.3), None);
    }

    fn close(values: &[f64], expected: &[f64]) -> bool {
        values.len() == expected.len() && values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn shares_are_tried_in_steps_of_a_feature_and_forty_at_most() {
        assert!(close(&shares(4, 0.3), &[0.0, 0.25, 0.3, 0.5, 0.75]), "{:?}", shares(4, 0.3));
        assert!(close(&shares(0, 0.3), &[0.0, 0.3]), "{:?}", shares(0, 0.3));
        // 0.5 is one of the steps already.
        assert!(close(&shares(2, 0.5), &[0.0, 0.5]), "{:?}", shares(2, 0.5));
        let many = shares(1_000, 0.99);
        assert!(many.len() == 41 && close(&many[..3], &[0.0, 0.025, 0.05]), "{many:?}");
        assert!(close(&with(vec![0.3, 0.1], 0.1 + 1e-13), &[0.1, 0.3]) && close(&with(vec![0.2], 0.1), &[0.1, 0.2]));
    }

    #[test]
    fn exactly_the_share_does_not_fire_and_what_is_unclear_is_added() {
        assert_eq!(
            [fires(1, 0, 4, 0.25), fires(2, 0, 4, 0.25), fires(0, 2, 4, 0.25), fires(1, 1, 4, 0.5)],
            [Some(false), Some(true), None, Some(false)]
        );
        assert_eq!([fires(2, 1, 4, 0.74), fires(2, 1, 4, 0.75), fires(1, 2, 4, 0.6)], [None, Some(false), None]);
    }

    #[test]
    fn a_feature_with_a_threshold_of_its_own_keeps_it_and_windows_without_rows_do_not_count() {
        let mut windows: Vec<ReplayedWindow> = (1..=3).map(|day| window(24 * day, &[feature(Reach::UpTo(0.3))])).collect();
        windows[1].decision.as_mut().unwrap().verdict = DatasetVerdict::NoData;
        windows[2].decision = None;
        let fired = |policy: &Policy| {
            let curves = curves(&windows, &[true; 3], policy);
            [0.2, 0.5].map(|threshold| (at(&curves[1], threshold).drifted.fired, at(&curves[1], threshold).all.windows))
        };
        let mut policy = Policy::default();
        assert_eq!(fired(&policy), [(1, 1), (0, 1)]);
        let own = crate::decision::policy::Materiality { psi_drift: Some(0.3), psi_warning: None };
        policy.overrides.insert("f0".into(), own);
        assert_eq!(fired(&policy), [(1, 1), (1, 1)]);
    }

    #[test]
    fn an_inconclusive_feature_is_unclear_at_every_threshold_that_it_does_not_reach() {
        let mut unclear = feature(Reach::UpTo(0.3));
        unclear.verdict = Verdict::Inconclusive;
        let windows = [window(24, &[unclear, feature(Reach::Never)])];
        let psi = &curves(&windows, &[false], &Policy::default())[1];
        let seen = |threshold: f64| (at(psi, threshold).clean.windows, at(psi, threshold).clean.fired);
        // It is half of the features, more than 0.30 of them.
        assert_eq!([seen(0.2), seen(0.5)], [(1, 1), (0, 0)]);
    }
}
