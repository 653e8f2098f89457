//! One feature, explained on a terminal: both distributions drawn, the cells side by side, since when, and where the shift is concentrated.

use super::layout::{Align, Paint, columns_of, fit, wrap};
use super::{NARROWEST, WIDEST, obeyed_by_nobody, story};
use crate::decision::Verdict;
use crate::report::explanation::{CellShare, Dimension, Explanation, GapSection, GroupShare};
use crate::report::{
    HistogramSection, QuantilesSection, SummarySection, format_count, format_p_value, format_percent, format_value,
};

/// Lines of each drawn distribution.
const HEIGHT: usize = 4;

/// A bar in eighths of a line.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar in eighths of a column.
const ACROSS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// The text, with a final newline.
pub fn render(explanation: &Explanation, color: bool, width: u16) -> String {
    let page = Page { color, width: usize::from(width).clamp(NARROWEST, WIDEST) };
    let mut lines = page.header(explanation);
    let parts = [
        page.picture(explanation),
        page.cells(&explanation.cells),
        page.summaries(explanation),
        page.gap(explanation),
        page.concentration(explanation),
        explanation.notes.iter().flat_map(|note| wrap(&format!("Note: {}", story::visible(note)), page.width, "")).collect(),
    ];
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        lines.push(String::new());
        lines.extend(part);
    }
    lines.push(String::new());
    lines.push(format!("Report: {}", story::visible(&explanation.report_uri)));
    lines.iter().map(|line| obeyed_by_nobody(line.trim_end()) + "\n").collect()
}

struct Page {
    color: bool,
    width: usize,
}

impl Page {
    fn header(&self, explanation: &Explanation) -> Vec<String> {
        let feature = &explanation.feature;
        let words = story::feature_words(feature.verdict);
        let paint = match feature.verdict {
            Verdict::Broken | Verdict::Drift => Paint::Drift,
            Verdict::Warning => Paint::Warning,
            Verdict::Inconclusive => Paint::Faint,
            Verdict::Stable => Paint::Stable,
        };
        let word = format!("{} {}", words.glyph, words.word.to_uppercase());
        let job = format!("{} ({})", story::visible(&explanation.job), story::visible(&explanation.environment));
        let kind = if explanation.is_prediction { "a prediction, not counted among the features" } else { "a feature" };
        let what = format!("{}  {} of {job}", story::visible(feature.name.as_str()), kind);
        let mut lines =
            vec![format!("{}  {}", paint.apply(&word, self.color), fit(&what, self.width.saturating_sub(columns_of(&word) + 2)))];
        let mut facts = vec![
            format!("window {}", story::window(&explanation.window)),
            format!(
                "{} rows ({} effective) against {} of the reference ({} effective)",
                format_count(feature.n_current),
                story::effective(feature.effective_current),
                format_count(feature.n_reference),
                story::effective(feature.effective_reference)
            ),
            format!("Why: {}.", story::visible(&feature.reason).trim_end_matches('.')),
        ];
        let change = story::tell(feature).sentence("→");
        if !change.is_empty() {
            facts.push(format!("What moved: {}.", change.trim_end_matches('.')));
        }
        facts.push(explanation.since.clone());
        lines.extend(facts.iter().flat_map(|fact| wrap(fact, self.width, "  ")));
        lines.extend(trend(explanation));
        lines
    }

    /// Both distributions over the same bins, or nothing where the cells are the picture.
    fn picture(&self, explanation: &Explanation) -> Vec<String> {
        let Some(histogram) = &explanation.feature.histogram else { return Vec::new() };
        let columns = histogram.reference.len();
        // Each bin as wide as fits, at most three columns; one each for what lies beyond the ends.
        let wide = (self.width.saturating_sub(16) / columns.max(1)).clamp(1, 3);
        let sides = [
            ("reference", &histogram.reference, histogram.below.reference, histogram.above.reference, Paint::Faint),
            ("window", &histogram.current, histogram.below.current, histogram.above.current, Paint::Warning),
        ];
        let highest =
            sides.iter().flat_map(|(_, bins, below, above, _)| bins.iter().chain([below, above])).fold(0.0, |a: f64, b| a.max(*b));
        let mut lines = Vec::new();
        for (name, bins, below, above, paint) in sides {
            for line in (0..HEIGHT).rev() {
                let label = if line == HEIGHT - 1 { name } else { "" };
                let draw = |fraction: f64| block(fraction, highest, line);
                let bars: String = bins.iter().flat_map(|fraction| std::iter::repeat_n(draw(*fraction), wide)).collect();
                let bars = format!("{} {bars} {}", draw(below), draw(above));
                lines.push(format!("{label:<10} {}", paint.apply(&bars, self.color)));
            }
        }
        lines.push(axis(histogram, columns * wide));
        lines
    }

    fn cells(&self, cells: &[CellShare]) -> Vec<String> {
        if cells.is_empty() {
            return Vec::new();
        }
        let names = cells.iter().map(|cell| columns_of(&story::visible(&cell.label))).max().unwrap_or(0).clamp(4, self.width / 4);
        let bar = (self.width.saturating_sub(names + 40) / 3).clamp(4, 24);
        let most = cells.iter().map(|cell| cell.reference_fraction.max(cell.current_fraction)).fold(0.0, f64::max);
        let title = format!("{:<names$}  {:<side$}  {:<side$}    SHARE OF PSI", "CELL", "REFERENCE", "WINDOW", side = bar + 9);
        let mut lines = vec![Paint::Faint.apply(&title, self.color)];
        for cell in cells {
            let label = cell_text(&story::visible(&cell.label), names, Align::Left);
            let side = |fraction: f64| format!("{:>7}  {}", format_percent(fraction), across(fraction, most, bar));
            let (mark, paint) = if cell.gained { ("▲", Paint::Warning) } else { (" ", Paint::Faint) };
            let window = paint.apply(&side(cell.current_fraction), self.color);
            let share = format!("{:>7}  {}", format_percent(cell.share), across(cell.share, 1.0, bar));
            lines.push(format!("{label}  {}  {window}  {mark} {share}", side(cell.reference_fraction)));
        }
        lines
    }

    fn summaries(&self, explanation: &Explanation) -> Vec<String> {
        let feature = &explanation.feature;
        let sides = [("reference", &feature.reference), ("window", &feature.current)];
        if sides.iter().all(|(_, side)| side.mean.is_none()) {
            return Vec::new();
        }
        let titles = ["MIN", "P05", "P25", "P50", "P75", "P95", "MAX", "MEAN", "STD", "MISSING"];
        let rows: Vec<(&str, Vec<String>)> = sides.iter().map(|(name, side)| (*name, numbers(side))).collect();
        let longest = rows.iter().flat_map(|(_, cells)| cells).map(|cell| columns_of(cell)).max().unwrap_or(0).max(7);
        let fitting = (self.width.saturating_sub(10) / (longest + 1)).clamp(3, titles.len());
        let mut lines = Vec::new();
        // Where they do not fit side by side they stand in two rows.
        for start in (0..titles.len()).step_by(fitting) {
            let row = |cells: Vec<&str>| -> String {
                cells
                    .into_iter()
                    .skip(start)
                    .take(fitting)
                    .map(|cell| format!(" {}", cell_text(cell, longest, Align::Right)))
                    .collect()
            };
            lines.push(Paint::Faint.apply(&format!("{:<10}{}", "", row(titles.to_vec())), self.color));
            lines.extend(rows.iter().map(|(name, cells)| format!("{name:<10}{}", row(cells.iter().map(String::as_str).collect()))));
        }
        lines
    }

    fn gap(&self, explanation: &Explanation) -> Vec<String> {
        let feature = &explanation.feature;
        let mut sentences = Vec::new();
        if let Some(ks) = &feature.ks {
            let gap = explanation.gap.as_ref().map_or_else(String::new, |gap| format!(" {}", gap_in_words(gap)));
            sentences.push(format!("KS D = {:.3} (p = {}).{gap}", ks.statistic, format_p_value(ks.p_effective)));
        }
        if let Some(psi) = &feature.psi {
            sentences.push(format!(
                "PSI = {:.3}, {:.3} beyond what chance gives (p = {}).",
                psi.value,
                psi.adjusted,
                format_p_value(psi.p_value)
            ));
        }
        if let Some(distance) = &feature.wasserstein {
            let scaled = distance.scaled.map_or_else(String::new, |scaled| format!(", {scaled:.2} standard deviations"));
            sentences.push(format!("Values moved by {} on average{scaled} (Wasserstein).", format_value(distance.value)));
        }
        sentences.iter().flat_map(|sentence| wrap(sentence, self.width, "")).collect()
    }

    fn concentration(&self, explanation: &Explanation) -> Vec<String> {
        let Some(gained) = explanation.gained.filter(|_| !explanation.concentration.is_empty()) else { return Vec::new() };
        let intro = format!(
            "Where the shift is: the cells that gained (▲) hold {} of the reference and {} of the window.",
            format_percent(gained.reference),
            format_percent(gained.current)
        );
        let mut lines = wrap(&intro, self.width, "");
        for dimension in &explanation.concentration {
            lines.push(String::new());
            lines.extend(self.dimension(dimension));
        }
        lines
    }

    fn dimension(&self, dimension: &Dimension) -> Vec<String> {
        let by = format!("By {} ({}): {}", dimension_word(dimension), story::visible(&dimension.column), dimension.conclusion);
        let mut lines = wrap(&by, self.width, "");
        if dimension.shown.is_empty() {
            return lines;
        }
        let names = dimension.shown.iter().map(|share| columns_of(&story::visible(&share.group))).max().unwrap_or(0);
        let names = names.clamp(5, (self.width / 4).max(5));
        let title = format!(
            "  {:<names$}  {:>8} {:>9}  {:<17}  {:>8}  {:>8}  {:>8}",
            "GROUP", "ROWS", "EFFECTIVE", "IN CELLS ▲ (95 %)", "OF ROWS", "OF SHIFT", "P"
        );
        lines.push(Paint::Faint.apply(title.trim_end(), self.color));
        for share in &dimension.shown {
            let line = group_line(share, names);
            lines.push(if share.stands_out { Paint::Drift.apply(&line, self.color) } else { line });
        }
        let more = dimension.groups.saturating_sub(dimension.shown.len());
        if more > 0 {
            lines.push(format!("  … and {} more, with a smaller part or too few rows", format_count(more as u64)));
        }
        lines
    }
}

pub(in crate::report) fn dimension_word(dimension: &Dimension) -> &'static str {
    use crate::report::explanation::By;
    match dimension.by {
        By::Class => "predicted class",
        By::Hour => "hour of the day",
        By::Cluster => "cluster",
    }
}

fn group_line(share: &GroupShare, names: usize) -> String {
    let mark = if share.stands_out { "▶" } else { " " };
    let name = cell_text(&story::visible(&share.group), names, Align::Left);
    let gained = in_cells(share);
    let shift = share.share_of_shift.map_or_else(|| "-".to_owned(), signed_percent);
    let p = share.p_value.map_or_else(|| "too few".to_owned(), format_p_value);
    format!(
        "{mark} {name}  {:>8} {:>9}  {gained:<17}  {:>8}  {shift:>8}  {p:>8}",
        format_count(share.rows),
        story::effective(share.effective_rows),
        format_percent(share.share_of_rows)
    )
}

/// `62 % (50 – 73 %)`.
pub(in crate::report) fn in_cells(share: &GroupShare) -> String {
    let whole = |fraction: f64| format!("{:.0}", fraction * 100.0);
    let interval = share.interval.map_or_else(String::new, |[low, high]| format!(" ({} – {} %)", whole(low), whole(high)));
    format!("{} %{interval}", whole(share.gained_fraction))
}

pub(in crate::report) fn signed_percent(fraction: f64) -> String {
    if fraction < 0.0 { format!("−{}", format_percent(-fraction)) } else { format_percent(fraction) }
}

pub(in crate::report) fn gap_in_words(gap: &GapSection) -> String {
    let (near, where_) = (if gap.is_exact { "at" } else { "near" }, if gap.is_below { "below it" } else { "at or below it" });
    format!(
        "The distributions are farthest apart {near} {}: {} of the reference and {} of the window lie {where_}.",
        format_value(gap.at),
        format_percent(gap.reference_fraction),
        format_percent(gap.current_fraction)
    )
}

/// Adjusted PSI, window by window, as one line; nothing where there is one window only.
fn trend(explanation: &Explanation) -> Option<String> {
    let points = &explanation.trend;
    if points.len() < 2 {
        return None;
    }
    let highest = points.iter().filter_map(|point| point.psi_adjusted).fold(0.0, f64::max);
    let bars: String = points.iter().map(|point| point.psi_adjusted.map_or('·', |psi| spark(psi, highest))).collect();
    let now = points.last().and_then(|point| point.psi_adjusted).map_or_else(|| "-".to_owned(), |psi| format!("{psi:.3}"));
    let words: String = points.iter().map(|point| story::feature_words(point.verdict).glyph).collect();
    Some(format!("  PSI over {} windows: {bars} {now}   verdicts: {words}", points.len()))
}

/// One character, never empty: there was a window.
fn spark(value: f64, highest: f64) -> char {
    let eighth = eighths(value, highest, 7) + 1;
    EIGHTHS.get(eighth).copied().unwrap_or('█')
}

/// `value` in parts of `highest`, rounded, at most `parts`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the number of parts")]
fn eighths(value: f64, highest: f64, parts: usize) -> usize {
    let share = if highest > 0.0 && value.is_finite() { (value / highest).clamp(0.0, 1.0) } else { 0.0 };
    (share * parts as f64).round() as usize
}

/// What a bar of this height shows in one of the lines, counted from below.
fn block(fraction: f64, highest: f64, line: usize) -> char {
    let height = eighths(fraction, highest, HEIGHT * 8);
    // What is there is seen.
    let height = if fraction > 0.0 { height.max(1) } else { 0 };
    EIGHTHS.get(height.saturating_sub(line * 8).min(8)).copied().unwrap_or(' ')
}

/// A bar from the left, exactly `width` columns.
fn across(fraction: f64, most: f64, width: usize) -> String {
    let length = eighths(fraction, most, width * 8);
    let length = if fraction > 0.0 { length.max(1) } else { 0 };
    (0..width).filter_map(|column| ACROSS.get(length.saturating_sub(column * 8).min(8))).collect()
}

/// The ends of the picture under its bars.
fn axis(histogram: &HistogramSection, width: usize) -> String {
    let ends = (histogram.edges.first().copied().unwrap_or(0.0), histogram.edges.last().copied().unwrap_or(0.0));
    let (left, right) = (format_value(ends.0), format_value(ends.1));
    let gap = width.saturating_sub(columns_of(&left) + columns_of(&right));
    let beyond =
        [(histogram.below.reference + histogram.below.current, "<"), (histogram.above.reference + histogram.above.current, ">")];
    let [below, above] = beyond.map(|(fraction, mark)| if fraction > 0.0 { mark } else { " " });
    format!("{:<10} {below} {left}{}{right} {above}", "", " ".repeat(gap))
}

fn numbers(side: &SummarySection) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), format_value);
    let quantile = |of: fn(&QuantilesSection) -> f64| shown(side.quantiles.as_ref().map(of));
    vec![
        shown(side.min),
        quantile(|q| q.p05),
        quantile(|q| q.p25),
        quantile(|q| q.p50),
        quantile(|q| q.p75),
        quantile(|q| q.p95),
        shown(side.max),
        shown(side.mean),
        shown(side.std),
        format_percent(side.missing_fraction),
    ]
}

fn cell_text(text: &str, width: usize, align: Align) -> String {
    let text = fit(text, width);
    let padding = " ".repeat(width.saturating_sub(columns_of(&text)));
    match align {
        Align::Left => text + &padding,
        Align::Right => padding + &text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_they_are_wide() {
        assert_eq!(across(0.5, 1.0, 4), "██  ");
        assert_eq!(across(1.0, 1.0, 4), "████");
        assert_eq!(across(0.0, 1.0, 4), "    ");
        assert_eq!(across(0.001, 1.0, 4), "▏   ", "what is there is seen");
        assert_eq!([block(1.0, 1.0, 3), block(0.5, 1.0, 1), block(0.5, 1.0, 2), block(0.0, 1.0, 0)], ['█', '█', ' ', ' ']);
        assert_eq!([spark(0.0, 1.0), spark(1.0, 1.0), spark(0.0, 0.0)], ['▁', '█', '▁']);
    }

    #[test]
    fn parts_are_rounded_and_never_more_than_all() {
        assert_eq!([eighths(0.25, 1.0, 4), eighths(0.625, 1.0, 4), eighths(0.6, 1.0, 4), eighths(3.0, 2.0, 4)], [1, 3, 2, 4]);
        assert_eq!([eighths(1.0, 2.0, 8), eighths(-1.0, 2.0, 8), eighths(1.0, 0.0, 8), eighths(f64::NAN, 1.0, 8)], [4, 0, 0, 0]);
        assert_eq!(eighths(f64::INFINITY, 1.0, 8), 0, "what is no number is nothing");
        assert_eq!([0.1, 0.2, 0.5, 0.9].map(|value| spark(value, 1.0)), ['▂', '▂', '▅', '▇']);
    }

    #[test]
    fn a_column_is_drawn_from_below_in_four_lines() {
        // 32 eighths for the highest: 0.4 of it are 13, a line and five eighths.
        assert_eq!([0, 1, 2, 3].map(|line| block(0.2, 0.5, line)), ['█', '▅', ' ', ' ']);
        assert_eq!([0, 1, 2, 3].map(|line| block(0.001, 1.0, line)), ['▁', ' ', ' ', ' '], "what is there is seen");
        assert_eq!([0, 1, 2, 3].map(|line| block(-0.5, 1.0, line)), [' '; 4]);
        assert_eq!(across(0.4, 1.0, 4), "█▋  ");
        assert_eq!(across(-0.4, 1.0, 2), "  ");
    }

    #[test]
    fn the_axis_tells_the_ends_and_whether_there_is_more_beyond() {
        let sides = |reference, current| crate::report::SidesSection { reference, current };
        let ends = |below, above| HistogramSection {
            edges: vec![1.5, 2.0, 20.0],
            reference: Vec::new(),
            current: Vec::new(),
            below,
            above,
        };
        let none = sides(0.0, 0.0);
        assert_eq!(axis(&ends(none, none), 9), "             1.5    20  ");
        assert_eq!(axis(&ends(sides(0.0, 0.1), sides(0.1, 0.0)), 9), "           < 1.5    20 >");
        assert_eq!(axis(&ends(sides(0.1, 0.0), sides(0.0, 0.1)), 6), "           < 1.5 20 >");
        assert_eq!(axis(&ends(sides(0.1, 0.1), none), 3), "           < 1.520  ", "no room is no gap");
    }

    #[test]
    fn parts_and_gaps_read_well() {
        assert_eq!([0.25, 0.0, -0.25].map(signed_percent), ["25 %", "0 %", "−25 %"]);
        let gap = |is_exact, is_below| {
            gap_in_words(&GapSection { at: 12.5, is_below, reference_fraction: 0.6, current_fraction: 0.25, is_exact })
        };
        let said = |near: &str, below: &str| {
            format!(
                "The distributions are farthest apart {near} 12.5: 60 % of the reference and 25 % of the window lie {below} it."
            )
        };
        assert_eq!(gap(true, true), said("at", "below"));
        assert_eq!(gap(false, false), said("near", "at or below"));
        assert_eq!(
            [cell_text("ab", 4, Align::Left), cell_text("ab", 4, Align::Right), cell_text("abcde", 4, Align::Left)],
            ["ab  ", "  ab", "abc…"]
        );
    }

    #[test]
    fn a_group_is_one_line() {
        let share = GroupShare {
            group: "night".to_owned(),
            rows: 1_234,
            effective_rows: 456.7,
            mean: None,
            gained_fraction: 0.62,
            interval: Some([0.5, 0.73]),
            share_of_rows: 0.25,
            share_of_shift: Some(-0.1),
            p_value: None,
            stands_out: true,
        };
        assert_eq!(in_cells(&share), "62 % (50 – 73 %)");
        assert_eq!(in_cells(&GroupShare { interval: None, ..share.clone() }), "62 %");
        assert_eq!(group_line(&share, 6), "▶ night      1,234       457  62 % (50 – 73 %)       25 %     −10 %   too few");
        let quiet = GroupShare { stands_out: false, share_of_shift: None, p_value: Some(0.04), ..share };
        assert_eq!(group_line(&quiet, 5), "  night     1,234       457  62 % (50 – 73 %)       25 %         -     0.040");
    }
}
