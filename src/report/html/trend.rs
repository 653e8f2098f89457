//! The past: the share window by window, every changed feature window by window, and one feature's PSI as a line.

use chrono::{DateTime, Utc};

use super::scale::{WIDTH, percent, short};
use crate::decision::{DatasetVerdict, Verdict};
use crate::report::story::{self, Words};
use crate::report::{FeatureReport, PastFeature, PastRun, Report, format_count, format_percent};

/// As many windows as fit a phone side by side, this one included.
const MOST_WINDOWS: usize = 20;

/// More features than this are no overview; the others are counted.
const MOST_FEATURES: usize = 40;

/// The height of the share's drawing area, and of a spark line's.
const HEIGHT: f64 = 200.0;
const SPARK_HEIGHT: f64 = 100.0;

/// The trend over past windows, this one last.
pub struct TrendView {
    pub note: String,
    pub line: String,
    pub points: Vec<Point>,
    /// The threshold's height in drawing units and in percent from the top.
    pub threshold_y: String,
    pub threshold_top: String,
    pub threshold: String,
    pub top: String,
    pub columns: Vec<String>,
    pub first: String,
    pub last: String,
    pub rows: Vec<StripRow>,
    /// What the rows leave out.
    pub rest: String,
    pub description: String,
}

/// One window's share; positions in percent.
pub struct Point {
    pub left: String,
    pub top: String,
    pub verdict: Words,
    pub title: String,
    pub last: bool,
}

/// One line of the strip: the data set or a feature.
pub struct StripRow {
    pub name: String,
    pub link: Option<usize>,
    pub cells: Vec<StripCell>,
}

/// One verdict in one window; `None` where the feature was not checked.
pub struct StripCell {
    pub verdict: Option<Words>,
    pub title: String,
}

/// One window as the trend sees it.
struct Moment<'a> {
    end: Option<DateTime<Utc>>,
    verdict: DatasetVerdict,
    share: f64,
    rows: u64,
    /// `None` for this very window.
    past: Option<&'a PastRun>,
}

impl Moment<'_> {
    /// A window without rows has no share; 0 % would read as if all were well.
    fn share_words(&self) -> String {
        if self.verdict == DatasetVerdict::NoData {
            return "share not known".to_owned();
        }
        format!("share {}", format_percent(self.share))
    }

    fn name(&self) -> String {
        self.end.map_or_else(|| "this window".to_owned(), |end| format!("{} UTC", story::moment(end)))
    }
}

fn moments(report: &Report) -> Vec<Moment<'_>> {
    let skip = report.run.history.len().saturating_sub(MOST_WINDOWS - 1);
    let past = report.run.history.iter().skip(skip).map(|past| Moment {
        end: Some(past.window_end),
        verdict: past.verdict,
        share: past.share,
        rows: past.rows,
        past: Some(past),
    });
    let decision = &report.decision;
    let now =
        Moment { end: report.window.end, verdict: decision.verdict, share: decision.share, rows: report.current.rows, past: None };
    past.chain([now]).collect()
}

impl TrendView {
    /// `None` without a past run.
    pub fn new(report: &Report) -> Option<Self> {
        if report.run.history.is_empty() {
            return None;
        }
        let moments = moments(report);
        let threshold = report.decision.threshold;
        let highest = moments.iter().map(|moment| moment.share).fold(threshold, f64::max);
        let top = ((highest * 11.5).ceil() / 10.0).clamp(0.1, 1.0);
        let y = |share: f64| HEIGHT - (share / top).clamp(0.0, 1.0) * HEIGHT;
        let x = |index: usize| (position(index) + 0.5) / position(moments.len()) * WIDTH;
        let (rows, rest) = strip(report, &moments);
        let all = report.run.history.len() + 1;
        let shares: Vec<String> = moments.iter().map(Moment::share_words).collect();
        Some(Self {
            note: if all > moments.len() { format!("The last {} of {all} windows.", moments.len()) } else { String::new() },
            line: share_line(&moments, x, y),
            points: moments.iter().enumerate().map(|(index, moment)| point(moment, x(index), y(moment.share))).collect(),
            threshold_y: short(y(threshold)),
            threshold_top: short(y(threshold) / HEIGHT * 100.0),
            threshold: format_percent(threshold),
            top: format_percent(top),
            columns: moments.iter().map(Moment::name).collect(),
            first: moments.first().map(Moment::name).unwrap_or_default(),
            last: moments.last().map(Moment::name).unwrap_or_default(),
            rows,
            rest,
            description: format!("Share of drifted and broken features, oldest window first: {}.", shares.join(", ")),
        })
    }
}

/// The line through the shares, broken where there is none.
fn share_line(moments: &[Moment<'_>], x: impl Fn(usize) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut line = String::new();
    let mut pen_down = false;
    for (index, moment) in moments.iter().enumerate() {
        let known = moment.verdict != DatasetVerdict::NoData;
        if known {
            line.push_str(&format!("{}{} {}", if pen_down { "L" } else { "M" }, short(x(index)), short(y(moment.share))));
        }
        pen_down = known;
    }
    line
}

/// A number of windows as a coordinate.
fn position(index: usize) -> f64 {
    u32::try_from(index).map_or(f64::from(u32::MAX), f64::from)
}

fn point(moment: &Moment<'_>, x: f64, y: f64) -> Point {
    let verdict = story::dataset_words(moment.verdict);
    let title = format!("{}: {}, {}, {} rows", moment.name(), verdict.word, moment.share_words(), format_count(moment.rows));
    Point { left: percent(x), top: short(y / HEIGHT * 100.0), verdict, title, last: moment.past.is_none() }
}

/// The data set and every feature that was not stable in some window shown; in words, those left out.
fn strip(report: &Report, moments: &[Moment<'_>]) -> (Vec<StripRow>, String) {
    let data_set = StripRow {
        name: "Data set".to_owned(),
        link: None,
        cells: moments.iter().map(|moment| cell(Some(story::dataset_words(moment.verdict)), moment)).collect(),
    };
    let mut rows = vec![data_set];
    let (mut stable, mut more) = (0_usize, 0_usize);
    for (index, feature) in report.features.iter().enumerate() {
        let verdicts: Vec<Option<Verdict>> = moments.iter().map(|moment| verdict_at(moment, feature)).collect();
        if verdicts.iter().flatten().all(|verdict| *verdict == Verdict::Stable) {
            stable += 1;
        } else if rows.len() > MOST_FEATURES {
            more += 1;
        } else {
            let cells = verdicts.iter().zip(moments).map(|(verdict, moment)| cell(verdict.map(story::feature_words), moment));
            rows.push(StripRow { name: story::visible(feature.name.as_str()), link: Some(index), cells: cells.collect() });
        }
    }
    let stable = (stable > 0).then(|| format!("{stable} {} stable in every window", noun(stable)));
    let more = (more > 0).then(|| format!("{more} more {} not stable in some window", noun(more)));
    let rest: Vec<String> = more.into_iter().chain(stable).collect();
    (rows, if rest.is_empty() { String::new() } else { format!("Not shown: {}.", rest.join("; ")) })
}

fn noun(count: usize) -> &'static str {
    if count == 1 { "feature that was" } else { "features that were" }
}

fn verdict_at(moment: &Moment<'_>, feature: &FeatureReport) -> Option<Verdict> {
    match moment.past {
        Some(past) => past.features.get(&feature.name).map(|past| past.verdict),
        None => Some(feature.verdict),
    }
}

fn cell(verdict: Option<Words>, moment: &Moment<'_>) -> StripCell {
    let word = verdict.map_or("not checked", |words| words.word);
    StripCell { verdict, title: format!("{}: {word}", moment.name()) }
}

/// One feature's PSI adjusted over the windows, in a drawing area of 1000 × 100.
pub struct Spark {
    pub line: String,
    pub last: String,
    pub threshold_y: String,
    pub words: String,
}

/// `None` where no past window has a PSI of the feature.
pub fn spark(report: &Report, feature: &FeatureReport) -> Option<Spark> {
    let skip = report.run.history.len().saturating_sub(MOST_WINDOWS - 1);
    let mut values: Vec<Option<f64>> = report
        .run
        .history
        .iter()
        .skip(skip)
        .map(|past| past.features.get(&feature.name).and_then(|past: &PastFeature| past.psi_adjusted))
        .collect();
    let first = values.iter().flatten().next().copied()?;
    let now = feature.psi.as_ref().map(|psi| psi.adjusted);
    values.push(now);
    let highest = values.iter().flatten().copied().fold(report.decision.psi_drift, f64::max);
    let top = if highest > 0.0 { highest * 1.1 } else { 1.0 };
    let y = |value: f64| SPARK_HEIGHT - (value / top).clamp(0.0, 1.0) * SPARK_HEIGHT;
    let x = |index: usize| position(index) / position(values.len() - 1).max(1.0) * (WIDTH - 40.0) + 20.0;
    let mut line = String::new();
    let mut pen_down = false;
    for (index, value) in values.iter().enumerate() {
        if let Some(value) = value {
            line.push_str(&format!("{}{} {}", if pen_down { "L" } else { "M" }, short(x(index)), short(y(*value))));
        }
        pen_down = value.is_some();
    }
    let last = now.map(|now| format!("M{} {}h0", short(x(values.len() - 1)), short(y(now)))).unwrap_or_default();
    let words = match now {
        Some(now) => format!("PSI adjusted {first:.3} → {now:.3} over {} windows", values.len()),
        None => format!("PSI adjusted {first:.3} at first, not computed now, over {} windows", values.len()),
    };
    Some(Spark { line, last, threshold_y: short(y(report.decision.psi_drift)), words })
}
