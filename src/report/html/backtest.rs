//! The backtest as one self-contained page: pictures of the share over time and of other thresholds, and the tables.

use askama::Template;

use super::scale::{Scale, Tick, WIDTH, short};
use crate::report::backtest::curve::{Curve, CurvePoint};
use crate::report::backtest::table::{self, Table};
use crate::report::backtest::{Backtest, WindowSection};
use crate::report::story::{moment, visible};
use crate::report::{format_percent, format_value};

/// The height of a drawing area in its own units.
const HEIGHT: f64 = 200.0;

/// The page.
#[derive(Template)]
#[template(path = "backtest.html")]
struct Page {
    title: String,
    conclusion: String,
    facts: Vec<String>,
    share: Option<ShareView>,
    curves: Vec<CurveView>,
    tables: Vec<TableView>,
    notes: Vec<String>,
    version: String,
}

/// The share of drifted features, window by window.
struct ShareView {
    line: String,
    /// Stretches in which a drift is known: start and width.
    known: Vec<(String, String)>,
    /// Windows in which data-drift fired.
    fired: Vec<(String, String)>,
    threshold_y: String,
    threshold_top: String,
    threshold: String,
    first: String,
    last: String,
    description: String,
}

/// What other thresholds would have done.
struct CurveView {
    key: &'static str,
    /// The rate of false alarms, its upper bound, and the share of drifted windows that were found.
    clean: String,
    upper: String,
    drifted: String,
    current: String,
    current_left: String,
    current_label: String,
    ticks: Vec<Tick>,
    description: String,
}

struct TableView {
    id: usize,
    title: &'static str,
    hint: String,
    columns: Vec<table::Column>,
    rows: Vec<Vec<CellView>>,
}

struct CellView {
    text: String,
    is_number: bool,
}

/// The page. Deterministic: the same backtest gives the same bytes.
pub fn render(backtest: &Backtest) -> String {
    let setting = &backtest.setting;
    let conclusion = visible(&table::conclusion(backtest));
    let page = Page {
        title: format!("Backtest: {} ({})", visible(&setting.job), visible(&setting.environment)),
        facts: table::facts(backtest).iter().map(|fact| visible(fact)).collect(),
        share: ShareView::new(backtest),
        curves: backtest.curves.iter().filter_map(CurveView::new).collect(),
        tables: table::tables(backtest).into_iter().enumerate().map(TableView::new).collect(),
        notes: table::notes(backtest).iter().map(|note| visible(note)).collect(),
        version: setting.version.clone(),
        conclusion: conclusion.clone(),
    };
    page.render().unwrap_or_else(|error| {
        let conclusion = conclusion.replace(['<', '>', '&'], " ");
        format!("<!doctype html><title>drift-check</title><p>{conclusion}</p><p>The page could not be rendered: {error}</p>\n")
    })
}

impl TableView {
    fn new((id, table): (usize, Table)) -> Self {
        let Table { title, hint, columns, rows } = table;
        let row = |cells: Vec<String>| {
            let cell = |(text, column): (String, &table::Column)| CellView { text: visible(&text), is_number: column.is_number };
            cells.into_iter().zip(&columns).map(cell).collect()
        };
        let rows = rows.into_iter().map(row).collect();
        Self { id, title, hint, columns, rows }
    }
}

/// Points as the path of an SVG; a gap where there is none.
fn path(points: impl Iterator<Item = Option<(f64, f64)>>) -> String {
    let (mut path, mut is_drawing) = (String::new(), false);
    for point in points {
        if let Some((x, y)) = point {
            path.push_str(&format!("{}{} {}", if is_drawing { 'L' } else { 'M' }, short(x), short(y)));
        }
        is_drawing = point.is_some();
    }
    path
}

fn height(fraction: f64) -> f64 {
    HEIGHT - fraction.clamp(0.0, 1.0) * HEIGHT
}

fn percent_of_height(y: f64) -> String {
    short(y / HEIGHT * 100.0)
}

impl ShareView {
    /// `None` with fewer than two windows, which make no line.
    fn new(backtest: &Backtest) -> Option<Self> {
        let (first, last) = (backtest.windows.first()?, backtest.windows.last()?);
        let seconds = |window: &WindowSection| window.end.timestamp() as f64;
        let scale = Scale::new(seconds(first), seconds(last), 0.0, WIDTH).filter(|_| first.end < last.end)?;
        let x = |window: &WindowSection| scale.at(seconds(window));
        let decided = |window: &WindowSection| {
            let decision = window.decision.as_ref().filter(|_| window.rows > 0)?;
            Some((x(window), height(decision.share)))
        };
        let is_fired =
            |window: &&WindowSection| window.decision.as_ref().is_some_and(|decision| decision.share > decision.threshold);
        let half = backtest.setting.every_s as f64 / (seconds(last) - seconds(first)) * WIDTH / 2.0;
        let mut known: Vec<(f64, f64)> = Vec::new();
        for window in backtest.windows.iter().filter(|window| window.known_drift) {
            let (start, end) = ((x(window) - half).max(0.0), (x(window) + half).min(WIDTH));
            match known.last_mut() {
                Some((_, known_end)) if start <= *known_end + 0.01 => *known_end = end,
                _ => known.push((start, end)),
            }
        }
        let fired = backtest.windows.iter().filter(is_fired).filter_map(decided);
        let share = backtest.setting.share;
        Some(Self {
            line: path(backtest.windows.iter().map(decided)),
            known: known.into_iter().map(|(start, end)| (short(start), short(end - start))).collect(),
            fired: fired.map(|(x, y)| (short(x / WIDTH * 100.0), percent_of_height(y))).collect(),
            threshold_y: short(height(share)),
            threshold_top: percent_of_height(height(share)),
            threshold: format_percent(share),
            first: moment(first.end),
            last: moment(last.end),
            description: format!(
                "Share of drifted and broken features in {} windows; {} of them above {}.",
                backtest.windows.len(),
                backtest.windows.iter().filter(is_fired).count(),
                format_percent(share)
            ),
        })
    }
}

impl CurveView {
    /// `None` where there is nothing to draw.
    fn new(curve: &Curve) -> Option<Self> {
        // PSI spans two powers of ten.
        let is_log = curve.key == "policy.psi_drift";
        let at = |threshold: f64| if is_log { threshold.ln() } else { threshold };
        let (first, last) = (curve.points.first()?, curve.points.last()?);
        let scale = Scale::new(at(first.threshold), at(last.threshold), 0.0, WIDTH).filter(|_| first.all.windows > 0)?;
        let x = |point: &CurvePoint| scale.at(at(point.threshold));
        let line = |of: &dyn Fn(&CurvePoint) -> Option<f64>| {
            path(curve.points.iter().map(|point| of(point).map(|fraction| (x(point), height(fraction)))))
        };
        let found =
            |point: &CurvePoint| (point.drifted.windows > 0).then(|| point.drifted.fired as f64 / point.drifted.windows as f64);
        let labels: &[f64] = if is_log { &[0.01, 0.03, 0.1, 0.3, 1.0] } else { &[0.0, 0.25, 0.5, 0.75] };
        let tick = |label: &f64| Tick { at: short(scale.at(at(*label)) / WIDTH * 100.0), label: format_value(*label) };
        let current = scale.at(at(curve.current));
        Some(Self {
            key: curve.key,
            clean: line(&|point| point.clean.rate),
            upper: line(&|point| point.clean.upper),
            drifted: line(&found),
            current: short(current),
            current_left: short(current / WIDTH * 100.0),
            current_label: format_value(curve.current),
            ticks: labels.iter().filter(|label| scale.holds(at(**label))).map(tick).collect(),
            description: format!("The rate of false alarms by {}; it is set to {}.", curve.key, format_value(curve.current)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_gap_where_there_is_no_point() {
        let points = [None, Some((0.0, 1.0)), Some((2.5, 3.0)), None, Some((10.04, 5.0))];
        assert_eq!(path(points.into_iter()), "M0 1L2.5 3M10 5");
        assert_eq!([0.0, 0.25, 1.0, 7.0].map(|fraction| short(height(fraction))), ["200", "150", "0", "0"]);
        assert_eq!([0.0, 50.0, 200.0].map(percent_of_height), ["0", "25", "100"]);
    }
}
