//! One feature over past runs: a line of blocks each for PSI and KS, with their scales, the verdicts under them, and the numbers.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::moment;
use super::table::{Medium, Table};
use crate::decision::Verdict;
use crate::feature::FeatureName;
use crate::report::story;

/// The course of a feature.
#[derive(Clone, Debug, Serialize)]
pub struct Course {
    pub schema_version: u32,
    pub job: String,
    pub environment: String,
    pub window_length_s: i64,
    pub feature: FeatureName,
    /// The adjusted PSI from which a significant change is drift.
    pub psi_drift: f64,
    /// The adjusted PSI from which a significant change is a warning.
    pub psi_warning: f64,
    /// The oldest first.
    pub points: Vec<Point>,
}

/// One window of it.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    pub window_end: DateTime<Utc>,
    pub verdict: Verdict,
    /// Null where it was not computed.
    pub psi_adjusted: Option<f64>,
    /// Null where it was not computed, or not kept yet.
    pub ks_statistic: Option<f64>,
}

/// From the lowest to the highest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Columns before the blocks.
const MARGIN: usize = 14;

impl Course {
    /// At most `width` columns of blocks: the newest windows.
    pub fn render(&self, length: &str, width: usize, medium: Medium) -> String {
        let most = width.saturating_sub(MARGIN).max(1);
        let shown = self.points.get(self.points.len().saturating_sub(most)..).unwrap_or_default();
        let name = story::visible(self.feature.as_str());
        let left_out = self.points.len() - shown.len();
        let older = if left_out > 0 { format!(" (the newest {} of {})", shown.len(), self.points.len()) } else { String::new() };
        let psi: Vec<Option<f64>> = shown.iter().map(|point| point.psi_adjusted).collect();
        let ks: Vec<Option<f64>> = shown.iter().map(|point| point.ks_statistic).collect();
        let psi_top = highest(&psi).max(self.psi_drift);
        let mut lines = vec![
            format!("{:<MARGIN$}{}", "PSI adjusted", blocks(&psi, psi_top)),
            format!("{:<MARGIN$}0 to {psi_top:.3}; drift from {} ({}) on", "", self.psi_drift, block(self.psi_drift, psi_top)),
        ];
        if ks.iter().any(Option::is_some) {
            let top = highest(&ks);
            lines.push(format!("{:<MARGIN$}{}", "KS statistic", blocks(&ks, top)));
            lines.push(format!("{:<MARGIN$}0 to {top:.3}", ""));
        }
        let glyphs: String = shown.iter().map(|point| story::feature_words(point.verdict).glyph).collect();
        lines.push(format!("{:<MARGIN$}{glyphs}", "verdict"));
        if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
            lines.push(format!("{:<MARGIN$}{} to {}", "", story::moment(first.window_end), moment(last.window_end)));
        }
        let picture = lines.iter().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
        let title = format!("{name} over windows of {length}, the oldest first{older}");
        match medium {
            Medium::Text => format!("{title}:\n{picture}\n{}", self.numbers().render(medium)),
            Medium::Markdown => {
                let title = crate::report::markdown::escape(&title);
                format!("## {title}\n\n```text\n{picture}```\n\n{}", self.numbers().render(medium))
            }
        }
    }

    fn numbers(&self) -> Table {
        let mut table = Table::new("By window", &["window to", "verdict", "PSI adjusted", "KS statistic"]);
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        for point in &self.points {
            let words = story::feature_words(point.verdict);
            let verdict = format!("{} {}", words.glyph, point.verdict);
            table.row([moment(point.window_end), verdict, number(point.psi_adjusted), number(point.ks_statistic)]);
        }
        table
    }
}

fn highest(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}

fn blocks(values: &[Option<f64>], top: f64) -> String {
    values.iter().map(|value| value.map_or('·', |value| block(value, top))).collect()
}

/// The block of a value in `[0, top]`: an eighth each.
fn block(value: f64, top: f64) -> char {
    let part = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
    let (last, rest) = (BLOCKS[7], &BLOCKS[..7]);
    rest.iter().zip(1_u32..).find(|(_, eighth)| part < f64::from(*eighth) / 8.0).map_or(last, |(block, _)| *block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(psi: &[Option<f64>]) -> Course {
        let points = psi.iter().zip(0..).map(|(psi_adjusted, day)| Point {
            window_end: DateTime::from_timestamp(1_769_817_600 + day * 86_400, 0).unwrap(),
            verdict: psi_adjusted.map_or(Verdict::Inconclusive, |psi| if psi < 0.1 { Verdict::Stable } else { Verdict::Drift }),
            psi_adjusted: *psi_adjusted,
            ks_statistic: psi_adjusted.map(|psi| psi / 2.0),
        });
        Course {
            schema_version: 1,
            job: "j".to_owned(),
            environment: "e".to_owned(),
            window_length_s: 86_400,
            feature: "sphericity".into(),
            psi_drift: 0.1,
            psi_warning: 0.05,
            points: points.collect(),
        }
    }

    #[test]
    fn a_course_is_drawn_between_zero_and_its_highest_value_with_the_threshold_on_the_scale() {
        let text = course(&[Some(0.0), Some(0.05), None, Some(0.2), Some(0.4)]).render("24h", 100, Medium::Text);
        assert!(text.starts_with("sphericity over windows of 24h, the oldest first:\nPSI adjusted  ▁▂·▅█\n"), "{text}");
        assert!(text.contains("0 to 0.400; drift from 0.1 (▃) on\nKS statistic  ▁▂·▅█\n              0 to 0.200\n"), "{text}");
        assert!(text.contains("2026-01-31 00:00 to 2026-02-04 00:00 UTC"), "{text}");
        assert!(text.contains("verdict       ✓✓?◆◆\n"), "{text}");
    }

    #[test]
    fn a_narrow_terminal_shows_the_newest_windows_and_says_so() {
        let text = course(&[Some(0.0), Some(0.01), Some(0.02), Some(0.05)]).render("24h", MARGIN + 2, Medium::Text);
        assert!(text.contains("(the newest 2 of 4)") && text.contains("PSI adjusted  ▂▅\n"), "{text}");
        assert_eq!(course(&[]).render("24h", 0, Medium::Text).lines().count(), 6);
    }

    #[test]
    fn a_block_is_an_eighth_of_the_highest_value() {
        let drawn = [0.0, 0.124, 0.125, 0.25, 0.5, 0.874, 0.875, 1.0, 9.0, -1.0].map(|value| block(value, 1.0));
        assert_eq!(drawn, ['▁', '▁', '▂', '▃', '▅', '▇', '█', '█', '█', '▁']);
        assert_eq!([block(1.0, 4.0), block(3.0, 4.0), block(1.0, 0.0), block(0.0, 0.0)], ['▃', '▇', '▁', '▁']);
        let top = highest(&[Some(0.25), None, Some(0.5), Some(f64::INFINITY), Some(f64::NAN)]);
        assert!((top - 0.5).abs() < 1e-12 && highest(&[None]).abs() < 1e-12, "{top}");
    }

    #[test]
    fn a_course_in_markdown_has_its_numbers_as_a_table() {
        let mut course = course(&[Some(0.05), None]);
        course.points.iter_mut().for_each(|point| point.ks_statistic = None);
        let expected = "## sphericity over windows of 24h, the oldest first\n\n```text\n\
            PSI adjusted  ▅·\n              0 to 0.100; drift from 0.1 (█) on\nverdict       ✓?\n              \
            2026-01-31 00:00 to 2026-02-01 00:00 UTC\n```\n\n### By window\n\n\
            | window to | verdict | PSI adjusted | KS statistic |\n| --- | --- | --- | --- |\n\
            | 2026-01-31 00:00 UTC | ✓ stable | 0.050 | - |\n| 2026-02-01 00:00 UTC | ? inconclusive | - | - |\n";
        assert_eq!(course.render("24h", 100, Medium::Markdown), expected);
        let exactly = super::tests::course(&[Some(0.0); 3]).render("24h", MARGIN + 3, Medium::Text);
        assert!(exactly.starts_with("sphericity over windows of 24h, the oldest first:\n"), "{exactly}");
    }
}
