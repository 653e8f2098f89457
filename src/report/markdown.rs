//! The report as GitHub-flavoured markdown, for a step summary or a pull request.
//!
//! Every name and message is escaped for a table's cell: no pipe, tag, backtick, link or line break of theirs survives.

pub mod explanation;

use super::story::{self, Story};
use super::{FeatureReport, Report, format_count, format_p_value};
use crate::decision::Verdict;
use crate::decision::signal::{SignalReport, SignalState, Transition};

/// As many rows as a step summary stays readable with; the others are counted.
const MOST_ROWS: usize = 100;

/// The markdown, with a final newline.
pub fn render(report: &Report) -> String {
    let verdict = story::dataset_words(report.decision.verdict);
    let mut out = vec![
        format!("## {} {}: {} ({})", verdict.glyph, verdict.word, escape(&report.run.job), escape(&report.run.environment)),
        escape(&report.decision.conclusion),
        facts(report),
    ];
    let (changed, rest): (Vec<&FeatureReport>, Vec<&FeatureReport>) =
        report.features.iter().partition(|feature| feature.verdict <= Verdict::Warning);
    if !changed.is_empty() {
        out.push(table(report, &changed));
    }
    if !report.causes.is_empty() {
        let causes = report.causes.iter().map(|cause| format!("- {}", escape(&story::cause_sentence(cause))));
        out.push(causes.collect::<Vec<String>>().join("\n"));
    }
    if !rest.is_empty() {
        let inconclusive = rest.iter().filter(|feature| feature.verdict == Verdict::Inconclusive).count();
        let summary = format!("{} stable and {inconclusive} inconclusive features", rest.len() - inconclusive);
        out.push(format!("<details><summary>{summary}</summary>\n\n{}\n\n</details>", table(report, &rest)));
    }
    let signals = signals(report);
    if !signals.is_empty() {
        out.push(signals);
    }
    if !report.findings.is_empty() {
        out.push(findings(report));
    }
    out.push(format!("Reproduce with {}", code(&report.run.command)));
    let mut text = out.join("\n\n");
    text.push('\n');
    text
}

fn facts(report: &Report) -> String {
    let mut facts = vec![
        format!("Window {}", story::window(&report.window)),
        format!(
            "{} rows ({} effective) against {} of the reference",
            format_count(report.current.rows),
            story::effective(report.current.effective_rows),
            format_count(report.reference.rows)
        ),
    ];
    if let Some(since) = story::dataset_since(report) {
        facts.push(since);
    }
    facts.iter().map(|fact| format!("- {fact}")).collect::<Vec<String>>().join("\n")
}

fn table(report: &Report, features: &[&FeatureReport]) -> String {
    let mut lines = vec![
        "| Feature | Verdict | What moved | PSI adj. | KS D | q | Since |".to_owned(),
        "| :-- | :-- | :-- | --: | --: | --: | :-- |".to_owned(),
    ];
    lines.extend(features.iter().take(MOST_ROWS).map(|feature| row(report, feature)));
    let hidden = features.len().saturating_sub(MOST_ROWS);
    if hidden > 0 {
        lines.push(format!("| … and {hidden} more | | | | | | |"));
    }
    lines.join("\n")
}

fn row(report: &Report, feature: &FeatureReport) -> String {
    let verdict = story::feature_words(feature.verdict);
    let dash = || "–".to_owned();
    let cells = [
        escape(feature.name.as_str()),
        format!("{} {}", verdict.glyph, verdict.word.to_lowercase()),
        Some(what_moved(feature, &story::tell(feature)))
            .filter(|moved| !moved.is_empty())
            .map(|moved| escape(&moved))
            .unwrap_or_default(),
        feature.psi.as_ref().map_or_else(dash, |psi| format!("{:.3}", psi.adjusted)),
        feature.ks.as_ref().map_or_else(dash, |ks| format!("{:.3}", ks.statistic)),
        feature.q_value.map_or_else(dash, |q| escape(&format_p_value(q))),
        story::feature_since(report, feature).map(|since| since.sentence()).unwrap_or_default(),
    ];
    format!("| {} |", cells.join(" | "))
}

fn what_moved(feature: &FeatureReport, told: &Story) -> String {
    let sentence = told.sentence("→");
    match feature.verdict {
        Verdict::Inconclusive => feature.reason.clone(),
        Verdict::Stable => String::new(),
        _ if sentence.is_empty() => feature.reason.clone(),
        _ => sentence,
    }
}

/// The signals that fire or have just changed.
fn signals(report: &Report) -> String {
    let is_news = |signal: &&SignalReport| {
        signal.state == SignalState::Firing || !matches!(signal.transition, None | Some(Transition::None | Transition::Ongoing))
    };
    let line = |signal: &SignalReport| {
        let transition = signal.transition.filter(|transition| *transition != Transition::None);
        let transition = transition.map(|transition| format!(", {transition}")).unwrap_or_default();
        format!("- **{}** ({}{transition}): {}", signal.name, signal.mode, escape(&signal.reason))
    };
    let lines: Vec<String> = report.signals.iter().filter(is_news).map(line).collect();
    if lines.is_empty() { String::new() } else { format!("### Signals\n\n{}", lines.join("\n")) }
}

fn findings(report: &Report) -> String {
    let mut lines = vec!["### Findings".to_owned(), String::new()];
    for finding in &report.findings {
        let severity = story::severity_words(finding.severity).word.to_lowercase();
        let object = finding.object.as_ref().map(|object| format!(" ({})", escape(object))).unwrap_or_default();
        lines.push(format!("- **{severity}** `{}`: {}{object}", finding.code, escape(&finding.message)));
    }
    lines.join("\n")
}

/// Text that renders as itself and nothing else, in a paragraph as in a table's cell.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in story::visible(text).chars() {
        match character {
            // As entities: inside a table a backslash does not protect a pipe from every renderer, nor a tag from any.
            '<' | '>' | '&' | '|' | '`' | '*' | '[' | ']' | '\\' | '~' | '#' | '@' | '!' | '$' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            // An underscore inside a word is itself; at a word's border it would begin emphasis.
            '_' => escaped.push_str("\\_"),
            other => escaped.push(other),
        }
    }
    // A bare address would become a link.
    escaped.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// Text as code, fenced by more backticks than it holds in a row.
fn code(text: &str) -> String {
    let text = story::visible(text);
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {text} {fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_markup_of_a_name_survives() {
        let escaped = escape("a|b<i>`c`\n# [x](http://y) **z** @w");
        assert_eq!(escaped, "a&#124;b&#60;i&#62;&#96;c&#96; &#35; &#91;x&#93;(http&#58;//y) &#42;&#42;z&#42;&#42; &#64;w");
    }

    #[test]
    fn code_is_fenced_by_more_backticks_than_it_holds() {
        assert_eq!(code("a"), "` a `");
        assert_eq!(code("a``b"), "``` a``b ```");
    }

    use crate::report::tests::{feature, report};

    #[test]
    fn a_hundred_features_are_listed_and_more_are_counted() {
        let rows = |count: usize| {
            let features: Vec<FeatureReport> = (0..count).map(|index| feature(&format!("f{index}"), Verdict::Drift)).collect();
            let table = table(&report(), &features.iter().collect::<Vec<_>>());
            (table.lines().count(), table.lines().last().unwrap().to_owned())
        };
        assert_eq!(rows(100), (102, "| f99 | ◆ drift | as it is | – | – | – |  |".to_owned()));
        assert_eq!(rows(101), (103, "| … and 1 more | | | | | | |".to_owned()));
    }

    #[test]
    fn a_signal_is_news_when_it_fires_or_has_just_changed() {
        let of = |state, transition| {
            let mut report = report();
            report.signals = vec![SignalReport {
                name: crate::decision::signal::SignalName::DataDrift,
                mode: crate::decision::signal::SignalMode::Shadow,
                state,
                reason: "why".to_owned(),
                value: None,
                threshold: None,
                n: 0,
                interval: None,
                transition,
                since: None,
                silenced: None,
                deliveries: Vec::new(),
            }];
            signals(&report).lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(of(SignalState::Firing, None), "- **data-drift** (shadow): why");
        assert_eq!(of(SignalState::Firing, Some(Transition::None)), "- **data-drift** (shadow): why");
        assert_eq!(of(SignalState::Firing, Some(Transition::Ongoing)), "- **data-drift** (shadow, ongoing): why");
        assert_eq!(of(SignalState::Quiet, Some(Transition::Resolved)), "- **data-drift** (shadow, resolved): why");
        for nothing in [None, Some(Transition::None), Some(Transition::Ongoing)] {
            assert_eq!(of(SignalState::Inconclusive, nothing), "");
        }
    }

    #[test]
    fn a_small_report_has_no_empty_sections() {
        let mut report = report();
        let stable = "## ✓ Stable: ct-scan (prod)\n\nStable.\n\n- Window 2026-01-30 18:00 to 2026-01-31 18:00 UTC (24h)\n\
            - 200 rows (150 effective) against 600 of the reference\n\nReproduce with ` drift-check `\n";
        assert_eq!(render(&report), stable);
        report.features = vec![feature("a", Verdict::Warning)];
        let shown = render(&report);
        assert!(shown.contains("| a | ! warning | as it is |") && !shown.contains("<details>"), "{shown}");
        report.features =
            vec![feature("a", Verdict::Inconclusive), feature("b", Verdict::Inconclusive), feature("c", Verdict::Stable)];
        let shown = render(&report);
        assert!(shown.contains("<summary>1 stable and 2 inconclusive features</summary>"), "{shown}");
        assert!(shown.contains("| a | ? inconclusive | as it is |") && shown.contains("| c | ✓ stable |  |"), "{shown}");
    }
}
