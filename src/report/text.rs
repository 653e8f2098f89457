//! The report on a terminal: a header, the worst features, the findings, and the conclusion last, where the eye ends up.
//!
//! No name can move the cursor or colour a line: what is not printable is replaced before anything is laid out.

pub mod explanation;
pub(super) mod layout;

use super::story;
use super::{FeatureReport, Report, format_count, format_p_value};
use crate::decision::finding::Severity;
use crate::decision::signal::{SignalState, Transition};
use crate::decision::{DatasetVerdict, Verdict};
use layout::{Align, Column, Paint, columns_of, fit, wrap};

/// How to print the report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// The width of the terminal in columns.
    pub width: u16,
    /// Every stable feature and every `info` finding as well.
    pub verbose: bool,
    /// Where the full report is, if it was written.
    pub report_location: Option<String>,
}

/// Stable features are listed as far as the table has at most this many rows.
const ROWS_BEFORE_FOLDING: usize = 20;

/// Below this width nothing can be laid out; a narrower terminal wraps by itself.
const NARROWEST: usize = 60;

/// A wider table is harder to read, not easier.
const WIDEST: usize = 160;

/// Below this width the KS statistic gives its place to what moved: the verdict rests on the other two numbers.
const ROOM_FOR_KS: usize = 90;

/// From this width on there is room for the rows of each feature.
const WIDE: usize = 110;

/// The text, with a final newline.
pub fn render(report: &Report, options: TextOptions) -> String {
    let width = usize::from(options.width).clamp(NARROWEST, WIDEST);
    let mut lines = header(report, &options, width);
    if !report.features.is_empty() {
        lines.push(String::new());
        lines.extend(table(&report.features, &options, width));
    }
    let others = [predictions(report, &options, width), signals(report, &options, width)];
    for lines_of_it in others.into_iter().filter(|lines| !lines.is_empty()) {
        lines.push(String::new());
        lines.extend(lines_of_it);
    }
    let findings = findings(report, &options, width);
    if !findings.is_empty() {
        lines.push(String::new());
        lines.extend(findings);
    }
    if !report.causes.is_empty() {
        lines.push(String::new());
        lines.extend(report.causes.iter().flat_map(|cause| wrap(&story::cause_sentence(cause), width, "")));
    }
    lines.push(String::new());
    lines.extend(wrap(&story::visible(&report.decision.conclusion), width, ""));
    if let Some(location) = options.report_location {
        lines.push(format!("Report: {}", story::visible(&location)));
    }
    let mut text = String::new();
    for line in lines {
        text.push_str(&obeyed_by_nobody(line.trim_end()));
        text.push('\n');
    }
    text
}

/// GitHub's runner takes a line of a log that begins with two colons for a command.
pub(super) fn obeyed_by_nobody(line: &str) -> String {
    if line.trim_start().starts_with("::") { line.replacen("::", "\u{FFFD}:", 1) } else { line.to_owned() }
}

fn header(report: &Report, options: &TextOptions, width: usize) -> Vec<String> {
    let verdict = story::dataset_words(report.decision.verdict);
    let paint = match report.decision.verdict {
        DatasetVerdict::Drift => Paint::Drift,
        DatasetVerdict::Inconclusive | DatasetVerdict::NoData => Paint::Warning,
        DatasetVerdict::Stable => Paint::Stable,
    };
    let word = format!("{} {}", verdict.glyph, verdict.word.to_uppercase());
    let job = format!("{} ({})", story::visible(&report.run.job), story::visible(&report.run.environment));
    let room = width.saturating_sub(columns_of(&word) + 2);
    let mut lines = vec![format!("{}  {}", paint.apply(&word, options.color), fit(&job, room))];
    let mut facts = vec![
        format!("window {}", story::window(&report.window)),
        format!(
            "{} rows ({} effective) against {} of the reference ({} effective)",
            format_count(report.current.rows),
            story::effective(report.current.effective_rows),
            format_count(report.reference.rows),
            story::effective(report.reference.effective_rows)
        ),
    ];
    if report.current.rows_rejected > 0 || options.verbose {
        facts.push(story::row_accounting(&report.current));
    }
    if let Some(since) = story::dataset_since(report) {
        facts.push(since);
    }
    lines.extend(facts.iter().flat_map(|fact| wrap(fact, width, "  ")));
    lines
}

/// What the model said, where it changed or everything is asked for.
fn predictions(report: &Report, options: &TextOptions, width: usize) -> Vec<String> {
    let is_shown = |prediction: &&FeatureReport| options.verbose || prediction.verdict < Verdict::Inconclusive;
    let shown: Vec<FeatureReport> = report.predictions.iter().filter(is_shown).cloned().collect();
    if shown.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["Predictions, not counted among the features:".to_owned()];
    lines.extend(table(&shown, options, width));
    lines
}

/// The signals that fire or are open, and all of them where everything is asked for.
fn signals(report: &Report, options: &TextOptions, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for signal in &report.signals {
        let is_open = signal.state == SignalState::Firing || !matches!(signal.transition, None | Some(Transition::None));
        if !is_open && !options.verbose {
            continue;
        }
        let words = story::signal_words(signal.state);
        let paint = match signal.state {
            SignalState::Firing => Paint::Drift,
            SignalState::Quiet => Paint::Stable,
            SignalState::Inconclusive => Paint::Faint,
        };
        let word = format!("{} {}", words.glyph, words.word.to_lowercase());
        let mut facts = vec![signal.mode.to_string()];
        facts.extend(
            signal.transition.filter(|transition| *transition != Transition::None).map(|transition| transition.to_string()),
        );
        facts.extend(signal.since.map(|since| format!("since {}", story::moment(since))));
        facts.extend(signal.silenced.as_ref().map(|silence| format!("silenced until {}", story::moment(silence.until))));
        facts.extend(signal.deliveries.iter().map(|sent| format!("{} {}", story::visible(&sent.channel), sent.status)));
        lines.push(format!("{} {}", paint.apply(&word, options.color), signal.name));
        lines.extend(wrap(&facts.join(", "), width, "  "));
        lines.extend(wrap(&story::visible(&signal.reason), width, "  "));
    }
    lines
}

fn table(features: &[FeatureReport], options: &TextOptions, width: usize) -> Vec<String> {
    let shown: Vec<&FeatureReport> = features
        .iter()
        .enumerate()
        .filter(|(index, feature)| options.verbose || feature.verdict < Verdict::Stable || *index < ROWS_BEFORE_FOLDING)
        .map(|(_, feature)| feature)
        .collect();
    let folded = features.len() - shown.len();
    let columns = columns(&shown, width);
    let titles: Vec<String> = columns.iter().map(|column| column.cell(column.title)).collect();
    let mut lines = vec![Paint::Faint.apply(titles.join("  ").trim_end(), options.color)];
    for feature in shown {
        let cells: Vec<String> = columns.iter().map(|column| painted(column, feature, options.color)).collect();
        lines.push(cells.join("  "));
    }
    if folded > 0 {
        lines.push(format!("… and {folded} stable {}", if folded == 1 { "feature" } else { "features" }));
    }
    lines
}

fn painted(column: &Column, feature: &FeatureReport, color: bool) -> String {
    let cell = column.cell(&(column.content)(feature));
    if column.title != "VERDICT" {
        return cell;
    }
    let paint = match feature.verdict {
        Verdict::Broken | Verdict::Drift => Paint::Drift,
        Verdict::Warning => Paint::Warning,
        Verdict::Inconclusive => Paint::Faint,
        Verdict::Stable => Paint::Stable,
    };
    paint.apply(&cell, color)
}

/// The columns that fit: names and numbers get what they need, "what moved" gets the rest.
fn columns(shown: &[&FeatureReport], width: usize) -> Vec<Column> {
    let name = |feature: &FeatureReport| story::visible(feature.name.as_str());
    let longest = shown.iter().map(|feature| columns_of(&name(feature))).max().unwrap_or(0);
    let verdicts = shown.iter().map(|feature| columns_of(&verdict(feature))).max().unwrap_or(0).max(7);
    let mut columns = vec![
        Column { title: "FEATURE", width: longest.clamp(7, width / 4), align: Align::Left, content: Box::new(name) },
        Column { title: "VERDICT", width: verdicts, align: Align::Left, content: Box::new(verdict) },
        Column { title: "PSI ADJ", width: 7, align: Align::Right, content: Box::new(psi) },
    ];
    if width >= ROOM_FOR_KS {
        columns.push(Column { title: "KS D", width: 5, align: Align::Right, content: Box::new(ks) });
    }
    columns.push(Column { title: "Q", width: 7, align: Align::Right, content: Box::new(q_value) });
    if width >= WIDE {
        columns.push(Column { title: "ROWS / EFF", width: 15, align: Align::Right, content: Box::new(rows) });
    }
    let taken: usize = columns.iter().map(|column| column.width + 2).sum();
    let rest = width.saturating_sub(taken);
    columns.push(Column { title: "WHAT MOVED", width: rest, align: Align::Left, content: Box::new(move |f| what_moved(f, rest)) });
    columns
}

fn verdict(feature: &FeatureReport) -> String {
    let words = story::feature_words(feature.verdict);
    format!("{} {}", words.glyph, words.word.to_lowercase())
}

fn psi(feature: &FeatureReport) -> String {
    feature.psi.as_ref().map_or_else(|| "-".to_owned(), |psi| format!("{:.3}", psi.adjusted))
}

fn ks(feature: &FeatureReport) -> String {
    feature.ks.as_ref().map_or_else(|| "-".to_owned(), |ks| format!("{:.3}", ks.statistic))
}

fn q_value(feature: &FeatureReport) -> String {
    feature.q_value.map_or_else(|| "-".to_owned(), format_p_value)
}

fn rows(feature: &FeatureReport) -> String {
    format!("{} / {}", format_count(feature.n_current), story::effective(feature.effective_current))
}

/// The whole sentence where it fits, the first move where only that fits; the reason where nothing moved or nothing can be told.
fn what_moved(feature: &FeatureReport, room: usize) -> String {
    let told = story::tell(feature);
    let sentence = told.sentence("->");
    match feature.verdict {
        Verdict::Inconclusive => story::visible(&feature.reason),
        Verdict::Stable => String::new(),
        _ if sentence.is_empty() => story::visible(&feature.reason),
        _ if columns_of(&sentence) <= room => sentence,
        _ => told.short("->"),
    }
}

fn findings(report: &Report, options: &TextOptions, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &report.findings {
        let paint = match finding.severity {
            Severity::Error => Paint::Drift,
            Severity::Warning => Paint::Warning,
            Severity::Info if options.verbose => Paint::Faint,
            Severity::Info => continue,
        };
        let word = story::severity_words(finding.severity).word.to_lowercase();
        lines.push(format!("{} {}", paint.apply(&word, options.color), finding.code));
        lines.extend(wrap(&story::visible(&finding.message), width, "  "));
        if let Some(object) = &finding.object {
            lines.extend(wrap(&story::visible(object), width, "  "));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::report::tests::{feature, report};
    use crate::report::{ShiftSection, SummarySection};

    fn text(report: &Report, width: u16, verbose: bool) -> Vec<String> {
        let options = TextOptions { width, verbose, ..TextOptions::default() };
        render(report, options).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_long_job_is_cut_where_the_line_ends() {
        let mut report = report();
        report.run.job = "j".repeat(200);
        for (width, columns) in [(0, 60), (60, 60), (100, 100), (160, 160), (500, 160)] {
            let line = text(&report, width, false).remove(0);
            assert!(columns_of(&line) == columns && line.starts_with("✓ STABLE  jjj") && line.ends_with("j…"), "{width}: {line}");
        }
        // Exactly as long as the line: 10 before it, 7 for the environment.
        report.run.job = "j".repeat(60 - 17);
        assert_eq!(text(&report, 60, false)[0], format!("✓ STABLE  {} (prod)", report.run.job));
    }

    #[test]
    fn a_small_report_is_a_header_and_a_conclusion() {
        let mut report = report();
        let rows = "  200 rows (150 effective) against 600 of the reference (400 effective)";
        let window = "  window 2026-01-30 18:00 to 2026-01-31 18:00 UTC (24h)";
        let expected = ["✓ STABLE  ct-scan (prod)", window, rows, "", "Stable."];
        assert_eq!(text(&report, 80, false), expected);
        let accounting = "  200 read = 200 used + 0 outside the window + 0 rejected";
        assert_eq!(text(&report, 80, true), [expected[0], window, rows, accounting, "", "Stable."]);
        (report.current.rows_read, report.current.rows_rejected) = (201, 1);
        assert_eq!(text(&report, 80, false)[3], "  201 read = 200 used + 0 outside the window + 1 rejected");
    }

    #[test]
    fn stable_features_are_listed_up_to_twenty_rows() {
        let of = |drifted: usize, stable: usize, verbose: bool| {
            let verdicts = std::iter::repeat_n(Verdict::Drift, drifted).chain(std::iter::repeat_n(Verdict::Stable, stable));
            let features: Vec<FeatureReport> =
                verdicts.enumerate().map(|(index, verdict)| feature(&format!("f{index}"), verdict)).collect();
            let lines = table(&features, &TextOptions { verbose, ..TextOptions::default() }, 80);
            (lines.len(), lines.last().unwrap().trim_end().to_owned())
        };
        let last = |name: &str| format!("{name:<7}  ✓ stable        -        -");
        assert_eq!(of(1, 19, false), (21, last("f19")));
        assert_eq!(of(1, 20, false), (22, "… and 1 stable feature".to_owned()));
        assert_eq!(of(1, 22, false), (22, "… and 3 stable features".to_owned()));
        assert_eq!(of(1, 22, true), (24, last("f22")));
        assert_eq!(of(25, 0, false).0, 26);
        assert_eq!(of(25, 1, false), (27, "… and 1 stable feature".to_owned()));
    }

    #[test]
    fn a_prediction_is_shown_where_it_changed_or_everything_is() {
        let of = |verdict, verbose| {
            let mut report = report();
            report.predictions = vec![feature("class", verdict)];
            let lines = text(&report, 80, verbose);
            lines.iter().any(|line| line == "Predictions, not counted among the features:")
                && lines.iter().any(|line| line.starts_with("class "))
        };
        assert_eq!(Verdict::ALL.map(|verdict| of(verdict, false)), [true, true, true, false, false]);
        assert_eq!(Verdict::ALL.map(|verdict| of(verdict, true)), [true; 5]);
    }

    #[test]
    fn there_are_as_many_columns_as_the_width_has_room_for() {
        let features = [feature("a_long_name_of_24_letters", Verdict::Drift)];
        let title = |width: usize| table(&features, &TextOptions::default(), width).remove(0);
        let name = format!("{:<22}", "FEATURE");
        assert_eq!(title(89), format!("{name}  VERDICT  PSI ADJ        Q  WHAT MOVED"));
        assert_eq!(title(90), format!("{name}  VERDICT  PSI ADJ   KS D        Q  WHAT MOVED"));
        assert_eq!(title(109), format!("{:<25}  VERDICT  PSI ADJ   KS D        Q  WHAT MOVED", "FEATURE"));
        assert_eq!(title(110), format!("{:<25}  VERDICT  PSI ADJ   KS D        Q       ROWS / EFF  WHAT MOVED", "FEATURE"));
    }

    #[test]
    fn what_moved_is_the_whole_sentence_where_it_fits() {
        let mut moved = feature("f", Verdict::Drift);
        let side = |median: f64, side: &SummarySection| SummarySection {
            mean: Some(median),
            quantiles: Some(crate::report::QuantilesSection {
                p01: 0.0,
                p05: 0.0,
                p25: 0.0,
                p50: median,
                p75: 9.0,
                p95: 9.0,
                p99: 9.0,
            }),
            ..side.clone()
        };
        (moved.reference, moved.current) = (side(1.0, &moved.reference), side(2.0, &moved.current));
        moved.shift = Some(ShiftSection { value: 1.0, scaled: Some(0.5) });
        let sentence = "median 1 -> 2, mean 1 higher (0.50 reference sd)";
        assert_eq!([what_moved(&moved, 48), what_moved(&moved, 47)], [sentence, "median 1 -> 2"]);
        moved.verdict = Verdict::Stable;
        assert_eq!(what_moved(&moved, 48), "");
        moved.verdict = Verdict::Inconclusive;
        assert_eq!([what_moved(&moved, 48), what_moved(&feature("f", Verdict::Drift), 48)], ["as it is", "as it is"]);
        // The last column takes what is left: 7 + 7 + 7 + 7, and two spaces after each.
        let row = table(&[feature("f", Verdict::Inconclusive)], &TextOptions::default(), 60).remove(1);
        assert_eq!(columns_of(&row), 60);
    }
}
