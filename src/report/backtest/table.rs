//! The tables of a backtest, as plain texts: the same on a terminal, in markdown and in HTML. Nothing is escaped here.

use chrono::{DateTime, Utc};

use super::curve::{Curve, CurvePoint};
use super::delay::Delay;
use super::episodes::Episode;
use super::rate::Rate;
use super::{Backtest, FeatureSummary, SignalSummary};
use crate::report::story::moment;
use crate::report::{format_count, format_percent, format_value};

/// A table.
pub struct Table {
    pub title: &'static str,
    /// What the numbers mean, in a sentence.
    pub hint: String,
    /// The first column is text, and so are those that say so.
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<String>>,
}

/// A column of a table.
#[derive(Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub is_number: bool,
}

fn text(title: &'static str) -> Column {
    Column { title, is_number: false }
}

fn number(title: &'static str) -> Column {
    Column { title, is_number: true }
}

const NONE: &str = "-";

/// Episodes of one table; the JSON has all of them.
const MOST_EPISODES: usize = 100;

/// All tables that have something to say, in the order in which they are read.
pub fn tables(backtest: &Backtest) -> Vec<Table> {
    let mut tables = vec![signals(backtest), features(backtest)];
    tables.extend([episodes(backtest), delays(backtest)].into_iter().filter(|table| !table.rows.is_empty()));
    tables.extend(backtest.curves.iter().map(curve));
    tables
}

fn out_of(part: u64, whole: u64) -> String {
    format!("{}/{}", format_count(part), format_count(whole))
}

fn percent(fraction: Option<f64>) -> String {
    fraction.map_or_else(|| NONE.to_owned(), format_percent)
}

fn interval(rate: &Rate) -> String {
    rate.interval.map_or_else(|| NONE.to_owned(), |[low, high]| format!("{} to {}", format_percent(low), format_percent(high)))
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.2}"))
}

fn at(moment_of: Option<DateTime<Utc>>) -> String {
    moment_of.map_or_else(|| NONE.to_owned(), moment)
}

fn signals(backtest: &Backtest) -> Table {
    let row = |signal: &SignalSummary| {
        vec![
            signal.name.to_string(),
            signal.mode.to_string(),
            out_of(signal.all.fired, signal.all.windows),
            format_count(signal.inconclusive),
            format_count(signal.episodes.len() as u64),
            format_count(signal.messages),
            out_of(signal.clean.independent_fired, signal.clean.independent),
            percent(signal.clean.rate),
            interval(&signal.clean),
            percent(signal.clean.upper),
        ]
    };
    Table {
        title: "Signals",
        hint: "False alarms: independent windows outside every known drift in which it fired. \
               Their rate is below the last number with 95 % confidence."
            .to_owned(),
        columns: vec![
            text("signal"),
            text("mode"),
            number("fired"),
            number("unclear"),
            number("episodes"),
            number("messages"),
            number("false"),
            number("rate"),
            number("95 % interval"),
            number("at most"),
        ],
        rows: backtest.signals.iter().map(row).collect(),
    }
}

fn features(backtest: &Backtest) -> Table {
    let row = |feature: &FeatureSummary| {
        vec![
            feature.name.to_string(),
            out_of(feature.all.fired, feature.all.windows),
            format_count(feature.broken),
            format_count(feature.inconclusive),
            format_count(feature.episodes.len() as u64),
            out_of(feature.clean.independent_fired, feature.clean.independent),
            percent(feature.clean.upper),
            value(feature.detectable_psi),
            value(feature.detectable_sd),
            feature.effective_rows.map_or_else(|| NONE.to_owned(), |rows| format!("{rows:.0}")),
        ]
    };
    let mut features: Vec<&FeatureSummary> = backtest.features.iter().collect();
    features.sort_by_key(|feature| std::cmp::Reverse(feature.all.fired));
    Table {
        title: "Features",
        hint: "Sees: the smallest drift that is found at the traffic seen, as PSI and in standard deviations (the median of the windows)."
            .to_owned(),
        columns: vec![
            text("feature"),
            number("fired"),
            number("broken"),
            number("unclear"),
            number("episodes"),
            number("false"),
            number("at most"),
            number("sees PSI"),
            number("sees sd"),
            number("eff. rows"),
        ],
        rows: features.into_iter().map(row).collect(),
    }
}

fn episodes(backtest: &Backtest) -> Table {
    let row = |name: &str, episode: &Episode| {
        vec![
            name.to_owned(),
            moment(episode.onset),
            moment(episode.opened),
            episode.resolved.map_or_else(|| "open".to_owned(), moment),
            format_count(episode.fired),
            value(episode.worst),
        ]
    };
    let all = backtest.signals.iter().flat_map(|signal| signal.episodes.iter().map(move |episode| (signal.name, episode)));
    let (count, rows) =
        (all.clone().count(), all.take(MOST_EPISODES).map(|(name, episode)| row(&name.to_string(), episode)).collect());
    let more =
        if count > MOST_EPISODES { format!(" The first {MOST_EPISODES} of {count}; the JSON has all.") } else { String::new() };
    Table {
        title: "Episodes",
        hint: format!(
            "Each moment is the end of a window: the first that fired, the one \
              that opened the signal, the one that resolved it.{more}"
        ),
        columns: vec![text("signal"), text("onset"), text("opened"), text("resolved"), number("fired"), number("worst")],
        rows,
    }
}

fn delays(backtest: &Backtest) -> Table {
    let found = |delay: &Delay| match (delay.had_fired, delay.delay_h) {
        (true, Some(_)) => "fired before".to_owned(),
        (_, Some(hours)) => format!("{} h", format_value(hours)),
        (_, None) => "not found".to_owned(),
    };
    let rows = backtest.delays.iter().flat_map(|of| {
        of.found.iter().map(move |delay| vec![of.what.clone(), moment(of.onset), delay.by.clone(), at(delay.first), found(delay)])
    });
    Table {
        title: "Detection",
        hint: "From the beginning of a known or injected drift to the end of the first window that fired.".to_owned(),
        columns: vec![text("drift"), text("onset"), text("found by"), text("first"), number("delay")],
        rows: rows.collect(),
    }
}

fn curve(curve: &Curve) -> Table {
    let is_set = |point: &CurvePoint| (point.threshold - curve.current).abs() < 1e-12;
    let mut shown: Vec<&CurvePoint> = Vec::new();
    for point in &curve.points {
        let is_like = |last: &&CurvePoint| (last.all, last.clean, last.drifted) == (point.all, point.clean, point.drifted);
        if is_set(point) || !shown.last().is_some_and(is_like) {
            shown.push(point);
        }
    }
    let rows = shown.into_iter().map(|point| {
        vec![
            format!("{}{}", format_value(point.threshold), if is_set(point) { " (set)" } else { "" }),
            out_of(point.all.fired, point.all.windows),
            out_of(point.clean.independent_fired, point.clean.independent),
            percent(point.clean.upper),
            if point.drifted.windows == 0 { NONE.to_owned() } else { out_of(point.drifted.fired, point.drifted.windows) },
        ]
    });
    let title = if curve.key == "policy.share" { "Other values of policy.share" } else { "Other values of policy.psi_drift" };
    Table {
        title,
        hint: "What data-drift would have done, all else equal; a threshold that does what the one before does is left out. \
               The last column: windows that touch a known drift."
            .to_owned(),
        columns: vec![text("threshold"), number("fired"), number("false"), number("at most"), number("found in drift")],
        rows: rows.collect(),
    }
}

/// The backtest in one sentence: what was replayed, and what came of it.
pub fn conclusion(backtest: &Backtest) -> String {
    let Backtest { windows_total, windows_independent, windows_empty, windows_unusable, .. } = backtest;
    let drift = backtest.signals.iter().find(|signal| signal.name == crate::decision::signal::SignalName::DataDrift);
    let told = drift.map_or_else(String::new, |signal| {
        let bound = signal.clean.upper.map_or_else(String::new, |upper| {
            format!(
                "; outside known drifts in {} of {} independent ones, so in at most {} (95 %)",
                signal.clean.independent_fired,
                signal.clean.independent,
                format_percent(upper)
            )
        });
        format!(" data-drift would have fired in {} of {}{bound}.", signal.all.fired, signal.all.windows)
    });
    let rest = [(windows_empty, "without a row"), (windows_unusable, "with unusable logs")];
    let rest = rest.into_iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!(", {count} {what}"));
    format!("{windows_total} windows, {windows_independent} of them independent{}.{told}", rest.collect::<String>())
}

/// What was replayed.
pub fn facts(backtest: &Backtest) -> Vec<String> {
    let setting = &backtest.setting;
    let length = |seconds: i64| {
        crate::report::story::length(Some(seconds)).map_or_else(|| format!("{seconds} s"), |length| length.to_string())
    };
    let reading = &backtest.reading;
    let again = if reading.objects_read_again > 0 {
        format!(
            ", {} of them in {} further readings",
            format_count(reading.rows_read_again),
            format_count(reading.objects_read_again)
        )
    } else {
        String::new()
    };
    let before = if reading.rows_read_before > 0 {
        format!(", and {} before the range for low-confidence", format_count(reading.rows_read_before))
    } else {
        String::new()
    };
    let read = reading.rows_read - reading.rows_read_before;
    let mut facts = vec![
        format!(
            "from {} to {} UTC, windows of {} every {}",
            moment(setting.from),
            moment(setting.to),
            length(setting.window_s),
            length(setting.every_s)
        ),
        format!("read {} rows of {} objects{again}{before}", format_count(read), format_count(reading.objects)),
    ];
    facts.extend(
        backtest
            .injected
            .iter()
            .map(|injected| format!("injected {} {} from {} UTC on", injected.feature, injected.change, moment(injected.at))),
    );
    facts
}

/// Signals that were left out, and what else is to be known.
pub fn notes(backtest: &Backtest) -> Vec<String> {
    let left_out = backtest.not_replayed.iter().map(|left_out| format!("{} was not replayed: {}.", left_out.name, left_out.reason));
    backtest.notes.iter().cloned().chain(left_out).collect()
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{backtest, feature, window};
    use super::*;
    use crate::decision::rule::Reach;

    fn of_days(reaches: &[Reach]) -> Backtest {
        let windows = reaches.iter().zip(1..).map(|(reach, day)| window(24 * day, &[feature(*reach)])).collect();
        backtest(windows, Vec::new(), Vec::new())
    }

    #[test]
    fn what_has_nothing_to_say_is_no_table() {
        let titles = |backtest: &Backtest| tables(backtest).iter().map(|table| table.title).collect::<Vec<_>>();
        let curves = ["Other values of policy.share", "Other values of policy.psi_drift"];
        assert_eq!(titles(&of_days(&[Reach::Never; 3])), ["Signals", "Features", curves[0], curves[1]]);
        assert_eq!(titles(&of_days(&[Reach::Never, Reach::Always])), ["Signals", "Features", "Episodes", curves[0], curves[1]]);
    }

    #[test]
    fn a_hundred_episodes_are_shown_and_more_are_counted() {
        let of = |episodes: usize| {
            let days: Vec<Reach> = (0..2 * episodes).map(|day| if day % 2 == 0 { Reach::Always } else { Reach::Never }).collect();
            let table = super::episodes(&of_days(&days));
            (table.rows.len(), table.hint.split_once("resolved it.").unwrap().1.to_owned())
        };
        assert_eq!(of(100), (100, String::new()));
        assert_eq!(of(101), (100, " The first 100 of 101; the JSON has all.".to_owned()));
    }

    #[test]
    fn a_threshold_that_changes_nothing_is_left_out_unless_it_is_set() {
        let mut backtest = of_days(&[Reach::Never, Reach::UpTo(0.3)]);
        let shown = |backtest: &Backtest| {
            super::curve(&backtest.curves[1]).rows.into_iter().map(|row| row[..2].join(" ") + " " + &row[4]).collect::<Vec<_>>()
        };
        assert_eq!(shown(&backtest), ["0.01 1/2 -", "0.1 (set) 1/2 -", "0.4 0/2 -"]);
        backtest.curves[1].current = 0.3;
        assert_eq!(shown(&backtest), ["0.01 1/2 -", "0.3 (set) 1/2 -", "0.4 0/2 -"]);
    }

    #[test]
    fn a_drift_that_was_found_before_it_began_has_no_delay() {
        let mut backtest = of_days(&[Reach::Never, Reach::Always]);
        let onset = backtest.windows[0].end;
        let delay = |first, delay_h, had_fired| Delay { by: "f0".to_owned(), is_signal: false, first, delay_h, had_fired };
        let found = vec![delay(Some(onset), Some(7.5), false), delay(Some(onset), Some(7.5), true), delay(None, None, true)];
        backtest.delays = vec![super::super::delay::Delays { what: "moved".to_owned(), onset, end: None, found }];
        let rows: Vec<String> = delays(&backtest).rows.iter().map(|row| row.join(" | ")).collect();
        let day = "2026-01-02 00:00";
        assert_eq!(
            rows,
            [
                format!("moved | {day} | f0 | {day} | 7.5 h"),
                format!("moved | {day} | f0 | {day} | fired before"),
                format!("moved | {day} | f0 | - | not found"),
            ]
        );
    }

    #[test]
    fn the_conclusion_tells_what_was_replayed_as_far_as_it_is_known() {
        let mut backtest = of_days(&[Reach::Never, Reach::Always]);
        let signal =
            "data-drift would have fired in 1 of 2; outside known drifts in 1 of 2 independent ones, so in at most 97.5 % (95 %).";
        assert_eq!(conclusion(&backtest), format!("2 windows, 2 of them independent. {signal}"));
        (backtest.windows_empty, backtest.windows_unusable) = (1, 3);
        backtest.signals[0].clean.upper = None;
        assert_eq!(
            conclusion(&backtest),
            "2 windows, 2 of them independent, 1 without a row, 3 with unusable logs. data-drift would have fired in 1 of 2."
        );
        backtest.signals.clear();
        assert_eq!(conclusion(&backtest), "2 windows, 2 of them independent, 1 without a row, 3 with unusable logs.");
    }

    #[test]
    fn the_facts_tell_what_was_read_and_why_some_of_it_twice() {
        let mut backtest = of_days(&[Reach::Never]);
        backtest.setting.every_s = -5;
        backtest.reading = super::super::ReadingSection { objects: 12, rows_read: 5_000, ..Default::default() };
        assert_eq!(
            facts(&backtest),
            ["from 2026-01-01 00:00 to 2026-01-02 00:00 UTC, windows of 24h every -5 s", "read 5,000 rows of 12 objects",]
        );
        let reading = &mut backtest.reading;
        (reading.rows_read_before, reading.objects_read_again, reading.rows_read_again) = (1_000, 2, 300);
        assert_eq!(
            facts(&backtest)[1],
            "read 4,000 rows of 12 objects, 300 of them in 2 further readings, and 1,000 before the range for low-confidence"
        );
        assert_eq!(notes(&backtest), ["storage was not replayed: no past."]);
    }
}
