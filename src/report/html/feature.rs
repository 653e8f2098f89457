//! One feature on the page: what changed, its picture, its numbers.

use super::picture::{Picture, description};
use super::trend::{Spark, spark};
use crate::decision::Verdict;
use crate::feature::FeatureKind;
use crate::report::story::{self, Move, Since, Words};
use crate::report::{
    FeatureReport, QuantilesSection, Report, SummarySection, format_count, format_p_value, format_percent, format_value,
};

/// One line of "What changed".
pub struct ChangedView {
    pub index: usize,
    pub name: String,
    pub verdict: Words,
    pub arrow: &'static str,
    pub direction: &'static str,
    pub moves: Vec<Move>,
    pub shift: Option<String>,
    /// The reason, where nothing can be said to have moved.
    pub otherwise: String,
    pub psi: String,
    pub q_value: String,
    pub since: Option<SinceView>,
    /// Whether it was not yet so in the window before.
    pub new: bool,
}

impl ChangedView {
    /// The broken, the drifted and those with a warning, as the report orders them.
    pub fn all(report: &Report) -> Vec<Self> {
        let changed = report.features.iter().enumerate().filter(|(_, feature)| feature.verdict <= Verdict::Warning);
        changed.map(|(index, feature)| Self::new(report, feature, index)).collect()
    }

    fn new(report: &Report, feature: &FeatureReport, index: usize) -> Self {
        let told = story::tell(feature);
        let shift = told.shift_phrase();
        let since = story::feature_since(report, feature);
        let silent = told.moves.is_empty() && shift.is_none();
        Self {
            index,
            name: story::visible(feature.name.as_str()),
            verdict: story::feature_words(feature.verdict),
            arrow: told.direction.arrow(),
            direction: told.direction.word(),
            moves: told.moves,
            shift,
            otherwise: if silent || feature.verdict == Verdict::Broken { story::visible(&feature.reason) } else { String::new() },
            psi: psi_adjusted(feature),
            q_value: probability(feature.q_value),
            new: since.as_ref().is_some_and(|since| since.windows == 1),
            since: since.map(|since| SinceView::new(&since)),
        }
    }
}

/// One feature with its picture.
pub struct FeatureView {
    pub index: usize,
    pub verdict_order: Verdict,
    pub verdict: Words,
    pub name: String,
    pub kind: String,
    pub reason: String,
    pub sentence: String,
    /// The cells that make up most of its PSI.
    pub telling: String,
    pub arrow: &'static str,
    pub direction: &'static str,
    pub since: Option<SinceView>,
    pub picture: Picture,
    pub description: String,
    pub reference_median: Option<String>,
    pub current_median: Option<String>,
    pub psi: String,
    pub q_value: String,
    pub statistics: Vec<Statistic>,
    pub sides: Vec<SideRow>,
    pub cells: Vec<CellRow>,
    pub spark: Option<Spark>,
}

/// A statistic and its value.
pub struct Statistic {
    pub label: &'static str,
    pub value: String,
}

/// One row of the comparison of both sides.
pub struct SideRow {
    pub label: &'static str,
    pub reference: String,
    pub current: String,
}

/// One PSI cell.
pub struct CellRow {
    pub label: String,
    pub reference: String,
    pub reference_share: String,
    pub current: String,
    pub current_share: String,
    /// What it adds to the PSI.
    pub contribution: String,
}

impl FeatureView {
    pub fn new(report: &Report, feature: &FeatureReport, index: usize) -> Self {
        let told = story::tell(feature);
        let moved = told.sentence("→");
        let median = |side: &SummarySection| side.quantiles.as_ref().map(|quantiles| format_value(quantiles.p50));
        Self {
            index,
            verdict_order: feature.verdict,
            verdict: story::feature_words(feature.verdict),
            name: story::visible(feature.name.as_str()),
            kind: feature.kind.to_string(),
            reason: sentence_case(&story::visible(&feature.reason)),
            // A category is written as it is.
            sentence: if feature.kind == FeatureKind::Categorical { moved } else { sentence_case(&moved) },
            telling: telling(feature),
            arrow: told.direction.arrow(),
            direction: told.direction.word(),
            since: story::feature_since(report, feature).map(|since| SinceView::new(&since)),
            picture: Picture::new(feature),
            description: description(feature),
            reference_median: median(&feature.reference),
            current_median: median(&feature.current),
            psi: psi_adjusted(feature),
            q_value: probability(feature.q_value),
            statistics: statistics(feature),
            sides: sides(feature),
            cells: cells(feature),
            spark: spark(report, feature),
        }
    }
}

/// `Most of its PSI comes from > 52.9 (10 % → 31 % of the rows).`; empty where nothing changed.
fn telling(feature: &FeatureReport) -> String {
    let cells = story::telling_cells(feature, "→");
    if cells.is_empty() { String::new() } else { format!("Most of its PSI: {}.", cells.join("; ")) }
}

fn psi_adjusted(feature: &FeatureReport) -> String {
    feature.psi.as_ref().map_or_else(|| "–".to_owned(), |psi| format!("{:.3}", psi.adjusted))
}

fn probability(p: Option<f64>) -> String {
    p.map_or_else(|| "–".to_owned(), format_p_value)
}

/// Since when. It may break before the moment, and not in it: a date has hyphens.
pub struct SinceView {
    pub lead: String,
    /// Empty where the words are all.
    pub moment: String,
    pub rest: String,
}

impl SinceView {
    fn new(since: &Since) -> Self {
        let whole = |text: &str| text.replace(' ', "\u{a0}");
        let (lead, rest) = since.parts();
        match rest {
            Some((moment, windows)) => {
                Self { lead: whole(&lead) + " to", moment: whole(&moment), rest: format!(" {}", whole(&windows)) }
            }
            None => Self { lead: whole(&lead), moment: String::new(), rest: String::new() },
        }
    }
}

/// A fragment as the beginning of a sentence.
fn sentence_case(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn statistics(feature: &FeatureReport) -> Vec<Statistic> {
    let mut list = Vec::new();
    let mut push = |label, value: String| list.push(Statistic { label, value });
    if let Some(psi) = &feature.psi {
        push("PSI", format!("{:.3}", psi.value));
        push("PSI adjusted", format!("{:.3}", psi.adjusted));
        push("PSI p", format_p_value(psi.p_value));
    }
    if let Some(smallest) = &feature.minimum_detectable {
        push("Detectable from PSI", format!("{:.2}", smallest.psi));
        if let Some(shift) = smallest.shift {
            push("Detectable shift", format!("{shift:.2} sd"));
        }
    }
    if let Some(ks) = &feature.ks {
        let bound = if ks.error_bound > 0.0 { format!(" ± {:.4}", ks.error_bound) } else { String::new() };
        push("KS D", format!("{:.3}{bound}", ks.statistic));
        push("KS p", format_p_value(ks.p_value));
        push("KS p effective", format_p_value(ks.p_effective));
    }
    if let Some(chi) = &feature.chi_squared {
        push("Chi-squared", format!("{} ({} df)", format_value(chi.statistic), chi.degrees_of_freedom));
        push("Chi-squared p", format_p_value(chi.p_value));
        push("Chi-squared p effective", format_p_value(chi.p_effective));
    }
    if let Some(missing) = &feature.missing {
        push("Unusable p", format_p_value(missing.p_value));
    }
    if let Some(distance) = &feature.wasserstein {
        let bound = if distance.error_bound > 0.0 { format!(" ± {}", format_value(distance.error_bound)) } else { String::new() };
        push("Wasserstein W1", format!("{}{bound}", format_value(distance.value)));
        if let Some(scaled) = distance.scaled {
            push("W1 scaled", format_value(scaled));
        }
    }
    if let Some(distance) = feature.jensen_shannon {
        push("Jensen–Shannon", format!("{distance:.3}"));
    }
    if let Some(distance) = feature.total_variation {
        push("Total variation", format!("{distance:.3}"));
    }
    if let Some(p) = feature.p_value {
        push("p", format_p_value(p));
    }
    if let Some(q) = feature.q_value {
        push("q", format_p_value(q));
    }
    list
}

fn sides(feature: &FeatureReport) -> Vec<SideRow> {
    let (reference, current) = (&feature.reference, &feature.current);
    let row = |label, reference: String, current: String| SideRow { label, reference, current };
    let mut rows = vec![
        row("Rows", format_count(feature.n_reference), format_count(feature.n_current)),
        row("Effective rows", story::effective(feature.effective_reference), story::effective(feature.effective_current)),
        row("Missing", format_percent(reference.missing_fraction), format_percent(current.missing_fraction)),
    ];
    if reference.non_finite_fraction > 0.0 || current.non_finite_fraction > 0.0 {
        rows.push(row("Non-finite", format_percent(reference.non_finite_fraction), format_percent(current.non_finite_fraction)));
    }
    let quantile = |side: &SummarySection, pick: fn(&QuantilesSection) -> f64| side.quantiles.as_ref().map(pick);
    let both = |pick: fn(&QuantilesSection) -> f64| (quantile(reference, pick), quantile(current, pick));
    for (label, (from, to)) in [
        ("Mean", (reference.mean, current.mean)),
        ("Std", (reference.std, current.std)),
        ("Min", (reference.min, current.min)),
        ("1 %", both(|q| q.p01)),
        ("5 %", both(|q| q.p05)),
        ("25 %", both(|q| q.p25)),
        ("Median", both(|q| q.p50)),
        ("75 %", both(|q| q.p75)),
        ("95 %", both(|q| q.p95)),
        ("99 %", both(|q| q.p99)),
        ("Max", (reference.max, current.max)),
    ] {
        if from.is_some() || to.is_some() {
            rows.push(row(label, value(from), value(to)));
        }
    }
    rows
}

fn value(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), format_value)
}

fn cells(feature: &FeatureReport) -> Vec<CellRow> {
    let Some(psi) = &feature.psi else { return Vec::new() };
    let (reference_total, current_total) = story::cell_totals(&psi.cells);
    let row = |cell: &crate::report::PsiCellSection| CellRow {
        label: story::visible(&cell.label),
        reference: format_count(cell.reference),
        reference_share: format_percent(story::fraction(cell.reference, reference_total)),
        current: format_count(cell.current),
        current_share: format_percent(story::fraction(cell.current, current_total)),
        contribution: format!("{:.3}", cell.contribution),
    };
    psi.cells.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::report::tests::{feature, report};
    use crate::report::{KsSection, WassersteinSection};

    #[test]
    fn an_error_that_is_nothing_is_not_told() {
        let of = |ks: f64, wasserstein: f64| {
            let mut feature = feature("f", Verdict::Drift);
            feature.ks = Some(KsSection { statistic: 0.25, p_value: 0.5, p_effective: 0.75, error_bound: ks });
            feature.wasserstein = Some(WassersteinSection { value: 2.5, scaled: None, error_bound: wasserstein });
            statistics(&feature).into_iter().map(|statistic| format!("{} {}", statistic.label, statistic.value)).collect::<Vec<_>>()
        };
        assert_eq!(of(0.0, 0.0), ["KS D 0.250", "KS p 0.50", "KS p effective 0.75", "Wasserstein W1 2.5"]);
        assert_eq!(of(0.01, 0.5), ["KS D 0.250 ± 0.0100", "KS p 0.50", "KS p effective 0.75", "Wasserstein W1 2.5 ± 0.5"]);
    }

    #[test]
    fn a_row_of_numbers_is_there_where_either_side_has_one() {
        let labels = |change: &dyn Fn(&mut FeatureReport)| {
            let mut feature = feature("f", Verdict::Drift);
            change(&mut feature);
            sides(&feature).iter().skip(3).map(|row| format!("{} {} {}", row.label, row.reference, row.current)).collect::<Vec<_>>()
        };
        assert!(labels(&|_| ()).is_empty());
        assert_eq!(labels(&|feature| feature.reference.non_finite_fraction = 0.25), ["Non-finite 25 % 0 %"]);
        assert_eq!(labels(&|feature| feature.current.non_finite_fraction = 0.25), ["Non-finite 0 % 25 %"]);
        assert_eq!(labels(&|feature| feature.reference.std = Some(1.5)), ["Std 1.5 –"]);
        assert_eq!(labels(&|feature| feature.current.std = Some(1.5)), ["Std – 1.5"]);
    }

    #[test]
    fn what_changed_is_what_is_not_stable_and_told() {
        let mut report = report();
        report.features = Verdict::ALL.map(|verdict| feature(&verdict.to_string(), verdict)).to_vec();
        let changed: Vec<(usize, String, String)> =
            ChangedView::all(&report).into_iter().map(|view| (view.index, view.name, view.otherwise)).collect();
        let expected =
            [(0, "broken"), (1, "drift"), (2, "warning")].map(|(index, name)| (index, name.to_owned(), "as it is".to_owned()));
        assert_eq!(changed, expected);
        assert_eq!([sentence_case("größe"), sentence_case(""), sentence_case("ß")], ["Größe", "", "SS"]);
    }
}
