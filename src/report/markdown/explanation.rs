//! One feature, explained as GitHub-flavoured markdown, for an issue.

use super::{code, escape};
use crate::report::explanation::{CellShare, Dimension, Explanation};
use crate::report::text::explanation::{dimension_word, gap_in_words, in_cells, signed_percent};
use crate::report::{format_count, format_p_value, format_percent, format_value, story};

/// The markdown, with a final newline.
pub fn render(explanation: &Explanation) -> String {
    let feature = &explanation.feature;
    let words = story::feature_words(feature.verdict);
    let mut out = vec![format!("## {} {}: {}", words.glyph, words.word, escape(feature.name.as_str())), facts(explanation)];
    if !explanation.cells.is_empty() {
        out.push(cells(&explanation.cells));
    }
    if feature.reference.mean.is_some() || feature.current.mean.is_some() {
        out.push(summaries(explanation));
    }
    if let Some(gained) = explanation.gained.filter(|_| !explanation.concentration.is_empty()) {
        out.push(format!(
            "### Where the shift is\n\nThe cells that gained hold {} of the reference and {} of the window.",
            format_percent(gained.reference),
            format_percent(gained.current)
        ));
        out.extend(explanation.concentration.iter().map(dimension));
    }
    out.extend(explanation.notes.iter().map(|note| format!("Note: {}", escape(note))));
    out.push(format!("Report: {}", code(&explanation.report_uri)));
    out.join("\n\n") + "\n"
}

fn facts(explanation: &Explanation) -> String {
    let feature = &explanation.feature;
    let mut facts = vec![
        format!(
            "{} ({}), window {}",
            escape(&explanation.job),
            escape(&explanation.environment),
            story::window(&explanation.window)
        ),
        format!(
            "{} rows ({} effective) against {} of the reference",
            format_count(feature.n_current),
            story::effective(feature.effective_current),
            format_count(feature.n_reference)
        ),
        format!("Why: {}", escape(&feature.reason)),
        explanation.since.clone(),
    ];
    let change = story::tell(feature).sentence("→");
    if !change.is_empty() {
        facts.push(format!("What moved: {}", escape(&change)));
    }
    if let Some(ks) = &feature.ks {
        let gap = explanation.gap.as_ref().map_or_else(String::new, |gap| format!(" {}", gap_in_words(gap)));
        facts.push(format!("KS D = {:.3} (p = {}).{gap}", ks.statistic, format_p_value(ks.p_effective)));
    }
    if let Some(psi) = &feature.psi {
        facts.push(format!(
            "PSI = {:.3}, {:.3} beyond what chance gives (p = {})",
            psi.value,
            psi.adjusted,
            format_p_value(psi.p_value)
        ));
    }
    facts.iter().map(|fact| format!("- {fact}")).collect::<Vec<_>>().join("\n")
}

fn cells(cells: &[CellShare]) -> String {
    let mut lines = vec!["| cell | reference | window | gained | share of PSI |".to_owned(), "|---|---:|---:|:-:|---:|".to_owned()];
    lines.extend(cells.iter().map(|cell| {
        let fractions = [cell.reference_fraction, cell.current_fraction, cell.share].map(format_percent);
        let [reference, current, share] = fractions;
        format!("| {} | {reference} | {current} | {} | {share} |", escape(&cell.label), if cell.gained { "▲" } else { "" })
    }));
    lines.join("\n")
}

fn summaries(explanation: &Explanation) -> String {
    let mut lines = vec![
        "| | p05 | p25 | p50 | p75 | p95 | mean | std | missing |".to_owned(),
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|".to_owned(),
    ];
    for (name, side) in [("reference", &explanation.feature.reference), ("window", &explanation.feature.current)] {
        let quantiles = side.quantiles.as_ref().map(|q| [q.p05, q.p25, q.p50, q.p75, q.p95].map(Some)).unwrap_or_default();
        let shown = |value: &Option<f64>| value.map_or_else(|| "-".to_owned(), format_value);
        let values: Vec<String> = quantiles.iter().chain([&side.mean, &side.std]).map(shown).collect();
        lines.push(format!("| {name} | {} | {} |", values.join(" | "), format_percent(side.missing_fraction)));
    }
    lines.join("\n")
}

fn dimension(dimension: &Dimension) -> String {
    let conclusion = format!("By {} ({}): {}", dimension_word(dimension), escape(&dimension.column), escape(&dimension.conclusion));
    if dimension.shown.is_empty() {
        return conclusion;
    }
    let mut lines = vec![
        conclusion,
        String::new(),
        "| group | rows | effective | in cells that gained (95 %) | of the rows | of the shift | p |".to_owned(),
        "|---|---:|---:|---|---:|---:|---:|".to_owned(),
    ];
    lines.extend(dimension.shown.iter().map(|share| {
        let group = if share.stands_out { format!("**{}**", escape(&share.group)) } else { escape(&share.group) };
        format!(
            "| {group} | {} | {} | {} | {} | {} | {} |",
            format_count(share.rows),
            story::effective(share.effective_rows),
            in_cells(share),
            format_percent(share.share_of_rows),
            share.share_of_shift.map_or_else(|| "-".to_owned(), signed_percent),
            share.p_value.map_or_else(|| "too few rows".to_owned(), format_p_value)
        )
    }));
    let more = dimension.groups.saturating_sub(dimension.shown.len());
    if more > 0 {
        lines.push(format!("\n… and {} more, with a smaller part or too few rows", format_count(more as u64)));
    }
    lines.join("\n")
}
