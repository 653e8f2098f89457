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
