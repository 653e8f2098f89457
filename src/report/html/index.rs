//! The list of runs as one self-contained page beside the reports: `index.html`. It holds in a `meta` element what it lists, so that the
//! next run can put itself in without knowing anything else.

use std::cmp::Reverse;

use askama::Template;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as DeserializeError, StrDeserializer};

use super::scale::{WIDTH, short};
use crate::decision::DatasetVerdict;
use crate::report::story::{self, Words};
use crate::report::{format_count, format_percent};
use crate::window::Length;

/// The newest of these are listed: those of 90 days, where a run is made every six hours.
pub const MOST_RUNS: usize = 360;

/// More points than this run into each other.
const MOST_POINTS: usize = 120;

/// The height of the drawing area.
const HEIGHT: f64 = 200.0;

/// Of what the page holds for the next run.
const VERSION: u64 = 1;

const BEFORE_DATA: &str = r#"<meta name="drift-check-runs" content=""#;

/// One run in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRun {
    pub window_end: DateTime<Utc>,
    /// Of the window.
    pub length: Length,
    pub verdict: DatasetVerdict,
    /// In [0, 1].
    pub share: f64,
    /// The share above which it is drift, in [0, 1].
    pub threshold: f64,
    pub rows: u64,
}

impl ListedRun {
    /// Where its report is, from the page.
    fn link(&self) -> String {
        format!("{}-{}/report.html", self.window_end.format("%Y/%m/%d/%H%M%SZ"), self.length)
    }

    /// Names its report: a moment as precise as a key in the bucket.
    fn key(&self) -> (i64, i64) {
        (self.window_end.timestamp(), self.length.seconds())
    }

    /// Without a character that HTML knows.
    fn written(&self) -> String {
        let Self { window_end, length, verdict, share, threshold, rows } = self;
        format!("{} {length} {verdict} {share} {threshold} {rows}", window_end.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let window_end = DateTime::parse_from_rfc3339(next()?).ok()?.to_utc();
        let length = next()?.parse().ok()?;
        let verdict: StrDeserializer<'_, DeserializeError> = next()?.into_deserializer();
        let verdict = DatasetVerdict::deserialize(verdict).ok()?;
        let mut fraction = || next()?.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        let (share, threshold) = (fraction()?, fraction()?);
        Some(Self { window_end, length, verdict, share, threshold, rows: next()?.parse().ok()? })
    }
}

/// What a page lists.
#[derive(Clone, Debug, PartialEq)]
pub enum Listed {
    /// Nothing that can be read counts as nothing.
    Runs(Vec<ListedRun>),
    /// The page is of this version, which is newer.
    Newer(u64),
}

/// Reads a page that was written before.
pub fn read(page: &[u8]) -> Listed {
    let page = String::from_utf8_lossy(page);
    let data = page.split_once(BEFORE_DATA).and_then(|(_, rest)| rest.split_once('"'));
    let mut parts = data.map_or("", |(data, _)| data).split(';');
    match parts.next().and_then(|version| version.parse().ok()) {
        Some(newer) if newer > VERSION => Listed::Newer(newer),
        _ => Listed::Runs(parts.filter_map(ListedRun::read).take(MOST_RUNS).collect()),
    }
}

/// The list with one more run, the newest window first. A run takes the place of an earlier one of its window; one of a window that ends
/// after `latest` was written by a clock that was wrong.
pub fn with(listed: Vec<ListedRun>, run: ListedRun, latest: DateTime<Utc>) -> Vec<ListedRun> {
    let mut all = listed;
    all.retain(|other| other.key() != run.key() && other.window_end <= latest);
    all.push(run);
    all.sort_by_key(|run| Reverse(run.key()));
    all.truncate(MOST_RUNS);
    all
}

#[derive(Template)]
#[template(path = "index.html")]
struct Page {
    data: String,
    title: String,
    job: String,
    environment: String,
    summary: String,
    chart: Option<Chart>,
    rows: Vec<Row>,
    version: &'static str,
    most: usize,
}

struct Row {
    link: String,
    end: String,
    length: String,
    verdict: Words,
    share: String,
    count: String,
}

/// The share over time, in a drawing area of 1000 × 200.
struct Chart {
    note: String,
    top: String,
    threshold: String,
    threshold_y: String,
    /// In percent from the top.
    threshold_top: String,
    line: String,
    dots: Vec<Dots>,
    first: String,
    last: String,
    description: String,
}

/// The runs of one verdict.
struct Dots {
    verdict: Words,
    path: String,
}

/// The page. `runs`: the newest first.
pub fn render(job: &str, environment: &str, runs: &[ListedRun]) -> String {
    let (job, environment) = (story::visible(job), story::visible(environment));
    let written: Vec<String> = runs.iter().map(ListedRun::written).collect();
    let page = Page {
        data: format!("{VERSION};{}", written.join(";")),
        title: format!("{job}: runs"),
        summary: summary(runs),
        chart: chart(runs),
        rows: runs.iter().map(row).collect(),
        version: env!("CARGO_PKG_VERSION"),
        most: MOST_RUNS,
        job,
        environment,
    };
    // Rendering into memory cannot fail; an empty page would be replaced by the next run.
    page.render().unwrap_or_default()
}

fn summary(runs: &[ListedRun]) -> String {
    let Some(newest) = runs.first() else { return "There is no run yet.".to_owned() };
    let count = |verdict| runs.iter().filter(|run| run.verdict == verdict).count();
    let verdicts = [DatasetVerdict::Drift, DatasetVerdict::Inconclusive, DatasetVerdict::NoData, DatasetVerdict::Stable];
    let parts: Vec<String> = verdicts
        .into_iter()
        .filter(|verdict| count(*verdict) > 0)
        .map(|verdict| format!("{} {}", count(verdict), story::dataset_words(verdict).word.to_lowercase()))
        .collect();
    let word = story::dataset_words(newest.verdict).word.to_lowercase();
    format!(
        "The newest window, to {} UTC: {word}. Of {} listed: {}.",
        story::moment(newest.window_end),
        runs.len(),
        parts.join(", ")
    )
}

/// A window without rows has no share; 0 % would read as if all were well.
fn share(run: &ListedRun) -> String {
    if run.verdict == DatasetVerdict::NoData { "–".to_owned() } else { format_percent(run.share) }
}

fn row(run: &ListedRun) -> Row {
    Row {
        link: run.link(),
        end: story::moment(run.window_end),
        length: run.length.to_string(),
        verdict: story::dataset_words(run.verdict),
        share: share(run),
        count: format_count(run.rows),
    }
}

/// The newest windows that are as long as the newest one; `None` where there are not two.
fn chart(runs: &[ListedRun]) -> Option<Chart> {
    let newest = runs.first()?;
    let mut shown: Vec<&ListedRun> = runs.iter().filter(|run| run.length == newest.length).take(MOST_POINTS).collect();
    shown.reverse();
    let first = *shown.first().filter(|_| shown.len() > 1)?;
    let span = (newest.window_end - first.window_end).as_seconds_f64().max(1.0);
    let x = |run: &ListedRun| (run.window_end - first.window_end).as_seconds_f64() / span * WIDTH;
    let highest = shown.iter().map(|run| run.share).fold(newest.threshold, f64::max);
    let top = ((highest * 11.5).ceil() / 10.0).clamp(0.1, 1.0);
    let y = |share: f64| HEIGHT - (share / top).clamp(0.0, 1.0) * HEIGHT;
    let known = |run: &&&ListedRun| run.verdict != DatasetVerdict::NoData;
    let mut line = String::new();
    let mut pen_down = false;
    for run in &shown {
        let is_known = known(&run);
        if is_known {
            line.push_str(&format!("{}{} {}", if pen_down { "L" } else { "M" }, short(x(run)), short(y(run.share))));
        }
        pen_down = is_known;
    }
    let verdicts = [DatasetVerdict::Stable, DatasetVerdict::Inconclusive, DatasetVerdict::Drift];
    let dots = verdicts.map(|verdict| {
        let of_verdict = shown.iter().filter(|run| run.verdict == verdict);
        let path: String = of_verdict.map(|run| format!("M{} {}h0", short(x(run)), short(y(run.share)))).collect();
        Dots { verdict: story::dataset_words(verdict), path }
    });
    let shares: Vec<String> = shown.iter().map(|run| share(run)).collect();
    Some(Chart {
        note: format!("The newest {} windows of {}, by the end of the window. Dashed: the threshold.", shown.len(), newest.length),
        top: format_percent(top),
        threshold: format_percent(newest.threshold),
        threshold_y: short(y(newest.threshold)),
        threshold_top: short(y(newest.threshold) / HEIGHT * 100.0),
        line,
        dots: dots.into_iter().filter(|dots| !dots.path.is_empty()).collect(),
        first: format!("{} UTC", story::moment(first.window_end)),
        last: format!("{} UTC", story::moment(newest.window_end)),
        description: format!("Share of drifted and broken features, oldest window first: {}.", shares.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_817_600 + hour * 3_600, 0).unwrap()
    }

    fn run(end: i64, verdict: DatasetVerdict, share: f64) -> ListedRun {
        ListedRun { window_end: hour(end), length: Length::from_hours(24), verdict, share, threshold: 0.3, rows: 1_234 }
    }

    #[test]
    fn a_page_is_read_back_as_it_was_written() {
        let runs =
            [run(12, DatasetVerdict::NoData, 0.0), run(6, DatasetVerdict::Drift, 5.0 / 16.0), run(0, DatasetVerdict::Stable, 0.0)];
        let page = render("ct-scan", "prod", &runs);
        assert_eq!(read(page.as_bytes()), Listed::Runs(runs.to_vec()));
        assert!(
            page.contains(r#"href="2026/01/31/060000Z-24h/report.html""#) && page.contains("1 drift, 1 no data, 1 stable"),
            "{page}"
        );
    }

    #[test]
    fn names_cannot_break_out_of_the_page() {
        let page = render("<script>alert(1)</script>\"", "'\u{202e}<b>", &[run(0, DatasetVerdict::Stable, 0.0)]);
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains('\u{202e}'), "{page}");
        assert!(matches!(read(page.as_bytes()), Listed::Runs(runs) if runs.len() == 1));
    }

    #[test]
    fn what_cannot_be_read_is_nothing_and_what_is_newer_is_said() {
        let with = |data: &str| format!("{BEFORE_DATA}{data}\">");
        for nothing in ["", "no page", &with(""), &with("1"), &with("1;x"), &with("1;2026-01-31T00:00:00Z 24h drift 1.5 0.3 1")] {
            assert_eq!(read(nothing.as_bytes()), Listed::Runs(Vec::new()), "{nothing}");
        }
        assert_eq!(read(with("2;what is to come").as_bytes()), Listed::Newer(2));
        let link = "1;2026-01-31T00:00:00Z ../../24h drift 0.5 0.3 1;2026-01-31T00:00:00Z 24h \u{ff} 0.5 0.3 1";
        assert_eq!(read(with(link).as_bytes()), Listed::Runs(Vec::new()), "no link leads elsewhere");
    }

    #[test]
    fn a_run_takes_its_place_and_the_list_is_bounded() {
        let stable = |end| run(end, DatasetVerdict::Stable, 0.0);
        let ends = |runs: &[ListedRun]| runs.iter().map(|run| (run.window_end - hour(0)).num_hours()).collect::<Vec<_>>();
        let all = with(vec![stable(12), stable(0)], stable(6), hour(13));
        assert_eq!(ends(&all), [12, 6, 0]);
        let again = with(all, run(6, DatasetVerdict::Drift, 0.5), hour(13));
        assert_eq!((ends(&again), again[1].verdict), (vec![12, 6, 0], DatasetVerdict::Drift));
        assert_eq!(ends(&with(again, stable(7), hour(8))), [7, 6, 0], "a clock was wrong");
        let other = ListedRun { length: Length::from_hours(6), ..stable(6) };
        assert_eq!(with(vec![stable(6)], other, hour(13)).len(), 2, "another length is another run");
        let many: Vec<ListedRun> = (0..400).map(stable).collect();
        let bounded = with(many, stable(400), hour(1_000));
        assert_eq!((bounded.len(), ends(&bounded)[0]), (MOST_RUNS, 400));
        assert!(render("j", "e", &bounded).len() < 200_000);
    }

    #[test]
    fn a_window_without_rows_has_no_share() {
        let chart =
            chart(&[run(12, DatasetVerdict::Stable, 0.1), run(6, DatasetVerdict::NoData, 0.0), run(0, DatasetVerdict::Drift, 0.6)]);
        let chart = chart.unwrap();
        assert_eq!(chart.line.matches('M').count(), 2, "{}", chart.line);
        assert_eq!((chart.top.as_str(), chart.dots.len()), ("70 %", 2));
        assert!(chart.description.ends_with("60 %, –, 10 %."), "{}", chart.description);
    }

    #[test]
    fn the_chart_holds_the_newest_windows_of_one_length() {
        let runs: Vec<ListedRun> = (0..130).map(|back| run(6 * (129 - back), DatasetVerdict::Stable, 0.15)).collect();
        let chart = chart(&runs).unwrap();
        // 120 of them lie 119 steps apart; the threshold of 0.3 is the highest, so the top is 0.4.
        assert_eq!(chart.line.matches('L').count(), 119);
        assert!(chart.line.starts_with("M0 125L8.4 125L16.8 125") && chart.line.ends_with("L1000 125"), "{}", chart.line);
        assert_eq!((chart.top.as_str(), chart.threshold_y.as_str(), chart.threshold_top.as_str()), ("40 %", "50", "25"));
        assert_eq!(chart.note, "The newest 120 windows of 24h, by the end of the window. Dashed: the threshold.");
    }

    #[test]
    fn two_windows_make_a_chart_and_one_does_not() {
        let of = |runs: &[ListedRun]| chart(runs).map(|chart| (chart.line, chart.top, chart.first, chart.last));
        let [newer, older] = [run(6, DatasetVerdict::Drift, 0.9), run(0, DatasetVerdict::Stable, 0.25)];
        let other = ListedRun { length: Length::from_hours(6), ..older.clone() };
        assert_eq!([of(&[]), of(std::slice::from_ref(&newer)), of(&[newer.clone(), other])], [None, None, None]);
        let text = |texts: [&str; 4]| {
            let [line, top, first, last] = texts.map(str::to_owned);
            Some((line, top, first, last))
        };
        // Above 0.87 the top is all.
        assert_eq!(of(&[newer, older]), text(["M0 150L1000 20", "100 %", "2026-01-31 00:00 UTC", "2026-01-31 06:00 UTC"]));
    }

    #[test]
    fn the_summary_counts_the_verdicts_that_occur() {
        assert_eq!(summary(&[]), "There is no run yet.");
        let runs = [
            run(0, DatasetVerdict::NoData, 0.0),
            run(-6, DatasetVerdict::Inconclusive, 0.1),
            run(-12, DatasetVerdict::NoData, 0.0),
        ];
        assert_eq!(summary(&runs), "The newest window, to 2026-01-31 00:00 UTC: no data. Of 3 listed: 1 inconclusive, 2 no data.");
    }
}
