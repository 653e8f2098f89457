//! What each signal reads in a run: firing, quiet, or that the data do not tell; the number, its uncertainty, and why, in one sentence.

use chrono::{DateTime, TimeDelta, Utc};

use super::SignalState;
use crate::decision::dataset::DatasetDecision;
use crate::decision::{DatasetVerdict, Verdict};
use crate::feature::FeatureName;
use crate::profile::recent::Recent;
use crate::statistic::interval::wilson;
use crate::statistic::mean::upper_bound;

/// What a signal is measured by in a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    pub state: SignalState,
    /// What is held against the threshold.
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// How many features, rows, predictions or labels `value` is computed from.
    pub n: u64,
    /// The 95 % interval of `value`, where it has one.
    pub interval: Option<[f64; 2]>,
}

/// A reading and why it is so.
pub type Explained = (Reading, String);

/// The confidence of every interval.
const CONFIDENCE: f64 = 0.95;

fn fires(condition: bool) -> SignalState {
    if condition { SignalState::Firing } else { SignalState::Quiet }
}

fn percent(fraction: f64) -> String {
    let text = format!("{:.1}", fraction * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// More than `policy.share` of the features drift. Inconclusive when the verdict is, and without rows.
pub fn data_drift(decision: &DatasetDecision) -> Explained {
    let state = match decision.verdict {
        DatasetVerdict::Drift => SignalState::Firing,
        DatasetVerdict::Stable => SignalState::Quiet,
        DatasetVerdict::Inconclusive | DatasetVerdict::NoData => SignalState::Inconclusive,
    };
    let reason = if decision.verdict == DatasetVerdict::NoData {
        "The window holds no row, so nothing was compared.".to_owned()
    } else {
        let DatasetDecision { drifted, broken, configured, .. } = decision;
        let broken = if *broken > 0 { format!(" and {broken} broke") } else { String::new() };
        let mut reason = format!("{drifted} of {configured} features drifted{broken} ({})", percent(decision.share));
        reason.push_str(&format!("; it fires above {}.", percent(decision.threshold)));
        if state == SignalState::Inconclusive {
            reason.push_str(&format!(" {} more could not be judged, which could carry it past that.", decision.inconclusive));
        }
        reason
    };
    let (value, threshold) = (Some(decision.share), Some(decision.threshold));
    (Reading { state, value, threshold, n: u64::from(decision.configured), interval: None }, reason)
}

/// A feature is broken. Too many rejected rows end a run before its features are judged: `rejected` is then why.
pub fn broken_input(decision: Option<&DatasetDecision>, rejected: Option<&str>) -> Explained {
    let reading =
        |state, value: f64, n| Reading { state, value: Some(value), threshold: Some(0.0), n: u64::from(n), interval: None };
    match (decision, rejected) {
        (_, Some(rejected)) => {
            let reading = Reading { state: SignalState::Firing, value: None, threshold: None, n: 0, interval: None };
            (reading, format!("The logs cannot be used: {rejected}"))
        }
        (None, None) => (reading(SignalState::Inconclusive, 0.0, 0), "Nothing was compared.".to_owned()),
        (Some(decision), None) if decision.verdict == DatasetVerdict::NoData => {
            (reading(SignalState::Inconclusive, 0.0, decision.configured), "The window holds no row.".to_owned())
        }
        (Some(decision), None) => {
            let reason = format!("{} of {} features are broken.", decision.broken, decision.configured);
            (reading(fires(decision.broken > 0), f64::from(decision.broken), decision.configured), reason)
        }
    }
}

/// No row in the window, or the newest row is older than `max_age` at the window's end. `value` is its age in hours.
pub fn no_data(rows: u64, newest: Option<DateTime<Utc>>, end: DateTime<Utc>, max_age: Option<TimeDelta>) -> Explained {
    let age = newest.map(|newest| end.signed_duration_since(newest).max(TimeDelta::zero()));
    let hours = |age: TimeDelta| age.as_seconds_f64() / 3_600.0;
    let is_stale = age.zip(max_age).is_some_and(|(age, most)| age > most);
    let reason = match (rows, age) {
        (0, None) => "The window holds no row.".to_owned(),
        (0, Some(age)) => {
            format!("The window holds no row; the newest one that was read is {:.1} hours older than its end.", hours(age))
        }
        (_, Some(age)) if is_stale => format!(
            "The newest row is {:.1} hours older than the end of the window; at most {:.1} hours are allowed.",
            hours(age),
            max_age.map_or(0.0, hours)
        ),
        _ => format!("The window holds {rows} rows."),
    };
    let reading = Reading {
        state: fires(rows == 0 || is_stale),
        value: age.map(hours),
        threshold: max_age.map(hours),
        n: rows,
        interval: None,
    };
    (reading, reason)
}

/// How the confidence of predictions is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predictions {
    /// The mean below which it fires, in (0, 1).
    pub threshold: f64,
    /// How many predictions the mean is taken over, at least 1.
    pub last: usize,
}

/// The mean confidence of the newest predictions is below the threshold. The interval is one-sided: `[0, upper]` at 95 %, errors clustered.
///
/// Inconclusive with fewer predictions than `last`, and when a confidence lies outside [0, 1]: it is then on another scale.
pub fn low_confidence(recent: &Recent, settings: Predictions) -> Explained {
    let Predictions { threshold, last } = settings;
    let rows = recent.newest_first();
    let n = rows.len() as u64;
    let reading = |state, value, interval| Reading { state, value, threshold: Some(threshold), n, interval };
    let outside = rows.iter().filter(|row| !(0.0..=1.0).contains(&row.value)).count();
    if outside > 0 {
        let reason = format!("{outside} of the last {n} confidences are not between 0 and 1, so they cannot be judged.");
        return (reading(SignalState::Inconclusive, None, None), reason);
    }
    let bound = upper_bound(&rows.iter().map(|row| (row.value, row.group)).collect::<Vec<_>>(), CONFIDENCE);
    let (mean, interval) = (bound.map(|bound| bound.mean), bound.and_then(|bound| bound.upper).map(|upper| [0.0, upper.min(1.0)]));
    let shown = mean.map_or_else(String::new, |mean| format!("{mean:.3}"));
    if rows.len() < last {
        let seen = if n == 0 {
            "There is no prediction with a confidence".to_owned()
        } else {
            format!("There are {n} predictions, their mean confidence {shown}")
        };
        return (reading(SignalState::Inconclusive, mean, interval), format!("{seen}; {last} are needed to judge it."));
    }
    let is_low = mean.is_some_and(|mean| mean < threshold);
    let side = if is_low { "below" } else { "not below" };
    let uncertain = interval.map_or_else(String::new, |[_, upper]| format!("; with 95 % confidence it is at most {upper:.3}"));
    let reason = format!("The mean confidence of the last {n} predictions is {shown}, {side} {threshold}{uncertain}.");
    (reading(fires(is_low), mean, interval), reason)
}

/// What users said of predictions in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback {
    pub labelled: u64,
    pub correct: u64,
}

/// Labels from which the accuracy counts as it stands, whatever its interval says.
const ENOUGH_LABELS: u64 = 100;

/// The accuracy that feedback shows is below the threshold: surely so (Wilson's interval), or by [`ENOUGH_LABELS`] labels. With fewer, a
/// low accuracy is inconclusive; so is any without labels.
pub fn accuracy(feedback: Feedback, threshold: f64, period: &str) -> Explained {
    let Feedback { labelled, correct } = feedback;
    let interval = wilson(correct, labelled, CONFIDENCE);
    let value = (labelled > 0).then(|| correct as f64 / labelled as f64);
    let is_low = value.is_some_and(|value| value < threshold);
    let is_sure = labelled >= ENOUGH_LABELS || interval.is_some_and(|interval| interval.high < threshold);
    let state = match (value, is_low, is_sure) {
        (None, ..) | (Some(_), true, false) => SignalState::Inconclusive,
        (Some(_), true, true) => SignalState::Firing,
        (Some(_), false, _) => SignalState::Quiet,
    };
    let reason = match (value, interval) {
        (Some(value), Some(interval)) => {
            let mut reason = format!(
                "{correct} of {labelled} labelled predictions of the last {period} were right ({}, 95 % interval {} to {})",
                percent(value),
                percent(interval.low),
                percent(interval.high)
            );
            reason.push_str(&format!("; it fires below {}", percent(threshold)));
            if state == SignalState::Inconclusive {
                reason.push_str(&format!(", but so few labels do not prove it ({ENOUGH_LABELS} would)"));
            }
            reason.push('.');
            reason
        }
        _ => format!("Nobody labelled a prediction in the last {period}."),
    };
    let interval = interval.map(|interval| [interval.low, interval.high]);
    (Reading { state, value, threshold: Some(threshold), n: labelled, interval }, reason)
}

/// The class mix or the confidence of predictions drifts from the reference's: judged like features, and never counted among them.
/// `judged` has each column's verdict and adjusted PSI; `value` is the largest of these.
pub fn prediction_drift(judged: &[(&FeatureName, Verdict, Option<f64>)], psi_drift: f64) -> Explained {
    let drifted: Vec<_> = judged.iter().filter(|(_, verdict, _)| matches!(verdict, Verdict::Drift | Verdict::Broken)).collect();
    let is_clear = !judged.is_empty() && judged.iter().all(|(_, verdict, _)| matches!(verdict, Verdict::Stable | Verdict::Warning));
    let state = if !drifted.is_empty() {
        SignalState::Firing
    } else if is_clear {
        SignalState::Quiet
    } else {
        SignalState::Inconclusive
    };
    let words = |(name, verdict, psi): &(&FeatureName, Verdict, Option<f64>)| {
        let psi = psi.map_or_else(String::new, |psi| format!(" (PSI {psi:.2})"));
        let what = match verdict {
            Verdict::Broken => "broke",
            Verdict::Drift => "drifted",
            Verdict::Warning => "moved a little",
            Verdict::Inconclusive => "cannot be judged",
            Verdict::Stable => "is stable",
        };
        format!("{name} {what}{psi}")
    };
    let reason = if judged.is_empty() {
        "The reference has none of the columns of [prediction], so there is nothing to compare with.".to_owned()
    } else {
        format!("{}.", judged.iter().map(words).collect::<Vec<_>>().join("; "))
    };
    let value = judged.iter().filter_map(|(_, _, psi)| *psi).reduce(f64::max);
    (Reading { state, value, threshold: Some(psi_drift), n: judged.len() as u64, interval: None }, reason)
}

/// How much room logs and feedback take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub logs: u64,
    pub most_logs: u64,
    /// `None` where there is no feedback to look at.
    pub feedback: Option<u64>,
    pub most_feedback: u64,
}

/// Logs or feedback take more room than allowed. `value` and `threshold` are those of the fuller of the two, in bytes.
pub fn storage(sizes: Sizes) -> Explained {
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let fullness = |used: u64, most: u64| used as f64 / most.max(1) as f64;
    let (mut used, mut most) = (sizes.logs, sizes.most_logs);
    let mut reason = format!("Logs take {} of {}", megabytes(sizes.logs), megabytes(sizes.most_logs));
    if let Some(feedback) = sizes.feedback {
        reason.push_str(&format!(", feedback takes {} of {}", megabytes(feedback), megabytes(sizes.most_feedback)));
        if fullness(feedback, sizes.most_feedback) > fullness(used, most) {
            (used, most) = (feedback, sizes.most_feedback);
        }
    }
    reason.push('.');
    let reading = Reading {
        state: fires(used > most),
        value: Some(used as f64),
        threshold: Some(most as f64),
        n: 1 + u64::from(sizes.feedback.is_some()),
        interval: None,
    };
    (reading, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::recent::RecentRow;

    #[test]
    fn accuracy_needs_labels_or_a_sure_interval() {
        let state = |correct, labelled| accuracy(Feedback { labelled, correct }, 0.85, "7d").0.state;
        assert_eq!(state(0, 0), SignalState::Inconclusive);
        // 15 of 20 is 75 %, but Wilson's interval reaches to 88.8 %: statsmodels proportion_confint(15, 20, method="wilson").
        assert_eq!(state(15, 20), SignalState::Inconclusive);
        assert_eq!(state(10, 20), SignalState::Firing);
        assert_eq!(state(84, 100), SignalState::Firing);
        assert_eq!(state(85, 100), SignalState::Quiet);
        assert_eq!(state(18, 20), SignalState::Quiet);
    }

    fn recent(values: impl IntoIterator<Item = f64>, capacity: usize) -> Recent {
        let mut recent = Recent::new(capacity);
        for (moment_us, value) in (0_i64..).zip(values) {
            recent.push(RecentRow { moment_us, value, group: moment_us.unsigned_abs() });
        }
        recent
    }

    #[test]
    fn confidence_is_judged_by_as_many_predictions_as_asked_for() {
        let settings = Predictions { threshold: 0.70, last: 100 };
        let state = |recent: &Recent| low_confidence(recent, settings).0.state;
        assert_eq!(state(&recent([], 100)), SignalState::Inconclusive);
        assert_eq!(state(&recent(vec![0.1; 99], 100)), SignalState::Inconclusive);
        assert_eq!(state(&recent(vec![0.69; 100], 100)), SignalState::Firing);
        assert_eq!(state(&recent(vec![0.70; 100], 100)), SignalState::Quiet);
        assert_eq!(state(&recent(vec![69.0; 100], 100)), SignalState::Inconclusive, "percent are another scale");
    }

    #[test]
    fn the_fuller_of_logs_and_feedback_counts() {
        let sizes = |logs, feedback| Sizes { logs, most_logs: 1_000, feedback, most_feedback: 500 };
        let read = |sizes| (storage(sizes).0.state, storage(sizes).0.value);
        assert_eq!(read(sizes(1_000, None)), (SignalState::Quiet, Some(1_000.0)));
        assert_eq!(read(sizes(1_001, Some(400))), (SignalState::Firing, Some(1_001.0)));
        assert_eq!(read(sizes(900, Some(501))), (SignalState::Firing, Some(501.0)));
    }

    #[test]
    fn old_rows_and_none_are_no_data() {
        let end = DateTime::from_timestamp(1_769_817_600, 0).unwrap();
        let state = |rows, age| no_data(rows, Some(end - TimeDelta::hours(age)), end, Some(TimeDelta::hours(12))).0.state;
        assert_eq!(state(0, 1), SignalState::Firing);
        assert_eq!(state(5, 12), SignalState::Quiet);
        assert_eq!(state(5, 13), SignalState::Firing);
        assert_eq!(no_data(0, None, end, None).0.state, SignalState::Firing);
    }

    fn decided(drift: usize, broken: usize, inconclusive: usize, stable: usize, rows: u64) -> DatasetDecision {
        let groups =
            [(Verdict::Drift, drift), (Verdict::Broken, broken), (Verdict::Inconclusive, inconclusive), (Verdict::Stable, stable)];
        let verdicts: Vec<Verdict> = groups.into_iter().flat_map(|(verdict, count)| std::iter::repeat_n(verdict, count)).collect();
        crate::decision::dataset::decide(&verdicts, 0.30, rows)
    }

    #[test]
    fn percentages_are_told_without_needless_digits() {
        assert_eq!([0.0, 0.3, 0.3125, 0.375, 1.0, 0.105].map(percent), ["0 %", "30 %", "31.2 %", "37.5 %", "100 %", "10.5 %"]);
    }

    #[test]
    fn data_drift_tells_how_many_features_drifted_and_from_how_many_it_fires() {
        let read = |decision: DatasetDecision| {
            let (reading, reason) = data_drift(&decision);
            assert_eq!((reading.value, reading.threshold, reading.interval), (Some(decision.share), Some(0.30), None));
            assert_eq!(reading.n, u64::from(decision.configured));
            (reading.state, reason)
        };
        let told = |state, reason: &str| (state, reason.to_owned());
        assert_eq!(
            read(decided(5, 1, 0, 10, 9)),
            told(SignalState::Firing, "5 of 16 features drifted and 1 broke (37.5 %); it fires above 30 %.")
        );
        assert_eq!(
            read(decided(2, 0, 0, 14, 9)),
            told(SignalState::Quiet, "2 of 16 features drifted (12.5 %); it fires above 30 %.")
        );
        assert_eq!(
            read(decided(4, 0, 1, 11, 9)),
            told(
                SignalState::Inconclusive,
                "4 of 16 features drifted (25 %); it fires above 30 %. 1 more could not be judged, which could carry it past that."
            )
        );
        assert_eq!(
            read(decided(4, 0, 1, 11, 0)),
            told(SignalState::Inconclusive, "The window holds no row, so nothing was compared.")
        );
    }

    #[test]
    fn one_broken_feature_is_broken_input_and_so_are_logs_that_cannot_be_used() {
        let read = |decision: Option<&DatasetDecision>, rejected| {
            let (reading, reason) = broken_input(decision, rejected);
            (reading.state, reading.value, reading.threshold, reading.n, reason)
        };
        let (one, none, no_rows) = (decided(0, 1, 0, 15, 9), decided(3, 0, 0, 13, 9), decided(0, 1, 0, 15, 0));
        let told = |state, value: f64, n, reason: &str| (state, Some(value), Some(0.0), n, reason.to_owned());
        assert_eq!(read(Some(&one), None), told(SignalState::Firing, 1.0, 16, "1 of 16 features are broken."));
        assert_eq!(read(Some(&none), None), told(SignalState::Quiet, 0.0, 16, "0 of 16 features are broken."));
        assert_eq!(read(Some(&no_rows), None), told(SignalState::Inconclusive, 0.0, 16, "The window holds no row."));
        assert_eq!(read(None, None), told(SignalState::Inconclusive, 0.0, 0, "Nothing was compared."));
        let unusable = (SignalState::Firing, None, None, 0, "The logs cannot be used: too many rows".to_owned());
        assert_eq!(read(Some(&none), Some("too many rows")), unusable);
    }

    #[test]
    fn the_age_of_the_newest_row_is_told_in_hours() {
        let end = DateTime::from_timestamp(1_769_817_600, 0).unwrap();
        let read = |rows, minutes: Option<i64>, most: Option<i64>| {
            let newest = minutes.map(|minutes| end - TimeDelta::minutes(minutes));
            let (reading, reason) = no_data(rows, newest, end, most.map(TimeDelta::hours));
            assert_eq!((reading.n, reading.threshold, reading.interval), (rows, most.map(|most| most as f64), None));
            (reading.state, reading.value, reason)
        };
        let told = |state, value, reason: &str| (state, value, reason.to_owned());
        assert_eq!(read(0, None, None), told(SignalState::Firing, None, "The window holds no row."));
        assert_eq!(
            read(0, Some(90), Some(12)),
            told(
                SignalState::Firing,
                Some(1.5),
                "The window holds no row; the newest one that was read is 1.5 hours older than its end."
            )
        );
        assert_eq!(
            read(7, Some(750), Some(12)),
            told(
                SignalState::Firing,
                Some(12.5),
                "The newest row is 12.5 hours older than the end of the window; at most 12.0 hours are allowed."
            )
        );
        assert_eq!(read(7, Some(720), Some(12)), told(SignalState::Quiet, Some(12.0), "The window holds 7 rows."));
        assert_eq!(read(7, Some(9_000), None), told(SignalState::Quiet, Some(150.0), "The window holds 7 rows."));
        // A row from after the end is not of negative age.
        assert_eq!(read(7, Some(-30), Some(12)), told(SignalState::Quiet, Some(0.0), "The window holds 7 rows."));
    }

    #[test]
    fn the_mean_confidence_is_told_with_how_large_it_could_be() {
        let settings = Predictions { threshold: 0.70, last: 10 };
        let half = |count: usize, low: f64, high: f64| recent([low, high].into_iter().cycle().take(count), 10);
        let (reading, reason) = low_confidence(&half(10, 0.6, 0.7), settings);
        // 0.65 + 0.05/3·scipy.stats.t.ppf(0.95, 9)
        let [low, high] = reading.interval.unwrap();
        assert!(low.abs() < 1e-300 && (high - 0.680_551_9).abs() < 1e-6, "{high}");
        assert!((reading.value.unwrap() - 0.65).abs() < 1e-12);
        assert_eq!((reading.state, reading.threshold, reading.n), (SignalState::Firing, Some(0.70), 10));
        assert_eq!(
            reason,
            "The mean confidence of the last 10 predictions is 0.650, below 0.7; with 95 % confidence it is at most 0.681."
        );
        let (reading, reason) = low_confidence(&half(10, 0.9, 1.0), settings);
        assert_eq!(
            reason,
            "The mean confidence of the last 10 predictions is 0.950, not below 0.7; with 95 % confidence it is at most 0.981."
        );
        assert_eq!(reading.state, SignalState::Quiet);
        let (reading, reason) = low_confidence(&half(9, 0.6, 0.6), settings);
        assert_eq!(reason, "There are 9 predictions, their mean confidence 0.600; 10 are needed to judge it.");
        assert!((reading.value.unwrap() - 0.6).abs() < 1e-12 && reading.state == SignalState::Inconclusive);
        assert_eq!(
            low_confidence(&recent([], 10), settings).1,
            "There is no prediction with a confidence; 10 are needed to judge it."
        );
        let (reading, reason) = low_confidence(&half(10, 0.6, 60.0), settings);
        assert_eq!(reason, "5 of the last 10 confidences are not between 0 and 1, so they cannot be judged.");
        assert_eq!((reading.state, reading.value, reading.interval), (SignalState::Inconclusive, None, None));
    }

    #[test]
    fn accuracy_is_told_with_its_interval() {
        let read = |correct, labelled| accuracy(Feedback { labelled, correct }, 0.85, "7d");
        let (reading, reason) = read(15, 20);
        // statsmodels proportion_confint(15, 20, method="wilson")
        let [low, high] = reading.interval.unwrap();
        assert!((low - 0.531_299_0).abs() < 1e-6 && (high - 0.888_138_3).abs() < 1e-6, "{low} {high}");
        assert_eq!((reading.value, reading.threshold, reading.n), (Some(0.75), Some(0.85), 20));
        assert_eq!(
            reason,
            "15 of 20 labelled predictions of the last 7d were right (75 %, 95 % interval 53.1 % to 88.8 %); it fires below 85 %, but so few \
             labels do not prove it (100 would)."
        );
        assert!(read(10, 20).1.ends_with("; it fires below 85 %."), "{}", read(10, 20).1);
        let (reading, reason) = read(0, 0);
        assert_eq!((reading.value, reading.interval, reading.n), (None, None, 0));
        assert_eq!(reason, "Nobody labelled a prediction in the last 7d.");
        assert_eq!(read(84, 99).0.state, SignalState::Inconclusive);
        // Exactly the threshold is not below it.
        assert_eq!(accuracy(Feedback { labelled: 4, correct: 1 }, 0.25, "7d").0.state, SignalState::Quiet);
    }

    #[test]
    fn predictions_drift_when_one_of_their_columns_does() {
        use Verdict::{Broken, Drift, Inconclusive, Stable, Warning};

        let (class, confidence) = (FeatureName::new("class"), FeatureName::new("confidence"));
        let read = |class_is: Verdict, confidence_is: Verdict| {
            let judged = [(&class, class_is, Some(0.02)), (&confidence, confidence_is, Some(0.25))];
            let (reading, reason) = prediction_drift(&judged, 0.1);
            assert_eq!((reading.value, reading.threshold, reading.n), (Some(0.25), Some(0.1), 2));
            (reading.state, reason)
        };
        assert_eq!(
            read(Stable, Drift),
            (SignalState::Firing, "class is stable (PSI 0.02); confidence drifted (PSI 0.25).".to_owned())
        );
        assert_eq!(
            read(Inconclusive, Broken),
            (SignalState::Firing, "class cannot be judged (PSI 0.02); confidence broke (PSI 0.25).".to_owned())
        );
        assert_eq!(
            read(Warning, Stable),
            (SignalState::Quiet, "class moved a little (PSI 0.02); confidence is stable (PSI 0.25).".to_owned())
        );
        assert_eq!(read(Inconclusive, Stable).0, SignalState::Inconclusive);
        let (reading, reason) = prediction_drift(&[], 0.1);
        assert_eq!((reading.state, reading.value, reading.n), (SignalState::Inconclusive, None, 0));
        assert_eq!(reason, "The reference has none of the columns of [prediction], so there is nothing to compare with.");
        assert_eq!(prediction_drift(&[(&class, Stable, None)], 0.1).1, "class is stable.");
    }

    #[test]
    fn room_is_told_in_megabytes() {
        let read = |feedback, logs| {
            let (reading, reason) = storage(Sizes { logs, most_logs: 2_000_000, feedback, most_feedback: 1_000_000 });
            (reading.state, reading.value, reading.threshold, reading.n, reason)
        };
        let told = |state, value: f64, threshold: f64, n, reason: &str| (state, Some(value), Some(threshold), n, reason.to_owned());
        assert_eq!(read(None, 1_500_000), told(SignalState::Quiet, 1_500_000.0, 2_000_000.0, 1, "Logs take 1.5 MB of 2.0 MB."));
        assert_eq!(
            read(Some(1_200_000), 1_500_000),
            told(SignalState::Firing, 1_200_000.0, 1_000_000.0, 2, "Logs take 1.5 MB of 2.0 MB, feedback takes 1.2 MB of 1.0 MB.")
        );
        // Both half full: the logs count.
        assert_eq!(read(Some(500_000), 1_000_000).2, Some(2_000_000.0));
        // Where nothing is allowed, everything is too much.
        let nothing = storage(Sizes { logs: 1, most_logs: 0, feedback: Some(0), most_feedback: 0 }).0;
        assert_eq!((nothing.state, nothing.value), (SignalState::Firing, Some(1.0)));
    }
}
