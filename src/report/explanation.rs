//! One feature of a report, explained: which cells contribute, where the distributions are farthest apart, since when, and in which group of
//! rows the shift is concentrated. Data for the renderers; computed of the report, of past windows, and of the rows where these are at hand.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::story::{self, moment};
use super::{FeatureReport, HistogramSection, PastRun, PsiCellSection, Report, WindowSection, format_percent};
use crate::decision::Verdict;
use crate::feature::FeatureKind;
use crate::statistic::concentration::{self, Carried, Tally};
use crate::statistic::ks::Gap;

/// The version of the JSON form.
pub const EXPLANATION_VERSION: u32 = 1;

/// Everything about one feature in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub schema_version: u32,
    pub job: String,
    pub environment: String,
    /// Where the report is.
    pub report_uri: String,
    pub run_id: String,
    pub window: WindowSection,
    /// Whether it is what the model said, and no feature.
    pub is_prediction: bool,
    /// As the report has it.
    pub feature: FeatureReport,
    /// The cells of the PSI, in their order.
    pub cells: Vec<CellShare>,
    pub gap: Option<GapSection>,
    pub since: String,
    /// Earlier windows that know the feature, the oldest first, and this one last.
    pub trend: Vec<TrendPoint>,
    /// The fraction of each side in the cells that gained; null where there are no cells.
    pub gained: Option<super::SidesSection>,
    /// Empty where the rows could not be read again.
    pub concentration: Vec<Dimension>,
    /// What could not be told, and why.
    pub notes: Vec<String>,
}

/// One cell of the PSI.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CellShare {
    pub label: String,
    /// In [0, 1].
    pub reference_fraction: f64,
    pub current_fraction: f64,
    /// What it adds to the PSI.
    pub contribution: f64,
    /// Its part of the PSI, in [0, 1]; 0 where that is 0.
    pub share: f64,
    /// Whether it holds a larger fraction of the window than of the reference.
    pub gained: bool,
}

/// Where the distribution functions are farthest apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GapSection {
    pub at: f64,
    /// Whether the fractions are of the values below `at`, and not of those at or below it.
    pub is_below: bool,
    pub reference_fraction: f64,
    pub current_fraction: f64,
    /// Whether it was found over the rows, and not over the bins of the report's picture.
    pub is_exact: bool,
}

/// The feature in one window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrendPoint {
    pub window_end: DateTime<Utc>,
    pub verdict: Verdict,
    pub psi_adjusted: Option<f64>,
}

/// What the rows are split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    Class,
    Hour,
    Cluster,
}

/// The rows split one way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dimension {
    pub by: By,
    /// The column; the timestamp's for the hour.
    pub column: String,
    pub groups: usize,
    /// How many of them have enough rows to be compared.
    pub compared: usize,
    /// One sentence: which groups stand out, or that none does.
    pub conclusion: String,
    /// Of those that are compared: who stands out first, then by their part of the shift; at most [`MOST_SHOWN`].
    pub shown: Vec<GroupShare>,
}

/// One group of rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupShare {
    pub group: String,
    pub rows: u64,
    pub effective_rows: f64,
    /// Of its finite values.
    pub mean: Option<f64>,
    /// Of its rows, the fraction in cells that gained.
    pub gained_fraction: f64,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    pub share_of_rows: f64,
    /// All groups together have 1; negative where it moved the other way.
    pub share_of_shift: Option<f64>,
    /// Against the rest of the window, for all groups compared; null where there are too few rows.
    pub p_value: Option<f64>,
    pub stands_out: bool,
}

/// Groups that are shown of each way to split.
pub const MOST_SHOWN: usize = 8;

/// The rows of a group as they were counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    pub group: String,
    pub tally: Tally,
    pub mean: Option<f64>,
}

/// The cells with their parts of the PSI.
pub fn cells(feature: &FeatureReport) -> Vec<CellShare> {
    let cells = feature.psi.as_ref().map_or(&[][..], |psi| psi.cells.as_slice());
    let (reference, current) = story::cell_totals(cells);
    let sum: f64 = cells.iter().map(|cell| cell.contribution).sum();
    let shares = cells.iter().map(|cell| CellShare {
        label: cell.label.clone(),
        reference_fraction: story::fraction(cell.reference, reference),
        current_fraction: story::fraction(cell.current, current),
        contribution: cell.contribution,
        share: if sum > 0.0 { cell.contribution / sum } else { 0.0 },
        gained: gained(cell, (reference, current)),
    });
    shares.collect()
}

/// Exact: fractions of two sides are compared as products of counts.
fn gained(cell: &PsiCellSection, (reference, current): (u64, u64)) -> bool {
    u128::from(cell.current) * u128::from(reference) > u128::from(cell.reference) * u128::from(current)
}

/// The fractions of both sides in the cells that gained.
pub fn gained_fractions(cells: &[CellShare]) -> Option<super::SidesSection> {
    let gained = || cells.iter().filter(|cell| cell.gained);
    (!cells.is_empty()).then(|| super::SidesSection {
        reference: gained().map(|cell| cell.reference_fraction).sum(),
        current: gained().map(|cell| cell.current_fraction).sum(),
    })
}

/// Which values lie in the cells that gained: intervals and values by their bounds, categories by name.
#[derive(Clone, Debug)]
pub struct Gained {
    kind: FeatureKind,
    cells: Vec<(PsiCellSection, bool)>,
    names: BTreeSet<String>,
    /// OTHER, NEW, MISSING and NON-FINITE, which come last.
    special: [Option<bool>; 4],
    /// The categories of the reference, where they are known: OTHER is told from NEW by them.
    known: Option<BTreeSet<String>>,
}

/// The labels of the cells that are no value, in the order in which they come.
const SPECIAL: [&str; 4] = ["OTHER", "NEW", "MISSING", "NON-FINITE"];

impl Gained {
    /// `None` for a feature without cells.
    pub fn of(feature: &FeatureReport, known: Option<BTreeSet<String>>) -> Option<Self> {
        let cells = &feature.psi.as_ref()?.cells;
        let totals = story::cell_totals(cells);
        let mut special = [None; 4];
        let mut own = cells.len();
        // From the end: a category may bear any of these names.
        for (label, found) in SPECIAL.iter().zip(&mut special).rev() {
            let last = own.checked_sub(1).and_then(|last| Some((last, cells.get(last)?)));
            if let Some((last, cell)) =
                last.filter(|(_, cell)| cell.label == *label && cell.lower.is_none() && cell.upper.is_none())
            {
                (*found, own) = (Some(gained(cell, totals)), last);
            }
        }
        let cells: Vec<_> = cells.iter().take(own).map(|cell| (cell.clone(), gained(cell, totals))).collect();
        let names = cells.iter().filter(|(_, gained)| *gained).map(|(cell, _)| cell.label.clone()).collect();
        Some(Self { kind: feature.kind, cells, names, special, known })
    }

    /// Whether a finite number lies in one.
    pub fn number(&self, value: f64) -> bool {
        if !value.is_finite() {
            return self.special(3);
        }
        let holds = |cell: &PsiCellSection| match (cell.lower, cell.upper) {
            (Some(lower), Some(upper)) if lower >= upper => value <= upper && value >= lower,
            (lower, upper) => lower.is_none_or(|lower| value > lower) && upper.is_none_or(|upper| value <= upper),
        };
        let cell = self.cells.iter().find(|(cell, _)| holds(cell));
        cell.map_or_else(|| self.special(1), |(_, gained)| *gained)
    }

    /// Whether a label lies in one.
    pub fn label(&self, label: &str) -> bool {
        if self.kind == FeatureKind::Numeric {
            return self.nothing();
        }
        if self.cells.iter().any(|(cell, _)| cell.label == label) {
            return self.names.contains(label);
        }
        let is_known = self.known.as_ref().map_or(self.special.get(1) == Some(&None), |known| known.contains(label));
        self.special(usize::from(!is_known))
    }

    /// Whether rows without a value do.
    pub fn nothing(&self) -> bool {
        self.special(2)
    }

    fn special(&self, index: usize) -> bool {
        self.special.get(index).copied().flatten().unwrap_or(false)
    }
}

/// The largest gap at an edge of the picture's bins: as near as the report alone can tell.
pub fn gap_of(histogram: &HistogramSection) -> Option<GapSection> {
    let (mut reference, mut current) = (histogram.below.reference, histogram.below.current);
    let mut largest: Option<GapSection> = None;
    let bins = histogram.reference.iter().zip(&histogram.current).map(|(a, b)| (*a, *b));
    for (edge, (more_reference, more_current)) in histogram.edges.iter().zip(bins.chain([(0.0, 0.0)])) {
        let known = largest.as_ref().map_or(0.0, |gap| (gap.reference_fraction - gap.current_fraction).abs());
        if (reference - current).abs() > known {
            let (reference_fraction, current_fraction) = (reference, current);
            largest = Some(GapSection { at: *edge, is_below: false, reference_fraction, current_fraction, is_exact: false });
        }
        reference += more_reference;
        current += more_current;
    }
    largest
}

impl From<Gap> for GapSection {
    fn from(gap: Gap) -> Self {
        let Gap { at, is_below, reference, current } = gap;
        Self { at, is_below, reference_fraction: reference, current_fraction: current, is_exact: true }
    }
}

/// Past windows of the report and of the store as one history, the oldest first; the store's newer word counts.
pub fn history(report: &Report, stored: Vec<PastRun>) -> Vec<PastRun> {
    let mut runs = stored;
    let missing: Vec<PastRun> =
        report.run.history.iter().filter(|past| !runs.iter().any(|run| run.window_end == past.window_end)).cloned().collect();
    runs.extend(missing);
    runs.sort_by_key(|run| run.window_end);
    runs
}

/// Since when, in words. `report` holds the whole history.
pub fn since(report: &Report, feature: &FeatureReport) -> String {
    let past: Vec<(&PastRun, Verdict)> =
        report.run.history.iter().filter_map(|run| Some((run, run.features.get(&feature.name)?.verdict))).collect();
    if past.is_empty() {
        return "No earlier window is known: since when cannot be told.".to_owned();
    }
    let word = story::feature_words(feature.verdict).word;
    let before = past.iter().rev().find(|(_, verdict)| !counts_as(feature.verdict, *verdict));
    let before = before.map_or_else(String::new, |(run, verdict)| {
        format!("; {} in the window to {} UTC", story::feature_words(*verdict).word.to_lowercase(), moment(run.window_end))
    });
    if let Some(since) = story::feature_since(report, feature) {
        let is = if since.windows <= 1 { " is" } else { "" };
        return format!("{word}{is} {}{before}.", since.sentence());
    }
    let bad = past.iter().rev().find(|(_, verdict)| *verdict <= Verdict::Warning);
    match bad {
        Some((run, verdict)) => {
            let bad = story::feature_words(*verdict).word.to_lowercase();
            format!("{word} in this window; {bad} last in the window to {} UTC.", moment(run.window_end))
        }
        None => format!("{word} in this window, and nothing worse in {} earlier {}.", past.len(), windows(past.len())),
    }
}

fn windows(count: usize) -> &'static str {
    if count == 1 { "window" } else { "windows" }
}

/// Whether an earlier verdict belongs to the same stretch.
fn counts_as(now: Verdict, past: Verdict) -> bool {
    match now {
        Verdict::Broken | Verdict::Drift => past <= Verdict::Drift,
        Verdict::Warning => past <= Verdict::Warning,
        Verdict::Inconclusive | Verdict::Stable => past == now,
    }
}

/// The feature in all windows that know it. `report` holds the whole history.
pub fn trend(report: &Report, feature: &FeatureReport) -> Vec<TrendPoint> {
    let past = report.run.history.iter().filter_map(|run| {
        let past = run.features.get(&feature.name)?;
        Some(TrendPoint { window_end: run.window_end, verdict: past.verdict, psi_adjusted: past.psi_adjusted })
    });
    let now = TrendPoint {
        window_end: report.window.end.unwrap_or(report.run.started_at),
        verdict: feature.verdict,
        psi_adjusted: feature.psi.as_ref().map(|psi| psi.adjusted),
    };
    past.chain([now]).collect()
}

/// What each group carries, the telling ones first. `reference` is the reference's fraction in gaining cells, `design_effect` the window's
/// for this feature; for clusters, whose rows depend on each other, that of each cluster follows from it.
pub fn dimension(by: By, column: &str, counted: Vec<Counted>, reference: f64, design_effect: f64) -> Dimension {
    let correlation = concentration::intraclass(design_effect, counted.iter().map(|group| group.tally.rows));
    let effect = |rows: u64| match by {
        By::Cluster => concentration::of_cluster(rows, correlation),
        By::Class | By::Hour => design_effect,
    };
    let tallies: Vec<Tally> = counted.iter().map(|group| group.tally).collect();
    let carried = concentration::concentration(reference, &tallies, effect);
    let compared = carried.iter().filter(|part| part.p_value.is_some()).count();
    let mut shares: Vec<GroupShare> = counted
        .into_iter()
        .zip(&carried)
        .filter(|(group, _)| group.tally.rows > 0)
        .map(|(group, part)| share(group, part, effect))
        .collect();
    let groups = shares.len();
    shares.sort_by(|a, b| {
        let part = |share: &GroupShare| share.share_of_shift.unwrap_or(0.0);
        b.stands_out.cmp(&a.stands_out).then(part(b).total_cmp(&part(a))).then_with(|| a.group.cmp(&b.group))
    });
    let conclusion = conclusion(by, &shares, compared, carried.iter().any(|part| part.share_of_shift.is_some()));
    // What cannot be told from chance is not named.
    shares.retain(|share| share.p_value.is_some());
    shares.truncate(MOST_SHOWN);
    Dimension { by, column: column.to_owned(), groups, compared, conclusion, shown: shares }
}

fn share(group: Counted, part: &Carried, effect: impl Fn(u64) -> f64) -> GroupShare {
    GroupShare {
        rows: group.tally.rows,
        effective_rows: group.tally.rows as f64 / effect(group.tally.rows).max(1.0),
        mean: group.mean,
        group: group.group,
        gained_fraction: part.moved,
        interval: part.interval.map(|interval| [interval.low, interval.high]),
        share_of_rows: part.share_of_rows,
        share_of_shift: part.share_of_shift,
        p_value: part.p_value,
        stands_out: part.stands_out,
    }
}

/// Groups that a sentence names.
const MOST_NAMED: usize = 3;

fn conclusion(by: By, shares: &[GroupShare], compared: usize, has_shift: bool) -> String {
    let (one, many) = match by {
        By::Class => ("class", "classes"),
        By::Hour => ("hour", "hours"),
        By::Cluster => ("cluster", "clusters"),
    };
    if !has_shift {
        return "There is no shift to be shared.".to_owned();
    }
    let telling: Vec<&GroupShare> = shares.iter().filter(|share| share.stands_out).collect();
    if telling.is_empty() {
        return match (compared, shares.len()) {
            (0 | 1, all) => format!("Too few rows to tell one {one} from the rest ({all} {}).", if all == 1 { one } else { many }),
            (some, _) => {
                format!("Not concentrated: no {one} moved more than the rest by more than chance ({some} {many} compared).")
            }
        };
    }
    let rows: f64 = telling.iter().map(|share| share.share_of_rows).sum();
    let shift: f64 = telling.iter().filter_map(|share| share.share_of_shift).sum();
    let names: Vec<String> = telling.iter().take(MOST_NAMED).map(|share| story::visible(&share.group)).collect();
    let more = telling.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "Concentrated: {}{more} {} {} of the rows and {} {} of the shift.",
        names.join(", "),
        if telling.len() == 1 { "has" } else { "have" },
        format_percent(rows),
        if telling.len() == 1 { "carries" } else { "carry" },
        format_percent(shift)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::DatasetVerdict;
    use crate::report::tests::{feature as a_feature, past as a_past, report};

    fn cell(label: &str, lower: Option<f64>, upper: Option<f64>, reference: u64, current: u64) -> PsiCellSection {
        PsiCellSection { label: label.to_owned(), lower, upper, reference, current, contribution: 1.0 }
    }

    fn feature(kind: FeatureKind, cells: &[PsiCellSection]) -> FeatureReport {
        let json = serde_json::json!({
            "name": "a", "kind": kind, "verdict": "drift", "reason": "", "n_reference": 100, "n_current": 50,
            "effective_reference": 100.0, "effective_current": 50.0, "design_effect": { "reference": 1.0, "current": 1.0 },
            "reference": { "missing_fraction": 0.0, "non_finite_fraction": 0.0 },
            "current": { "missing_fraction": 0.0, "non_finite_fraction": 0.0 },
            "psi": { "value": 4.0, "adjusted": 4.0, "p_value": 0.0, "cells": cells },
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn each_value_is_in_one_cell_and_each_cell_has_its_part() {
        let numeric = feature(
            FeatureKind::Numeric,
            &[
                cell("≤ 1", None, Some(1.0), 50, 10),
                cell("1 – 2", Some(1.0), Some(2.0), 30, 25),
                cell("> 2", Some(2.0), None, 20, 10),
                cell("MISSING", None, None, 0, 5),
            ],
        );
        let cells = cells(&numeric);
        // 50 % to 20 %, 30 % to 50 %, 20 % to 20 %, 0 to 10 %.
        assert_eq!(cells.iter().map(|cell| cell.gained).collect::<Vec<_>>(), [false, true, false, true]);
        assert!(cells.iter().all(|cell| (cell.share - 0.25).abs() < 1e-12));
        let sides = gained_fractions(&cells).unwrap();
        assert!((sides.reference - 0.3).abs() < 1e-12 && (sides.current - 0.6).abs() < 1e-12, "{sides:?}");
        let gained = Gained::of(&numeric, None).unwrap();
        assert_eq!([1.0, 1.5, 2.0, 2.5, -9.0].map(|value| gained.number(value)), [false, true, true, false, false]);
        assert_eq!([gained.nothing(), gained.number(f64::NAN), gained.label("x")], [true, false, true]);
    }

    #[test]
    fn a_category_may_bear_the_name_of_a_special_cell() {
        let cells = vec![
            cell("MISSING", None, None, 10, 20),
            cell("x", None, None, 80, 10),
            cell("OTHER", None, None, 10, 0),
            cell("NEW", None, None, 0, 20),
        ];
        let feature = feature(FeatureKind::Categorical, &cells);
        let gained = Gained::of(&feature, Some(BTreeSet::from(["rare".to_owned()]))).unwrap();
        assert_eq!(["MISSING", "x", "rare", "never seen"].map(|label| gained.label(label)), [true, false, false, true]);
        assert!(!gained.nothing(), "there is no cell of missing values");
    }

    #[test]
    fn the_gap_of_a_picture_is_at_the_edge_where_it_is_largest() {
        let sides = |reference, current| super::super::SidesSection { reference, current };
        let histogram = HistogramSection {
            edges: vec![0.0, 1.0, 2.0],
            reference: vec![0.6, 0.3],
            current: vec![0.1, 0.5],
            below: sides(0.1, 0.0),
            above: sides(0.0, 0.4),
        };
        // At 0: 0.1 against 0; at 1: 0.7 against 0.1; at 2: 1 against 0.6.
        let gap = gap_of(&histogram).unwrap();
        assert!((gap.at - 1.0).abs() < 1e-12 && (gap.reference_fraction - 0.7).abs() < 1e-12, "{gap:?}");
        assert!((gap.current_fraction - 0.1).abs() < 1e-12 && !gap.is_exact, "{gap:?}");
    }

    #[test]
    fn a_group_that_carries_the_shift_is_named_and_small_ones_are_not() {
        let group = |name: &str, rows, moved| Counted { group: name.to_owned(), tally: Tally { rows, moved }, mean: None };
        // The reference has 20 % in gaining cells; one class moved, the other did not, and three rows are too few to be named.
        let split = dimension(By::Class, "class", vec![group("x", 100, 90), group("y", 200, 40), group("z", 3, 3)], 0.2, 1.0);
        assert_eq!(split.shown.iter().map(|share| share.group.as_str()).collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!((split.groups, split.compared), (3, 2));
        assert_eq!(split.conclusion, "Concentrated: x has 33 % of the rows and carries 96.7 % of the shift.");
        let even = dimension(By::Class, "class", vec![group("x", 100, 50), group("y", 200, 100)], 0.2, 1.0);
        assert!(even.conclusion.starts_with("Not concentrated: no class"), "{}", even.conclusion);
        let few = dimension(By::Cluster, "study", vec![group("x", 4, 4), group("y", 4, 0)], 0.2, 3.0);
        assert_eq!(few.conclusion, "Too few rows to tell one cluster from the rest (2 clusters).");
    }

    use Verdict::{Broken, Drift, Inconclusive, Stable, Warning};

    /// A report after windows in which the feature `f` had these verdicts, the oldest first.
    fn after(past: &[Verdict]) -> Report {
        let mut report = report();
        report.run.history =
            past.iter().rev().zip(1..).map(|(verdict, back)| a_past(back, DatasetVerdict::Stable, &[("f", *verdict)])).collect();
        report.run.history.reverse();
        report
    }

    #[test]
    fn since_when_is_told_for_every_verdict() {
        let told = |now: Verdict, past: &[Verdict]| since(&after(past), &a_feature("f", now));
        assert_eq!(told(Drift, &[]), "No earlier window is known: since when cannot be told.");
        assert_eq!(told(Drift, &[Drift, Warning]), "Drift is new in this window; warning in the window to 2026-01-31 12:00 UTC.");
        assert_eq!(
            told(Broken, &[Stable, Drift, Broken]),
            "Broken since the window to 2026-01-31 06:00 UTC (3 windows); stable in the window to 2026-01-31 00:00 UTC."
        );
        assert_eq!(
            told(Warning, &[Inconclusive, Warning, Drift]),
            "Warning since the window to 2026-01-31 06:00 UTC (3 windows); inconclusive in the window to 2026-01-31 00:00 UTC."
        );
        assert_eq!(told(Drift, &[Drift]), "Drift since at least the window to 2026-01-31 12:00 UTC (2 windows).");
        assert_eq!(
            told(Stable, &[Drift, Warning, Inconclusive]),
            "Stable in this window; warning last in the window to 2026-01-31 06:00 UTC."
        );
        assert_eq!(told(Stable, &[Inconclusive]), "Stable in this window, and nothing worse in 1 earlier window.");
        assert_eq!(told(Inconclusive, &[Stable, Stable]), "Inconclusive in this window, and nothing worse in 2 earlier windows.");
        assert_eq!(since(&after(&[Drift]), &a_feature("g", Drift)), "No earlier window is known: since when cannot be told.");
    }

    #[test]
    fn a_stretch_is_of_what_is_as_bad() {
        let counted = |now: Verdict| Verdict::ALL.into_iter().filter(|past| counts_as(now, *past)).collect::<Vec<_>>();
        assert_eq!((counted(Broken), counted(Drift)), (vec![Broken, Drift], vec![Broken, Drift]));
        assert_eq!(counted(Warning), [Broken, Drift, Warning]);
        assert_eq!((counted(Inconclusive), counted(Stable)), (vec![Inconclusive], vec![Stable]));
    }

    #[test]
    fn the_store_has_the_newer_word_on_a_window_that_both_know() {
        let report = after(&[Drift, Drift, Drift]);
        let stored = vec![a_past(2, DatasetVerdict::NoData, &[]), a_past(5, DatasetVerdict::Stable, &[])];
        let told: Vec<_> = history(&report, stored.clone()).iter().map(|run| (run.window_end, run.features.len())).collect();
        let [two, five] = [stored[0].window_end, stored[1].window_end];
        let [three, _, one] = report.run.history.as_slice() else { panic!("three windows") };
        assert_eq!(told, [(five, 0), (three.window_end, 1), (two, 0), (one.window_end, 1)]);
    }

    #[test]
    fn the_trend_ends_with_this_window() {
        let mut report = after(&[Drift, Stable]);
        report.run.history[0].features.clear();
        let mut feature = a_feature("f", Warning);
        feature.psi = Some(super::super::PsiSection { value: 0.5, adjusted: 0.25, p_value: 0.0, cells: Vec::new() });
        let point = |window_end, verdict, psi| TrendPoint { window_end, verdict, psi_adjusted: Some(psi) };
        let last = report.run.history[1].window_end;
        let expected = [point(last, Stable, 0.01), point(report.window.end.unwrap(), Warning, 0.25)];
        assert_eq!(trend(&report, &feature), expected);
        report.window.end = None;
        assert_eq!(trend(&report, &feature)[1].window_end, report.run.started_at);
    }

    #[test]
    fn a_cell_is_no_part_of_a_psi_of_nothing() {
        let mut feature = feature(FeatureKind::Categorical, &[cell("a", None, None, 30, 20), cell("b", None, None, 10, 80)]);
        let told = cells(&feature);
        let expected = |label: &str, reference_fraction, current_fraction, share, gained, contribution| CellShare {
            label: label.to_owned(),
            reference_fraction,
            current_fraction,
            contribution,
            share,
            gained,
        };
        assert_eq!(told, [expected("a", 0.75, 0.2, 0.5, false, 1.0), expected("b", 0.25, 0.8, 0.5, true, 1.0)]);
        feature.psi.as_mut().unwrap().cells.iter_mut().for_each(|cell| cell.contribution = 0.0);
        assert_eq!(cells(&feature)[0], expected("a", 0.75, 0.2, 0.0, false, 0.0));
        feature.psi.as_mut().unwrap().cells[0].contribution = -3.0;
        assert_eq!(cells(&feature)[0].share.to_bits(), 0.0_f64.to_bits());
        feature.psi = None;
        assert_eq!((cells(&feature), gained_fractions(&[]), Gained::of(&feature, None).is_none()), (Vec::new(), None, true));
    }

    #[test]
    fn a_value_on_a_bound_is_in_the_cell_below_it_and_a_cell_of_one_value_holds_that_alone() {
        let numeric = feature(
            FeatureKind::Numeric,
            &[
                cell("= 1", Some(1.0), Some(1.0), 10, 40),
                cell("1 – 2", Some(1.0), Some(2.0), 40, 10),
                cell("3 – 4", Some(3.0), Some(4.0), 10, 30),
                cell("NEW", None, None, 20, 10),
                cell("NON-FINITE", None, None, 10, 30),
            ],
        );
        let gained = Gained::of(&numeric, None).unwrap();
        assert_eq!([0.99, 1.0, 1.01, 2.0].map(|value| gained.number(value)), [false, true, false, false]);
        // What is in no cell is new.
        assert_eq!([3.0, 3.01, 4.0, 4.01].map(|value| gained.number(value)), [false, true, true, false]);
        assert_eq!([gained.number(f64::INFINITY), gained.nothing()], [true, false]);
    }

    #[test]
    fn a_label_that_is_not_known_is_new_or_one_of_the_others() {
        let of = |cells: &[PsiCellSection], known: Option<&str>, label: &str| {
            let known = known.map(|known| BTreeSet::from([known.to_owned()]));
            Gained::of(&feature(FeatureKind::Categorical, cells), known).unwrap().label(label)
        };
        let both = [cell("x", None, None, 80, 20), cell("OTHER", None, None, 10, 40), cell("NEW", None, None, 10, 0)];
        assert_eq!(
            [of(&both, Some("rare"), "rare"), of(&both, Some("rare"), "unseen"), of(&both, None, "rare")],
            [true, false, false]
        );
        // Without a cell for what is new, it is one of the others.
        assert!(of(&both[..2], None, "rare"));
        // Only where it has no bounds: a value may be named so.
        let bounded = [cell("x", None, None, 80, 20), cell("NEW", Some(1.0), None, 10, 40)];
        assert!(!of(&bounded, None, "unseen"));
        let bounded = [cell("x", None, None, 80, 20), cell("NEW", None, Some(1.0), 10, 40)];
        assert!(!of(&bounded, None, "unseen"));
    }

    #[test]
    fn the_first_of_equal_gaps_is_told_and_none_where_both_sides_are_one() {
        let sides = |reference, current| super::super::SidesSection { reference, current };
        let of = |below, reference: [f64; 2], current: [f64; 2]| {
            gap_of(&HistogramSection {
                edges: vec![1.0, 2.0, 3.0],
                reference: reference.to_vec(),
                current: current.to_vec(),
                below,
                above: sides(0.0, 0.0),
            })
        };
        let gap = |at, reference_fraction, current_fraction| {
            Some(GapSection { at, is_below: false, reference_fraction, current_fraction, is_exact: false })
        };
        assert_eq!(of(sides(0.25, 0.25), [0.5, 0.25], [0.5, 0.25]), None);
        assert_eq!(of(sides(0.0, 0.5), [0.5, 0.5], [0.5, 0.0]), gap(1.0, 0.0, 0.5));
        assert_eq!(of(sides(0.0, 0.25), [0.25, 0.75], [0.5, 0.25]), gap(2.0, 0.25, 0.75));
        assert_eq!(of(sides(0.0, 0.0), [0.25, 0.75], [0.25, 0.25]), gap(3.0, 1.0, 0.5));
        let exact = GapSection::from(Gap { at: 4.0, is_below: true, reference: 0.1, current: 0.2 });
        assert_eq!(exact, GapSection { at: 4.0, is_below: true, reference_fraction: 0.1, current_fraction: 0.2, is_exact: true });
    }

    #[test]
    fn a_sentence_names_three_groups_that_stand_out() {
        let part = |group: &str, stands_out, share_of_rows, share_of_shift| GroupShare {
            group: group.to_owned(),
            rows: 10,
            effective_rows: 10.0,
            mean: None,
            gained_fraction: 0.5,
            interval: None,
            share_of_rows,
            share_of_shift,
            p_value: None,
            stands_out,
        };
        let out = |group: &str| part(group, true, 0.125, Some(0.25));
        let quiet = part("q", false, 0.5, Some(0.5));
        let said = |shares: &[GroupShare], compared| conclusion(By::Hour, shares, compared, true);
        assert_eq!(said(&[out("a"), quiet.clone()], 2), "Concentrated: a has 12.5 % of the rows and carries 25 % of the shift.");
        assert_eq!(
            said(&[out("a"), out("b"), out("c"), quiet.clone()], 4),
            "Concentrated: a, b, c have 37.5 % of the rows and carry 75 % of the shift."
        );
        assert_eq!(
            said(&[out("a"), out("b"), out("c"), out("d")], 4),
            "Concentrated: a, b, c and 1 more have 50 % of the rows and carry 100 % of the shift."
        );
        assert_eq!(said(std::slice::from_ref(&quiet), 1), "Too few rows to tell one hour from the rest (1 hour).");
        assert_eq!(said(&[quiet.clone(), quiet.clone()], 0), "Too few rows to tell one hour from the rest (2 hours).");
        assert_eq!(
            said(&[quiet.clone(), quiet], 2),
            "Not concentrated: no hour moved more than the rest by more than chance (2 hours compared)."
        );
        assert_eq!(conclusion(By::Class, &[out("a")], 2, false), "There is no shift to be shared.");
    }

    #[test]
    fn rows_of_a_cluster_depend_on_each_other_and_groups_without_a_row_are_none() {
        let group = |name: &str, rows, moved| Counted { group: name.to_owned(), tally: Tally { rows, moved }, mean: Some(2.5) };
        let counted = || vec![group("x", 100, 90), group("y", 200, 40), group("empty", 0, 0)];
        let by = |by| dimension(by, "column", counted(), 0.2, 4.0);
        let [class, cluster] = [by(By::Class), by(By::Cluster)];
        assert_eq!((class.column.as_str(), class.by, class.groups), ("column", By::Class, 2));
        let x = &class.shown[0];
        assert_eq!((x.group.as_str(), x.rows, x.mean, x.stands_out), ("x", 100, Some(2.5), true));
        assert!((x.effective_rows - 25.0).abs() < 1e-12 && (x.gained_fraction - 0.9).abs() < 1e-12);
        assert!((x.share_of_rows - 1.0 / 3.0).abs() < 1e-12 && x.interval.is_some_and(|[low, high]| low < 0.9 && 0.9 < high));
        // A cluster of 100 rows counts for less than the 25 that the mean design effect of 4 leaves it.
        assert!(cluster.shown.iter().all(|share| share.effective_rows > 1.0) && cluster.shown.first() != Some(x), "{cluster:?}");
    }
}
