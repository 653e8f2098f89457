//! Whole pages: the report, the list of runs, the backtest. Their styles and icons, which hold nothing of a run, are left out.

use drift_check::decision::DatasetVerdict;
use drift_check::report::html;
use drift_check::report::html::index::{self, ListedRun};
use drift_check::window::Length;

use crate::sample_backtest::{backtest, hour};
use crate::sample_full::full_day;
use crate::sample_report as sample;

/// The page without what is the same for every report.
fn body(page: &str) -> String {
    without(&without(page, "<style>", "</style>"), "<svg width=\"0\"", "</svg>")
}

fn without(page: &str, begin: &str, end: &str) -> String {
    let Some((before, rest)) = page.split_once(begin) else { return page.to_owned() };
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}…{after}")
}

#[test]
fn the_page_of_a_full_day() {
    insta::assert_snapshot!(body(&html::render(&full_day())));
}

#[test]
fn the_page_of_a_window_without_rows() {
    insta::assert_snapshot!(body(&html::render(&sample::no_data())));
}

#[test]
fn the_page_of_a_report_without_anything() {
    insta::assert_snapshot!(body(&html::render(&sample::nothing_at_all())));
}

#[test]
fn the_page_of_the_runs() {
    let run = |end: i64, verdict, share: f64, rows: u64| ListedRun {
        window_end: hour(end),
        length: Length::from_hours(24),
        verdict,
        share,
        threshold: 0.3,
        rows,
    };
    let runs = [
        run(24, DatasetVerdict::Drift, 0.5, 1_234),
        ListedRun { length: Length::from_hours(6), ..run(24, DatasetVerdict::Drift, 0.75, 321) },
        run(18, DatasetVerdict::NoData, 0.0, 0),
        run(12, DatasetVerdict::Inconclusive, 0.25, 12),
        run(6, DatasetVerdict::Stable, 0.125, 1_100),
        run(0, DatasetVerdict::Stable, 0.0, 1_000),
    ];
    // The program puts its own version into this one.
    let page = body(&index::render("ct-scan", "prod", &runs)).replace(env!("CARGO_PKG_VERSION"), "(version)");
    insta::assert_snapshot!(page);
}

#[test]
fn the_page_of_a_backtest() {
    insta::assert_snapshot!(body(&html::backtest::render(&backtest())));
}
