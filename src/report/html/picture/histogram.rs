//! Two step histograms over shared bins, with what lies beyond the outer edges as bars of their own.

use crate::report::html::scale::{Scale, Tick, WIDTH, percent, round_step, short};
use crate::report::{FeatureReport, HistogramSection, SummarySection, format_percent, format_value};

/// The height of the drawing area in its own units.
const HEIGHT: f64 = 200.0;

/// The width of a bar for the values beyond an edge, and the gap that sets it apart.
const BEYOND_WIDTH: f64 = 46.0;
const BEYOND_GAP: f64 = 16.0;

/// A bin this many times as high as the next one is cut off, or it would flatten all others; its heights are then written out.
const SPIKE: f64 = 4.0;

/// Both sides, as paths in a drawing area of 1000 × 200.
pub struct Histogram {
    pub reference: String,
    pub current: String,
    /// Positions in drawing units.
    pub reference_median: Option<String>,
    pub current_median: Option<String>,
    pub ticks: Vec<Tick>,
    /// Labels under the bars for values beyond the outer edges; empty where there is no such bar.
    pub below_label: String,
    pub above_label: String,
    pub grid: Option<Grid>,
    pub spike: Option<Spike>,
}

/// One horizontal line at a round fraction.
pub struct Grid {
    pub y: String,
    /// In percent of the height, from the top.
    pub top: String,
    pub label: String,
}

/// A bin that is cut off at the top.
pub struct Spike {
    pub from: String,
    pub to: String,
    /// In percent of the width.
    pub at: String,
    pub label: String,
    /// Whether its label goes to the left of it, because there is no room on the right.
    pub left: bool,
}

/// One column: from x to x, with both fractions.
struct Column {
    from: f64,
    to: f64,
    reference: f64,
    current: f64,
}

impl Histogram {
    /// `None` where the bins make no sense: no bin, an edge that is not finite, or nothing in any of them.
    pub fn new(feature: &FeatureReport, section: &HistogramSection) -> Option<Self> {
        let (low, high) = (*section.edges.first()?, *section.edges.last()?);
        let below = section.below.reference > 0.0 || section.below.current > 0.0;
        let above = section.above.reference > 0.0 || section.above.current > 0.0;
        let margin = BEYOND_WIDTH + BEYOND_GAP;
        let (from, to) = (if below { margin } else { 0.0 }, if above { WIDTH - margin } else { WIDTH });
        let scale = Scale::new(low, high, from, to).filter(|_| low < high)?;
        let bins = columns(section, &scale);
        let mut groups = vec![bins];
        let (mut below_label, mut above_label) = (String::new(), String::new());
        if below {
            groups.insert(0, vec![column(0.0, BEYOND_WIDTH, section.below.reference, section.below.current)]);
            below_label = format!("< {}", format_value(low));
        }
        if above {
            groups.push(vec![column(WIDTH - BEYOND_WIDTH, WIDTH, section.above.reference, section.above.current)]);
            above_label = format!("> {}", format_value(high));
        }
        let (top, spike) = height(&groups)?;
        let y = |fraction: f64| HEIGHT - (fraction / top).min(1.0) * HEIGHT;
        Some(Self {
            reference: path(&groups, |column| y(column.reference)),
            current: path(&groups, |column| y(column.current)),
            reference_median: median(&feature.reference, &scale),
            current_median: median(&feature.current, &scale),
            ticks: scale.ticks(),
            below_label,
            above_label,
            grid: grid(top, y),
            spike,
        })
    }
}

fn column(from: f64, to: f64, reference: f64, current: f64) -> Column {
    let drawable = |fraction: f64| if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    Column { from, to, reference: drawable(reference), current: drawable(current) }
}

fn columns(section: &HistogramSection, scale: &Scale) -> Vec<Column> {
    let ends = section.edges.iter().zip(section.edges.iter().skip(1));
    ends.zip(section.reference.iter().zip(&section.current))
        .map(|((from, to), (reference, current))| column(scale.at(*from), scale.at(*to), *reference, *current))
        .collect()
}

/// The fraction that the full height stands for, and the one bin that is higher, if one stands out.
fn height(groups: &[Vec<Column>]) -> Option<(f64, Option<Spike>)> {
    let mut columns: Vec<&Column> = groups.iter().flatten().collect();
    let peak = |column: &Column| column.reference.max(column.current);
    columns.sort_by(|a, b| peak(b).total_cmp(&peak(a)));
    let highest = *columns.first()?;
    let next = columns.get(1).map_or(0.0, |column| peak(column));
    if peak(highest) <= 0.0 {
        return None;
    }
    if next <= 0.0 || peak(highest) < SPIKE * next {
        return Some((peak(highest) * 1.06, None));
    }
    let label = format!("{} → {}", format_percent(highest.reference), format_percent(highest.current));
    let left = highest.to > WIDTH * 0.6;
    let at = percent(if left { highest.from } else { highest.to });
    let spike = Spike { from: short(highest.from - 4.0), to: short(highest.to + 4.0), at, label, left };
    Some((next * 1.7, Some(spike)))
}

/// One closed outline per group: up, along the steps, and down to the base line.
fn path(groups: &[Vec<Column>], y: impl Fn(&Column) -> f64) -> String {
    let mut path = String::new();
    for group in groups {
        let Some(first) = group.first() else { continue };
        path.push_str(&format!("M{} {}", short(first.from), short(HEIGHT)));
        for column in group {
            path.push_str(&format!("V{}H{}", short(y(column)), short(column.to)));
        }
        path.push_str(&format!("V{}Z", short(HEIGHT)));
    }
    path
}

/// The median's position; none where it lies beyond the outer edges.
fn median(side: &SummarySection, scale: &Scale) -> Option<String> {
    let median = side.quantiles.as_ref()?.p50;
    scale.holds(median).then(|| short(scale.at(median)))
}

fn grid(top: f64, y: impl Fn(f64) -> f64) -> Option<Grid> {
    let step = round_step(top / 2.0);
    let at = [step, step / 2.0].into_iter().find(|at| *at <= top * 0.9)?;
    let position = y(at);
    Some(Grid { y: short(position), top: short(position / HEIGHT * 100.0), label: format_percent(at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns_of(peaks: &[(f64, f64)]) -> Vec<Vec<Column>> {
        let width = WIDTH / peaks.len() as f64;
        vec![
            peaks
                .iter()
                .zip(0_u32..)
                .map(|((a, b), at)| column(width * f64::from(at), width * f64::from(at + 1), *a, *b))
                .collect(),
        ]
    }

    #[test]
    fn a_bin_stands_out_from_four_times_the_next_on() {
        let top =
            |peaks: &[(f64, f64)]| height(&columns_of(peaks)).map(|(top, spike)| ((top * 1e6).round() / 1e6, spike.is_some()));
        assert_eq!(top(&[(0.5, 0.25), (0.125, 0.0), (0.0, 0.1)]), Some((0.2125, true)));
        assert_eq!(top(&[(0.49, 0.25), (0.125, 0.0)]), Some((0.5194, false)));
        assert_eq!(top(&[(0.2, 0.4), (0.25, 0.1)]), Some((0.424, false)));
        assert_eq!(top(&[(0.0, 0.5), (0.0, 0.0)]), Some((0.53, false)), "there is nothing to flatten");
        assert_eq!([top(&[(0.0, 0.0)]), top(&[(-1.0, f64::NAN)]), height(&[]).map(|_| (0.0, true))], [None, None, None]);
    }

    #[test]
    fn the_label_of_a_spike_stands_where_there_is_room() {
        let spike = |at: usize| {
            let mut peaks = [(0.1, 0.1); 5];
            peaks[at] = (0.5, 0.6);
            let spike = height(&columns_of(&peaks)).unwrap().1.unwrap();
            (spike.from, spike.to, spike.at, spike.label, spike.left)
        };
        let expected =
            |from: &str, to: &str, at: &str, left| (from.to_owned(), to.to_owned(), at.to_owned(), "50 % → 60 %".to_owned(), left);
        assert_eq!(spike(1), expected("196", "404", "40", false));
        assert_eq!(spike(2), expected("396", "604", "60", false), "exactly at the limit");
        assert_eq!(spike(3), expected("596", "804", "60", true));
    }

    #[test]
    fn a_line_stands_at_a_round_fraction_near_the_middle() {
        let at = |top: f64| grid(top, |fraction| HEIGHT - fraction / top * HEIGHT).map(|line| (line.y, line.top, line.label));
        let expected = |y: &str, top: &str, label: &str| Some((y.to_owned(), top.to_owned(), label.to_owned()));
        // Half of 0.4 is 0.2; half of 0.204 is 0.102, of which the next round number is too high.
        assert_eq!(at(0.4), expected("100", "50", "20 %"));
        assert_eq!(at(0.204), expected("102", "51", "10 %"));
        assert_eq!(at(1.06), expected("105.7", "52.8", "50 %"));
    }

    #[test]
    fn a_median_outside_the_bins_is_not_drawn() {
        let scale = Scale::new(0.0, 10.0, 100.0, 300.0).unwrap();
        let mut side = crate::report::tests::feature("f", crate::decision::Verdict::Stable).reference;
        assert_eq!(median(&side, &scale), None);
        let mut of = |p50: f64| {
            side.quantiles =
                Some(crate::report::QuantilesSection { p01: 0.0, p05: 0.0, p25: 0.0, p50, p75: 0.0, p95: 0.0, p99: 0.0 });
            median(&side, &scale)
        };
        assert_eq!([of(2.5), of(10.0), of(10.1), of(-0.1)], [Some("150".to_owned()), Some("300".to_owned()), None, None]);
    }
}
