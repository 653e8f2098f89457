//! Whole texts: of a report in which everything is there, of one feature explained, of what is on record, and of a backtest.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use drift_check::decision::label::{Label, Truth};
use drift_check::decision::readiness::{LeftOut, PerMonth, Readiness};
use drift_check::decision::signal::{DeliveryStatus, PastSignal, SignalMode, SignalName, SignalState, Transition};
use drift_check::report::explanation::{self, By, Counted, EXPLANATION_VERSION, Explanation};
use drift_check::report::history::readiness::{ReadinessReport, SignalReadiness};
use drift_check::report::history::{
    DeliveryEntry, HISTORY_VERSION, History, LabelEntry, LastMessage, Medium, PromotionEntry, RunEntry, SignalEntry, SilenceEntry,
};
use drift_check::report::metrics::{Ended, of_report};
use drift_check::report::text::{self, TextOptions};
use drift_check::report::{FeatureReport, Report, backtest, markdown, openmetrics};
use drift_check::statistic::concentration::Tally;

use crate::sample_backtest;
use crate::sample_full::{ended, full_day};

fn text_of(report: &Report, width: u16, verbose: bool, color: bool) -> String {
    let report_location = Some("gs://ct-scan-drift-logs/reports/report.html".to_owned());
    text::render(report, TextOptions { color, width, verbose, report_location })
}

#[test]
fn the_text_of_a_full_day_on_a_narrow_terminal() {
    insta::assert_snapshot!(text_of(&full_day(), 80, false, false));
}

#[test]
fn the_text_of_a_full_day_in_colour() {
    insta::assert_snapshot!(text_of(&full_day(), 100, false, true).replace('\u{1b}', "␛"));
}

#[test]
fn the_text_of_a_full_day_with_everything() {
    insta::assert_snapshot!(text_of(&full_day(), 140, true, false));
}

#[test]
fn the_markdown_of_a_full_day() {
    insta::assert_snapshot!(markdown::render(&full_day()));
}

#[test]
fn the_metrics_of_a_full_day() {
    let ended = Ended { exit_code: 10, duration_s: 4.5, last_success: Some(ended(-1)) };
    insta::assert_snapshot!(openmetrics::render(&of_report(&full_day(), &ended)));
}

/// A feature of the full day, explained, with groups by class, by hour and by study.
fn explained(name: &str) -> Explanation {
    let report = full_day();
    let feature: FeatureReport = report.features.iter().find(|feature| feature.name.as_str() == name).cloned().unwrap();
    let cells = explanation::cells(&feature);
    let counted = |groups: &[(&str, u64, u64)]| -> Vec<Counted> {
        let group = |(name, rows, moved): &(&str, u64, u64)| Counted {
            group: (*name).to_owned(),
            tally: Tally { rows: *rows, moved: *moved },
            mean: Some(1.5),
        };
        groups.iter().map(group).collect()
    };
    let by_class = [("benign", 500, 258), ("malignant", 400, 378), ("unclear", 3, 3), ("none", 0, 0)];
    let hours: Vec<String> = (0..12).map(|hour| format!("{hour:02}")).collect();
    let by_hour: Vec<(&str, u64, u64)> =
        hours.iter().zip(0..).map(|(hour, index)| (hour.as_str(), 80 + index, 56 + index)).collect();
    let by_study = [("s1", 4, 4), ("s2", 3, 0)];
    let by_series = [("a_series_with_a_name_that_is_longer_than_a_quarter_of_any_line", 300, 270), ("short", 300, 150)];
    let gained = explanation::gained_fractions(&cells);
    let reference = gained.map_or(0.0, |sides| sides.reference);
    Explanation {
        schema_version: EXPLANATION_VERSION,
        job: report.run.job.clone(),
        environment: report.run.environment.clone(),
        report_uri: "gs://ct-scan-drift-logs/reports/report.json".to_owned(),
        run_id: report.run.id.clone(),
        window: report.window.clone(),
        is_prediction: false,
        cells,
        gap: feature.histogram.as_ref().and_then(explanation::gap_of),
        since: explanation::since(&report, &feature),
        trend: explanation::trend(&report, &feature),
        gained,
        concentration: vec![
            explanation::dimension(By::Class, "class", counted(&by_class), reference, 1.5),
            explanation::dimension(By::Hour, "created_at", counted(&by_hour), reference, 1.5),
            explanation::dimension(By::Cluster, "study", counted(&by_study), reference, 2.0),
            explanation::dimension(By::Cluster, "series", counted(&by_series), reference, 2.0),
        ],
        notes: vec!["The rows of 3 objects could not be read again.".to_owned()],
        feature,
    }
}

#[test]
fn a_feature_is_explained_on_a_narrow_terminal() {
    insta::assert_snapshot!(text::explanation::render(&explained("contrast"), false, 80));
}

#[test]
fn a_feature_is_explained_in_colour() {
    insta::assert_snapshot!(text::explanation::render(&explained("contrast"), true, 130).replace('\u{1b}', "␛"));
}

#[test]
fn a_category_is_explained() {
    let category = Explanation { concentration: Vec::new(), ..explained("extent") };
    insta::assert_snapshot!(text::explanation::render(&category, false, 110));
}

#[test]
fn a_feature_is_explained_in_markdown() {
    insta::assert_snapshot!(markdown::explanation::render(&explained("contrast")));
}

#[test]
fn a_feature_of_which_little_is_known_is_explained() {
    let mut little = explained("sphericity");
    little.is_prediction = true;
    let shown = text::explanation::render(&little, false, 80) + "\n" + &markdown::explanation::render(&little);
    insta::assert_snapshot!(shown);
}

#[test]
fn a_feature_without_a_value_is_explained() {
    let nothing = Explanation { concentration: Vec::new(), ..explained("eccentricity") };
    insta::assert_snapshot!(text::explanation::render(&nothing, false, 80) + "\n" + &markdown::explanation::render(&nothing));
}

#[test]
fn a_long_label_takes_a_quarter_of_the_line() {
    let mut explained = explained("extent");
    explained.cells[0].label = "a_label_that_is_longer_than_a_quarter_of_any_line".to_owned();
    let row = |width: u16| {
        let shown = text::explanation::render(&explained, false, width);
        shown.lines().find(|line| line.starts_with("a_label")).map(str::to_owned).unwrap()
    };
    // 20 of 80 columns for the label; a third of what is left of the others, 6, for each bar.
    assert_eq!(row(80), "a_label_that_is_lon…     32 %  ██████    4.3 %  ▊          60.3 %  ███▋");
    assert!(row(120).starts_with("a_label_that_is_longer_than_a…     32 %  ████████████████ "), "{}", row(120));
}

#[test]
fn a_trend_takes_two_windows() {
    let of = |windows: usize| {
        let mut explained = explained("contrast");
        explained.trend.drain(..explained.trend.len() - windows);
        let shown = text::explanation::render(&explained, false, 80);
        shown.lines().find(|line| line.contains("PSI over")).map(str::to_owned)
    };
    assert_eq!([of(0), of(1)], [None, None]);
    // 0.35 of 0.412 are six of seven steps.
    assert_eq!(of(2).as_deref(), Some("  PSI over 2 windows: ▇█ 0.412   verdicts: ◆◆"));
}

fn history() -> History {
    let past = |state| PastSignal { mode: SignalMode::Notify, state, value: Some(0.5), threshold: Some(0.3), transition: None };
    let runs = full_day().run.history.into_iter().rev().take(3).zip(1..);
    let runs = runs.map(|(outcome, index)| RunEntry {
        id: format!("run-{index}"),
        trigger: if index == 1 { "cloud-run" } else { "backfill" }.to_owned(),
        started_at: outcome.window_end + TimeDelta::minutes(5),
        finished_at: outcome.window_end + TimeDelta::minutes(6),
        report: (index == 1).then(|| "gs://b/report.html".to_owned()),
        signals: BTreeMap::from([
            (SignalName::DataDrift, past(SignalState::Firing)),
            (SignalName::NoData, past(if index == 1 { SignalState::Firing } else { SignalState::Quiet })),
        ]),
        outcome,
    });
    let runs: Vec<RunEntry> = runs.collect();
    let last_message = LastMessage {
        window_end: ended(6),
        transition: Transition::Worsened,
        created_at: ended(5),
        status: BTreeMap::from([("email".to_owned(), DeliveryStatus::Delivered), ("slack".to_owned(), DeliveryStatus::Pending)]),
    };
    let open = SignalEntry {
        name: SignalName::DataDrift,
        mode: SignalMode::Notify,
        state: Some(SignalState::Firing),
        window_end: Some(ended(0)),
        open_since: Some(ended(30)),
        age_s: Some(109_800),
        reminders: 2,
        last_message: Some(last_message),
    };
    let never_read = SignalEntry {
        name: SignalName::Storage,
        mode: SignalMode::Shadow,
        state: None,
        window_end: None,
        open_since: None,
        age_s: None,
        reminders: 0,
        last_message: None,
    };
    let sent = DeliveryEntry {
        signal: SignalName::DataDrift,
        transition: Transition::Opened,
        window_end: ended(30),
        window_length_s: 86_400,
        channel: "email".to_owned(),
        status: DeliveryStatus::Delivered,
        created_at: ended(29),
        delivered_at: Some(ended(28)),
        attempts: 1,
        error: None,
    };
    let failed = DeliveryEntry {
        channel: "slack".to_owned(),
        status: DeliveryStatus::Pending,
        delivered_at: None,
        attempts: 3,
        error: Some("status 503".to_owned()),
        ..sent.clone()
    };
    let silence = |active| SilenceEntry {
        signal: SignalName::BrokenInput,
        created_at: ended(48),
        until: ended(if active { -24 } else { 24 }),
        reason: if active { "the scanner is mended" } else { "a test" }.to_owned(),
        active,
    };
    let label = |truth, feature: Option<&str>| LabelEntry {
        label: Label { truth, from: ended(72), to: ended(60), feature: feature.map(Into::into) },
        created_at: ended(50),
        reason: "we looked".to_owned(),
    };
    History {
        schema_version: HISTORY_VERSION,
        job: "ct-scan".to_owned(),
        environment: "prod".to_owned(),
        window_length_s: 86_400,
        runs,
        signals: vec![open, never_read],
        deliveries: vec![failed, sent],
        silences: vec![silence(true), silence(false)],
        labels: vec![label(Truth::Drift, None), label(Truth::NoDrift, Some("contrast"))],
        promotions: vec![PromotionEntry {
            signal: SignalName::DataDrift,
            created_at: ended(90),
            refusal: "too few windows".to_owned(),
            reason: "we know better".to_owned(),
        }],
        undelivered: 1,
    }
}

#[test]
fn what_is_on_record_as_text() {
    insta::assert_snapshot!(history().render("24h", Medium::Text));
}

#[test]
fn what_is_on_record_in_markdown() {
    let plain = History { promotions: Vec::new(), labels: Vec::new(), undelivered: 2, ..history() };
    insta::assert_snapshot!(plain.render("24h", Medium::Markdown));
}

#[test]
fn what_is_left_to_deliver_is_counted() {
    let last = |undelivered| History { undelivered, ..history() }.render("24h", Medium::Text).lines().last().unwrap().to_owned();
    assert_eq!(last(0), "No message waits to be delivered.");
    assert_eq!(last(1), "1 message is not delivered yet: the next run tries again.");
    assert_eq!(last(3), "3 messages are not delivered yet: the next run tries again.");
}

#[test]
fn how_far_signals_are_from_being_fit_to_notify() {
    let few = Readiness {
        windows: 40,
        left_out: LeftOut { labelled_drift: 3, inconclusive: 2, other_threshold: 1 },
        independent: 31,
        false_alarms: 1,
        rate: Some(1.0 / 31.0),
        upper_bound: 0.144_5,
        needed: Some(204),
        per_month: PerMonth { windows: 30.4, estimate: Some(0.98), upper_bound: 4.4 },
    };
    let none = Readiness {
        windows: 0,
        left_out: LeftOut::default(),
        independent: 0,
        false_alarms: 0,
        rate: None,
        upper_bound: 1.0,
        needed: None,
        per_month: PerMonth { windows: 30.4, estimate: None, upper_bound: 30.4 },
    };
    let many = Readiness { upper_bound: 0.019, needed: Some(0), left_out: LeftOut { inconclusive: 7, ..none.left_out }, ..few };
    let signal = |name, ready, readiness| SignalReadiness { name, mode: SignalMode::Shadow, ready, readiness };
    let signals = vec![
        signal(SignalName::DataDrift, false, few),
        signal(SignalName::Storage, false, none),
        signal(SignalName::NoData, true, many),
    ];
    let report = ReadinessReport::new("ct-scan".to_owned(), "prod".to_owned(), 86_400, signals);
    insta::assert_snapshot!(report.render("24h", Medium::Text) + "\n" + &report.render("24h", Medium::Markdown));
}

#[test]
fn a_backtest_on_a_terminal() {
    let location = Some("gs://ct-scan-drift-logs/backtests/backtest.html".to_owned());
    let options = backtest::text::Options { color: true, width: 100, location };
    insta::assert_snapshot!(backtest::text::render(&sample_backtest::backtest(), &options).replace('\u{1b}', "␛"));
}

#[test]
fn a_backtest_in_markdown() {
    insta::assert_snapshot!(backtest::markdown::render(&sample_backtest::backtest()));
}

/// All but the curves, which the tables show, and most of the windows.
#[test]
fn a_backtest_as_json() {
    let mut backtest = sample_backtest::backtest();
    backtest.curves.clear();
    let windows = std::mem::take(&mut backtest.windows).into_iter().enumerate();
    backtest.windows = windows.filter(|(index, _)| [3, 5, 8].contains(index)).map(|(_, window)| window).collect();
    // Their last digits are those of the quantile function, which has tests of its own.
    insta::assert_json_snapshot!(backtest, { ".**.interval" => "[low, high]", ".**.upper" => "[upper]" });
}
