//! What moved in a feature, in its own units, the most telling change first.

use super::{cell_totals, fraction, visible};
use crate::feature::FeatureKind;
use crate::report::{FeatureReport, PsiCellSection, ShiftSection, SummarySection, format_percent, format_value};

/// Which way the bulk of a feature went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
    /// It changed its shape or its mix, not its place.
    Reshaped,
    /// There is nothing to compare.
    Unknown,
}

impl Direction {
    /// Empty where there is none.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::Up => "↑",
            Self::Down => "↓",
            Self::Reshaped => "↔",
            Self::Unknown => "",
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "higher",
            Self::Down => "lower",
            Self::Reshaped => "reshaped",
            Self::Unknown => "not comparable",
        }
    }
}

/// One thing that moved: `median` from `12.3` to `15.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    pub what: String,
    pub from: String,
    pub to: String,
}

/// What moved in a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    pub direction: Direction,
    /// The most telling first, at most three.
    pub moves: Vec<Move>,
    /// How far the mean moved.
    pub shift: Option<ShiftSection>,
}

/// Below this many standard deviations the mean counts as having stayed: Cohen's "small" is 0.2, half of it is nothing to talk about.
const SHIFT_WORTH_A_WORD: f64 = 0.1;

/// A change of the standard deviation by less than a tenth is not worth a word.
const SPREAD_WORTH_A_WORD: f64 = 0.1;

/// Half a percentage point of rows: what a reader can see in a number with one decimal.
const ROWS_WORTH_A_WORD: f64 = 0.005;

/// A change in the missing rows that chance makes one time in twenty is not told. The verdict has its own level, `policy.alpha`.
const CHANCE: f64 = 0.05;

/// A tenth of the rows without a usable value outweighs whatever the others did.
const ROWS_THAT_COME_FIRST: f64 = 0.10;

/// Three phrases fit one glance.
const MOST_MOVES: usize = 3;

/// Tells what moved in a feature.
pub fn tell(feature: &FeatureReport) -> Story {
    let (reference, current) = (&feature.reference, &feature.current);
    let shift = feature.shift.and_then(|shift| shift.scaled);
    let more_than_chance = feature.missing.as_ref().is_none_or(|missing| missing.p_value < CHANCE);
    let mut first = Vec::new();
    let mut last = Vec::new();
    for (what, from, to) in [
        ("missing", reference.missing_fraction, current.missing_fraction),
        ("non-finite", reference.non_finite_fraction, current.non_finite_fraction),
    ] {
        let change = (to - from).abs();
        if change >= ROWS_THAT_COME_FIRST {
            first.extend(changed(what, format_percent(from), format_percent(to)));
        } else if change >= ROWS_WORTH_A_WORD && more_than_chance {
            last.extend(changed(what, format_percent(from), format_percent(to)));
        }
    }
    let mut moves = first;
    match feature.kind {
        FeatureKind::Numeric => moves.extend(numeric_moves(feature, shift)),
        FeatureKind::Categorical => moves.extend(cell_moves(feature, 2)),
    }
    moves.extend(last);
    moves.truncate(MOST_MOVES);
    Story { direction: direction(feature, shift, moves.is_empty()), moves, shift: feature.shift }
}

fn changed(what: &str, from: String, to: String) -> Option<Move> {
    (from != to).then(|| Move { what: what.to_owned(), from, to })
}

fn direction(feature: &FeatureReport, shift: Option<f64>, nothing_moved: bool) -> Direction {
    match shift {
        Some(shift) if shift >= SHIFT_WORTH_A_WORD => Direction::Up,
        Some(shift) if shift <= -SHIFT_WORTH_A_WORD => Direction::Down,
        Some(_) => Direction::Reshaped,
        None if feature.kind == FeatureKind::Categorical && feature.psi.is_some() => Direction::Reshaped,
        None if nothing_moved || feature.current.mean.is_none() => Direction::Unknown,
        None => Direction::Reshaped,
    }
}

fn numeric_moves(feature: &FeatureReport, shift: Option<f64>) -> Vec<Move> {
    let (reference, current) = (&feature.reference, &feature.current);
    if let (Some(low), Some(high)) = (current.min, current.max)
        && low.total_cmp(&high).is_eq()
        && reference.min.zip(reference.max).is_some_and(|(low, high)| low < high)
    {
        return vec![Move {
            what: "values".to_owned(),
            from: range(reference.min, reference.max),
            to: format!("only {}", format_value(low)),
        }];
    }
    let mut moves = Vec::new();
    let median = |side: &SummarySection| side.quantiles.as_ref().map(|quantiles| format_value(quantiles.p50));
    if let (Some(from), Some(to)) = (median(reference), median(current)) {
        moves.extend(changed("median", from, to));
    }
    // Few distinct values (or many zeros): the median may stand still while a value's share does not.
    if feature.histogram.is_none() || moves.is_empty() {
        moves.extend(cell_moves(feature, 1));
    }
    let spread = reference.std.zip(current.std).filter(|(from, _)| *from > 0.0);
    if let Some((from, to)) = spread
        && (to / from - 1.0).abs() >= SPREAD_WORTH_A_WORD
        && shift.is_none_or(|shift| shift.abs() < 1.0)
    {
        moves.extend(changed("std", format_value(from), format_value(to)));
    }
    moves
}

fn range(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", format_value(low), format_value(high)),
        _ => "none".to_owned(),
    }
}

/// The cells whose share of the rows changed the most.
fn cell_moves(feature: &FeatureReport, most: usize) -> Vec<Move> {
    let Some(psi) = &feature.psi else { return Vec::new() };
    let (reference_total, current_total) = cell_totals(&psi.cells);
    let mut cells: Vec<(f64, f64, &PsiCellSection)> = psi
        .cells
        .iter()
        .filter(|cell| cell.label != "MISSING" && cell.label != "NON-FINITE")
        .map(|cell| (fraction(cell.reference, reference_total), fraction(cell.current, current_total), cell))
        .filter(|(from, to, _)| (to - from).abs() >= ROWS_WORTH_A_WORD)
        .collect();
    cells.sort_by(|a, b| (b.1 - b.0).abs().total_cmp(&(a.1 - a.0).abs()));
    let phrase = |(from, to, cell): &(f64, f64, &PsiCellSection)| {
        let label = visible(&cell.label);
        let what = if feature.kind == FeatureKind::Numeric { format!("rows at {label}:") } else { format!("{label}:") };
        changed(&what, format_percent(*from), format_percent(*to))
    };
    cells.iter().take(most).filter_map(phrase).collect()
}

impl Story {
    /// `median 12.3 → 15.1, mean 2.6 higher (0.94 reference sd)`; empty when there is nothing to say.
    pub fn sentence(&self, arrow: &str) -> String {
        let mut phrases: Vec<String> = self.moves.iter().map(|step| step.phrase(arrow)).collect();
        phrases.extend(self.shift_phrase());
        phrases.join(", ")
    }

    /// The first move only, for a table's cell.
    pub fn short(&self, arrow: &str) -> String {
        match self.moves.first() {
            Some(step) => step.phrase(arrow),
            None => self.shift_phrase().unwrap_or_default(),
        }
    }

    /// `mean 2.6 higher (0.94 reference sd)`, where it moved at all.
    pub fn shift_phrase(&self) -> Option<String> {
        let ShiftSection { value, scaled } = self.shift?;
        let scaled = scaled.filter(|scaled| scaled.abs() >= SHIFT_WORTH_A_WORD)?;
        let word = if value > 0.0 { "higher" } else { "lower" };
        Some(format!("mean {} {word} ({:.2} reference sd)", format_value(value.abs()), scaled.abs()))
    }
}

/// A cell that makes up less of the PSI is not among those that make it.
const CELL_WORTH_A_WORD: f64 = 0.15;

/// The cells that make up most of the PSI, at most three, as `> 52.9: 10 % → 31 %`; none for a PSI that is nothing.
pub fn telling_cells(feature: &FeatureReport, arrow: &str) -> Vec<String> {
    let Some(psi) = feature.psi.as_ref().filter(|psi| psi.adjusted > 0.0) else { return Vec::new() };
    let (reference_total, current_total) = cell_totals(&psi.cells);
    let mut cells: Vec<&PsiCellSection> =
        psi.cells.iter().filter(|cell| cell.contribution >= CELL_WORTH_A_WORD * psi.value).collect();
    cells.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    let phrase = |cell: &&PsiCellSection| {
        let (from, to) = (fraction(cell.reference, reference_total), fraction(cell.current, current_total));
        format!("{}: {} {arrow} {}", visible(&cell.label), format_percent(from), format_percent(to))
    };
    cells.iter().take(MOST_MOVES).map(phrase).collect()
}

impl Move {
    fn phrase(&self, arrow: &str) -> String {
        format!("{} {} {arrow} {}", self.what, self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn side(median: f64, mean: f64, std: f64, missing: f64) -> Value {
        let quantiles = json!({ "p01": 0.0, "p05": 0.0, "p25": 0.0, "p50": median, "p75": 1.0, "p95": 1.0, "p99": 1.0 });
        json!({ "mean": mean, "std": std, "min": 0.0, "max": 9.0, "quantiles": quantiles, "missing_fraction": missing, "non_finite_fraction": 0.0 })
    }

    fn nothing(missing: f64) -> Value {
        json!({ "missing_fraction": missing, "non_finite_fraction": 0.0 })
    }

    #[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
    fn feature(kind: &str, reference: Value, current: Value, cells: &[(&str, u64, u64)]) -> FeatureReport {
        let cells: Vec<Value> = cells
            .iter()
            .map(|(label, reference, current)| json!({ "label": label, "lower": null, "upper": null, "reference": reference, "current": current, "contribution": 0.1 }))
            .collect();
        let psi =
            if cells.is_empty() { Value::Null } else { json!({ "value": 1.0, "adjusted": 1.0, "p_value": 0.0, "cells": cells }) };
        let number = |side: &Value, name: &str| side[name].as_f64();
        let shift = number(&reference, "mean")
            .zip(number(&current, "mean"))
            .map(|(from, to)| json!({ "value": to - from, "scaled": number(&reference, "std").map(|std| (to - from) / std) }));
        let sides = json!({ "reference": 0.5, "current": 0.5 });
        let histogram = json!({ "edges": [0.0, 1.0], "reference": [0.0], "current": [0.0], "below": sides, "above": sides });
        serde_json::from_value(json!({
            "name": "f", "kind": kind, "verdict": "drift", "reason": "", "n_reference": 100, "n_current": 100,
            "effective_reference": 100.0, "effective_current": 100.0, "design_effect": sides, "psi": psi, "shift": shift, "reference": reference, "current": current,
            "histogram": if kind == "numeric" { histogram } else { Value::Null },
        }))
        .unwrap()
    }

    #[test]
    fn a_shift_tells_the_median_and_how_far_in_reference_standard_deviations() {
        let told = tell(&feature("numeric", side(12.3, 12.0, 2.0, 0.0), side(15.1, 15.0, 2.0, 0.0), &[]));
        assert_eq!(told.sentence("→"), "median 12.3 → 15.1, mean 3 higher (1.50 reference sd)");
        assert_eq!((told.short("->").as_str(), told.direction), ("median 12.3 -> 15.1", Direction::Up));
    }

    #[test]
    fn a_wider_spread_around_the_same_middle_is_reshaped() {
        let told = tell(&feature("numeric", side(1.0, 1.0, 2.0, 0.0), side(1.0, 1.0, 3.0, 0.0), &[]));
        assert_eq!((told.sentence("→").as_str(), told.direction), ("std 2 → 3", Direction::Reshaped));
    }

    #[test]
    fn many_missing_rows_come_first_and_few_last() {
        let told = tell(&feature("numeric", side(1.0, 1.0, 2.0, 0.0), side(2.0, 1.0, 2.0, 0.4), &[]));
        assert_eq!(told.sentence("→"), "missing 0 % → 40 %, median 1 → 2");
        let told = tell(&feature("numeric", side(1.0, 1.0, 2.0, 0.0), side(2.0, 1.0, 2.0, 0.02), &[]));
        assert_eq!(told.sentence("→"), "median 1 → 2, missing 0 % → 2 %");
    }

    #[test]
    fn a_feature_without_a_value_has_no_direction() {
        let told = tell(&feature("numeric", side(1.0, 1.0, 2.0, 0.0), nothing(1.0), &[]));
        assert_eq!((told.sentence("→").as_str(), told.direction), ("missing 0 % → 100 %", Direction::Unknown));
    }

    #[test]
    fn categories_tell_the_two_shares_that_changed_the_most() {
        let cells = [("axial", 60, 30), ("coronal", 38, 36), ("NEW", 0, 34), ("MISSING", 2, 0)];
        let told = tell(&feature("categorical", nothing(0.0), nothing(0.0), &cells));
        assert_eq!(told.sentence("→"), "NEW: 0 % → 34 %, axial: 60 % → 30 %");
        assert_eq!(told.direction, Direction::Reshaped);
    }

    #[test]
    fn the_cells_that_make_the_psi_are_told_the_largest_first() {
        let mut feature = feature("categorical", nothing(0.0), nothing(0.0), &[("a", 60, 30), ("b", 38, 36), ("NEW", 2, 34)]);
        let psi = feature.psi.as_mut().unwrap();
        for (cell, contribution) in psi.cells.iter_mut().zip([0.2, 0.0, 0.8]) {
            cell.contribution = contribution;
        }
        assert_eq!(telling_cells(&feature, "→"), ["NEW: 2 % → 34 %", "a: 60 % → 30 %"]);
        feature.psi.as_mut().unwrap().adjusted = 0.0;
        assert!(telling_cells(&feature, "→").is_empty());
    }

    #[test]
    fn nothing_moved_is_an_empty_sentence() {
        let told = tell(&feature("numeric", side(1.0, 1.0, 2.0, 0.0), side(1.0, 1.0, 2.0, 0.0), &[]));
        assert_eq!(told.sentence("→"), "");
        assert!(tell(&feature("numeric", nothing(0.0), nothing(0.0), &[])).moves.is_empty());
    }

    fn scaled(by: f64) -> FeatureReport {
        let mut feature = feature("numeric", nothing(0.0), nothing(0.0), &[]);
        feature.shift = Some(ShiftSection { value: by * 4.0, scaled: Some(by) });
        feature.current.mean = Some(1.0);
        feature
    }

    #[test]
    fn a_mean_that_moved_a_tenth_of_a_deviation_is_told_and_less_is_not() {
        let told = |by: f64| {
            let told = tell(&scaled(by));
            (told.sentence("→"), told.direction.arrow(), told.direction.word())
        };
        assert_eq!(told(0.1), ("mean 0.4 higher (0.10 reference sd)".to_owned(), "↑", "higher"));
        assert_eq!(told(-0.1), ("mean 0.4 lower (0.10 reference sd)".to_owned(), "↓", "lower"));
        assert_eq!([told(0.09), told(-0.09)], [(String::new(), "↔", "reshaped"), (String::new(), "↔", "reshaped")]);
        assert_eq!(tell(&scaled(-0.5)).short("->"), "mean 2 lower (0.50 reference sd)");
        assert_eq!(tell(&scaled(0.05)).short("->"), "");
        assert_eq!((Direction::Unknown.arrow(), Direction::Unknown.word()), ("", "not comparable"));
    }

    #[test]
    fn without_a_shift_the_direction_is_told_by_what_there_is() {
        let of = |kind: &str, reference: Value, current: Value, cells: &[(&str, u64, u64)]| {
            let mut feature = feature(kind, reference, current, cells);
            feature.shift = None;
            tell(&feature).direction
        };
        let cells = [("a", 60, 30), ("b", 40, 70)];
        assert_eq!(of("categorical", nothing(0.0), nothing(0.0), &[]), Direction::Unknown);
        assert_eq!(of("categorical", nothing(0.0), nothing(0.0), &cells), Direction::Reshaped);
        assert_eq!(of("numeric", nothing(0.0), nothing(0.0), &cells), Direction::Unknown, "there is no value in the window");
        assert_eq!(of("numeric", side(1.0, 1.0, 2.0, 0.0), side(1.0, 1.0, 2.0, 0.0), &[]), Direction::Unknown, "nothing moved");
        assert_eq!(of("numeric", side(1.0, 1.0, 2.0, 0.0), side(2.0, 1.0, 2.0, 0.0), &[]), Direction::Reshaped);
    }

    #[test]
    fn missing_rows_are_told_by_how_many_there_are_and_whether_chance_makes_them() {
        let told = |from: f64, to: f64, p_value: Option<f64>| {
            let mut feature = feature("numeric", nothing(from), nothing(to), &[]);
            feature.missing =
                p_value.map(|p_value| crate::report::MissingSection { reference_fraction: from, current_fraction: to, p_value });
            tell(&feature).sentence("→")
        };
        assert_eq!(told(0.25, 0.375, Some(1.0)), "missing 25 % → 37.5 %", "so many are told whatever chance makes");
        assert_eq!(told(0.375, 0.25, Some(1.0)), "missing 37.5 % → 25 %");
        assert_eq!(told(0.02, 0.03, Some(0.049)), "missing 2 % → 3 %");
        assert_eq!(told(0.02, 0.03, None), "missing 2 % → 3 %");
        assert_eq!([told(0.02, 0.03, Some(0.05)), told(0.02, 0.024, Some(0.01)), told(0.02, 0.024, None)], ["", "", ""]);
        let mut few = feature("numeric", nothing(0.0), nothing(0.0), &[]);
        (few.reference.non_finite_fraction, few.current.non_finite_fraction) = (0.0, 0.005);
        assert_eq!(tell(&few).sentence("→"), "non-finite 0 % → 0.5 %");
    }

    #[test]
    fn one_single_value_in_the_window_is_told_against_the_range_of_the_reference() {
        let constant = |value: f64| {
            let mut side = side(1.0, 1.0, 2.0, 0.0);
            (side["min"], side["max"]) = (json!(value), json!(value));
            side
        };
        let told = |reference: Value, current: Value| tell(&feature("numeric", reference, current, &[])).sentence("→");
        assert_eq!(told(side(1.0, 1.0, 2.0, 0.0), constant(3.5)), "values 0 to 9 → only 3.5");
        // In the reference there was one value already, or the window has more than one.
        assert_eq!(told(constant(3.5), constant(3.5)), "");
        assert_eq!(told(constant(3.5), side(1.0, 1.0, 2.0, 0.0)), "");
        assert_eq!([range(Some(1.0), Some(2.5)), range(None, Some(2.5)), range(Some(1.0), None)], ["1 to 2.5", "none", "none"]);
    }

    #[test]
    fn a_spread_is_told_from_a_tenth_on_and_not_beside_a_large_shift() {
        let told = |std: f64, mean: f64| {
            let mut feature = feature("numeric", side(1.0, 1.0, 2.0, 0.0), side(1.0, 1.0, std, 0.0), &[]);
            feature.shift = Some(ShiftSection { value: mean, scaled: Some(mean) });
            tell(&feature).moves.into_iter().map(|step| step.phrase("→")).collect::<Vec<String>>().join(", ")
        };
        assert_eq!([told(2.5, 0.0), told(1.5, 0.5), told(2.5, -0.999)], ["std 2 → 2.5", "std 2 → 1.5", "std 2 → 2.5"]);
        assert_eq!([told(2.1, 0.0), told(1.9, 0.0), told(2.5, 1.0), told(2.5, -1.0), told(2.5, 3.0)], [""; 5]);
        let constant = feature("numeric", side(1.0, 1.0, 0.0, 0.0), side(1.0, 1.0, 2.0, 0.0), &[]);
        assert!(tell(&constant).moves.is_empty(), "there is no part of nothing");
    }

    #[test]
    fn cells_are_told_where_the_median_stands_still() {
        let cells = [("0", 50, 50), ("1", 30, 40), ("2", 20, 10), ("MISSING", 0, 900), ("NON-FINITE", 900, 0)];
        let mut still = feature("numeric", side(1.0, 1.0, 2.0, 0.0), side(1.0, 1.0, 2.0, 0.0), &cells);
        assert_eq!(tell(&still).sentence("→"), "rows at 1: 3 % → 4 %");
        still.psi.as_mut().unwrap().cells.truncate(3);
        assert_eq!(tell(&still).sentence("→"), "rows at 1: 30 % → 40 %");
        let mut moved = feature("numeric", side(1.0, 1.0, 2.0, 0.0), side(3.0, 1.0, 2.0, 0.0), &cells[..3]);
        assert_eq!(tell(&moved).sentence("→"), "median 1 → 3", "there is a histogram");
        moved.histogram = None;
        assert_eq!(tell(&moved).sentence("→"), "median 1 → 3, rows at 1: 30 % → 40 %");
    }

    #[test]
    fn a_cell_counts_from_half_a_percentage_point_on_whichever_way_it_went() {
        let told = |cells: &[(&str, u64, u64)]| tell(&feature("categorical", nothing(0.0), nothing(0.0), cells)).sentence("→");
        assert_eq!(told(&[("a", 500, 505), ("b", 500, 495)]), "a: 50 % → 50.5 %, b: 50 % → 49.5 %");
        assert_eq!(told(&[("a", 500, 504), ("b", 500, 496)]), "");
        assert_eq!(told(&[("a", 400, 390), ("b", 300, 200), ("c", 300, 410)]), "c: 30 % → 41 %, b: 30 % → 20 %");
    }

    #[test]
    fn a_cell_makes_the_psi_from_three_twentieths_of_it_on() {
        let mut feature =
            feature("categorical", nothing(0.0), nothing(0.0), &[("a", 40, 10), ("b", 30, 20), ("c", 20, 30), ("d", 10, 40)]);
        let mut of = |contributions: [f64; 4], adjusted: f64| {
            let psi = feature.psi.as_mut().unwrap();
            (psi.value, psi.adjusted) = (2.0, adjusted);
            psi.cells.iter_mut().zip(contributions).for_each(|(cell, contribution)| cell.contribution = contribution);
            telling_cells(&feature, "→").iter().map(|told| told.chars().take(1).collect::<String>()).collect::<String>()
        };
        assert_eq!(of([0.3, 0.29, 0.5, 0.91], 0.1), "dca");
        assert_eq!(of([0.5, 0.5, 0.5, 0.5], 0.1), "abc", "at most three");
        assert_eq!([of([0.5, 0.5, 0.5, 0.5], 0.0), of([0.5, 0.5, 0.5, 0.5], -0.1)], ["", ""]);
    }
}
