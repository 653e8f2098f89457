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

#[cfg(test)]
mod tests {
    use super::*;

    use crate::report::PsiSection;
    use crate::report::tests::{feature, past, report};

    /// A report after so many windows, in which the features had these verdicts.
    fn after(windows: i64, features: &[(&str, Verdict)]) -> Report {
        let mut report = report();
        report.run.history = (1..=windows).rev().map(|back| past(back, DatasetVerdict::Stable, features)).collect();
        report
    }

    #[test]
    fn the_newest_twenty_windows_are_drawn_side_by_side() {
        let mut report = after(25, &[]);
        report.decision.share = 0.5;
        report.decision.verdict = DatasetVerdict::Drift;
        report.run.history[24].verdict = DatasetVerdict::NoData;
        report.run.history[23].verdict = DatasetVerdict::NoData;
        let trend = TrendView::new(&report).unwrap();
        assert_eq!((trend.note.as_str(), trend.points.len(), trend.columns.len()), ("The last 20 of 26 windows.", 20, 20));
        // 11.5 times the highest share, rounded up to a tenth: 0.6. A window takes 50 of 1000, and a share of 0.25 is 83.3 high.
        assert_eq!((trend.top.as_str(), trend.threshold_y.as_str(), trend.threshold_top.as_str()), ("60 %", "100", "50"));
        assert!(trend.line.starts_with("M25 116.7L75 116.7L125 116.7"), "{}", trend.line);
        assert!(trend.line.ends_with("L825 116.7M975 33.3"), "{}", trend.line);
        assert_eq!((trend.first.as_str(), trend.last.as_str()), ("2026-01-27 00:00 UTC", "2026-01-31 18:00 UTC"));
        let [first, last] = [&trend.points[0], &trend.points[19]];
        assert_eq!((first.left.as_str(), first.top.as_str(), first.last), ("2.5", "58.3", false));
        assert_eq!(first.title, "2026-01-27 00:00 UTC: Stable, share 25 %, 100 rows");
        assert_eq!((last.left.as_str(), last.top.as_str(), last.last), ("97.5", "16.7", true));
        assert_eq!(trend.points[18].title, "2026-01-31 12:00 UTC: No data, share not known, 100 rows");
        let few = TrendView::new(&after(19, &[])).unwrap();
        assert_eq!((few.note.as_str(), few.points.len()), ("", 20));
        assert!(TrendView::new(&after(0, &[])).is_none());
    }

    #[test]
    fn what_was_stable_in_every_window_is_counted_and_not_shown() {
        let mut report = after(2, &[("a", Verdict::Stable), ("b", Verdict::Warning), ("c", Verdict::Stable)]);
        report.features = vec![
            feature("a", Verdict::Drift),
            feature("b", Verdict::Stable),
            feature("c", Verdict::Stable),
            feature("d", Verdict::Stable),
        ];
        let rows = |report: &Report| strip(report, &moments(report));
        let (shown, rest) = rows(&report);
        let words = |row: &StripRow| row.cells.iter().map(|cell| cell.verdict.map_or("-", |words| words.glyph)).collect::<String>();
        let told: Vec<(&str, Option<usize>, String)> = shown.iter().map(|row| (row.name.as_str(), row.link, words(row))).collect();
        let expected = [("Data set", None, "✓✓✓"), ("a", Some(0), "✓✓◆"), ("b", Some(1), "!!✓")];
        assert_eq!(told, expected.map(|(name, link, words)| (name, link, words.to_owned())));
        assert_eq!(rest, "Not shown: 2 features that were stable in every window.");
        assert_eq!(shown[1].cells[2].title, "2026-01-31 18:00 UTC: Drift");
        report.features.truncate(3);
        assert_eq!(rows(&report).1, "Not shown: 1 feature that was stable in every window.");
        report.features.truncate(2);
        assert_eq!(rows(&report).1, "");
        report.features[1] = feature("new", Verdict::Warning);
        let (shown, _) = rows(&report);
        assert_eq!((words(&shown[2]).as_str(), shown[2].cells[0].title.as_str()), ("--!", "2026-01-31 06:00 UTC: not checked"));
    }

    #[test]
    fn forty_features_are_shown_and_the_others_are_counted() {
        let of = |drifted: usize, stable: usize| {
            let verdicts = std::iter::repeat_n(Verdict::Drift, drifted).chain(std::iter::repeat_n(Verdict::Stable, stable));
            let mut report = after(1, &[]);
            report.features = verdicts.enumerate().map(|(index, verdict)| feature(&format!("f{index}"), verdict)).collect();
            let (rows, rest) = strip(&report, &moments(&report));
            (rows.len(), rest)
        };
        assert_eq!(of(40, 0), (41, String::new()));
        assert_eq!(of(41, 0), (41, "Not shown: 1 more feature that was not stable in some window.".to_owned()));
        let both = "Not shown: 3 more features that were not stable in some window; 2 features that were stable in every window.";
        assert_eq!(of(43, 2), (41, both.to_owned()));
    }

    #[test]
    fn a_spark_goes_through_the_windows_that_have_a_psi() {
        let mut report = after(25, &[("f", Verdict::Stable)]);
        let mut now = feature("f", Verdict::Drift);
        now.psi = Some(PsiSection { value: 0.5, adjusted: 0.4, p_value: 0.0, cells: Vec::new() });
        report.run.history[23].features.clear();
        let drawn = spark(&report, &now).unwrap();
        // 20 windows over 960 units from 20 on; the highest is 0.4, so the top 0.44; the first one is 0.19.
        assert!(drawn.line.starts_with("M20 56.8L70.5 59.1L121.1 61.4"), "{}", drawn.line);
        assert!(drawn.line.ends_with("L828.4 93.2M929.5 97.7L980 9.1"), "{}", drawn.line);
        assert_eq!((drawn.last.as_str(), drawn.threshold_y.as_str()), ("M980 9.1h0", "77.3"));
        assert_eq!(drawn.words, "PSI adjusted 0.190 → 0.400 over 20 windows");
        now.psi = None;
        let drawn = spark(&report, &now).unwrap();
        assert_eq!(
            (drawn.last.as_str(), drawn.words.as_str()),
            ("", "PSI adjusted 0.190 at first, not computed now, over 20 windows")
        );
        assert!(spark(&report, &feature("g", Verdict::Drift)).is_none());
    }

    #[test]
    fn a_spark_of_nothing_lies_on_the_ground() {
        let mut report = after(1, &[("f", Verdict::Stable)]);
        report.decision.psi_drift = 0.0;
        report.run.history[0].features.values_mut().for_each(|past| past.psi_adjusted = Some(0.0));
        let drawn = spark(&report, &feature("f", Verdict::Stable)).unwrap();
        assert_eq!((drawn.line.as_str(), drawn.threshold_y.as_str()), ("M20 100", "100"));
    }
}
