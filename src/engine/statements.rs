//! What is asked of a database so that its answers are the counts of a scan.
//!
//! Every statement is plain SQL over [`LOGS`]: one `SELECT` for each feature, joined by `UNION ALL`. The cell of a value is found by a binary
//! search that is unrolled, in lists that stand in [`LISTS`], a table of one row, so that the text of a statement does not grow with the
//! reference. All numbers of a feature stand there: a database that compiles what it is asked then compiles the same for every feature, once.
//! Sums that could leave 64 bits are taken in parts.

use super::columns::{Moment, Shape, Source};
use super::dialect::Dialect;
use super::{EngineError, Scan};
use crate::ingest::timestamp::{EARLIEST_US, LATEST_US, NaiveTimestamps};
use crate::profile::grid::Grid;
use crate::profile::moments::Scale;

/// The rows of the logs, in the window or not.
pub const LOGS: &str = "drift_check_logs";
/// The lists of [`Database::put`](super::Database::put): columns `l0`, `l1`, ….
pub const LISTS: &str = "drift_check_lists";

/// Bits of the parts that a place or a distance is summed in: 2^39 rows of one cell fit.
pub const PART_BITS: u32 = 24;
/// Bits of the parts that steps are summed in: their products leave room for 2^31 rows.
pub const STEP_BITS: u32 = 16;
/// A sum of ranks, of their squares or of products of parts of steps is sure to fit where it has no more rows than this.
pub const MOST_ROWS: u64 = 1 << 31;
/// Of a distance, what its bucket does not tell.
pub const REST_BITS: u32 = 48;

/// The upper end of an interval.
const PLACES: f64 = 4_294_967_296.0;
const SMALLEST_NORMAL: f64 = f64::MIN_POSITIVE;
const SMALLEST: f64 = 5e-324;
const MANTISSAS: f64 = 4_503_599_627_370_496.0;

/// A numeric feature in a statement.
#[derive(Clone, Copy, Debug)]
pub struct Numeric {
    /// Its position among the columns of the request; the first value of its rows in an answer, as text.
    pub position: usize,
    /// Where its lists begin in [`LISTS`]: its knots, filled up with infinity, the ranks, and its [`numbers`].
    pub first_list: usize,
}

/// Lists of a feature.
pub const LISTS_OF_A_FEATURE: usize = 3;

/// What statements need to know of a feature's grid, in the order that they look it up in.
pub fn numbers(grid: &Grid) -> Vec<f64> {
    let scale = grid.scale();
    vec![scale.center(), scale.per_step(), grid.knots().len() as f64]
}

/// The features of a statement, all searched in lists of `2^depth − 1` knots.
#[derive(Clone, Debug)]
pub struct Features {
    pub of: Vec<Numeric>,
    pub depth: u32,
}

/// How a scan reads a table.
#[derive(Debug)]
pub struct Reading<'a> {
    dialect: Dialect,
    scan: &'a Scan,
    moment: Option<(String, Moment)>,
    /// Whether every row is to be rejected, because its moment could be any.
    pub is_naive_rejected: bool,
    cluster: Option<Label>,
    /// One for each column of the request.
    pub sources: Vec<Source>,
}

/// A column of labels.
#[derive(Clone, Debug)]
struct Label {
    column: String,
    is_number: bool,
}

impl Label {
    /// As text and as a double, one of which is null.
    fn pair(&self, dialect: Dialect) -> [String; 2] {
        let [no_text, no_number, _] = dialect.nulls();
        if self.is_number {
            [no_text.to_owned(), dialect.as_double(&self.column)]
        } else {
            [dialect.as_text(&self.column), no_number.to_owned()]
        }
    }
}

impl<'a> Reading<'a> {
    /// Decides how each column is read.
    ///
    /// # Errors
    /// When the table has no moments where the scan asks for some.
    pub fn new(dialect: Dialect, columns: &[(String, Shape)], scan: &'a Scan) -> Result<Self, EngineError> {
        let shape = |name: &str| columns.iter().find(|(known, _)| known == name).map(|(_, shape)| shape);
        let source = |name: &str, kind| Source::of(shape(name), kind);
        let request = &scan.request;
        let moment = match &request.timestamp {
            None => None,
            Some(column) => Some((dialect.name(&column.name), moment(&column.name, shape(&column.name), columns)?)),
        };
        let is_rejected = request.timestamp.as_ref().is_some_and(|column| column.naive == NaiveTimestamps::Reject);
        let cluster = request.cluster.as_ref().and_then(|name| match source(name, crate::feature::FeatureKind::Categorical) {
            Source::Labels { is_number } => Some(Label { column: dialect.name(name), is_number }),
            Source::Absent | Source::WrongType | Source::NullsOrWrongType | Source::Numbers => None,
        });
        let sources = request.columns.iter().map(|(name, kind)| source(name.as_str(), *kind)).collect();
        let is_naive_rejected = is_rejected && moment.as_ref().is_some_and(|(_, moment)| *moment == Moment::Naive);
        Ok(Self { dialect, scan, moment, is_naive_rejected, cluster, sources })
    }

    pub fn has_clusters(&self) -> bool {
        self.cluster.is_some()
    }

    pub fn has_moments(&self) -> bool {
        self.moment.is_some()
    }

    fn column(&self, position: usize) -> String {
        self.scan.request.columns.get(position).map(|(name, _)| self.dialect.name(name.as_str())).unwrap_or_default()
    }

    /// Which rows are in the window.
    fn window(&self) -> String {
        let Some((column, moment)) = &self.moment else { return "TRUE".to_owned() };
        if self.is_naive_rejected {
            return "FALSE".to_owned();
        }
        let (start_us, end_us) = self
            .scan
            .request
            .window
            .map_or((EARLIEST_US, LATEST_US), |window| (window.start.timestamp_micros(), window.end.timestamp_micros()));
        self.dialect.is_between(column, *moment, start_us, end_us)
    }

    /// The moment of a row in microseconds; null where rows have none.
    fn micros(&self) -> String {
        let none = || self.dialect.nulls()[2].to_owned();
        self.moment.as_ref().map_or_else(none, |(column, moment)| self.dialect.micros(column, *moment))
    }

    /// Rows of the window; the oldest and newest moment; and of each of these columns how many values are not null.
    pub fn rows(&self, columns: &[usize]) -> String {
        let micros = self.micros();
        let counts: String = columns.iter().map(|position| format!(", count({})", self.column(*position))).collect();
        format!("SELECT count(*), min({micros}), max({micros}){counts} FROM {LOGS} WHERE {}", self.window())
    }

    /// The newest moment before the end of the window, in the window or not.
    pub fn newest(&self) -> Option<String> {
        let (column, moment) = self.moment.as_ref().filter(|_| !self.is_naive_rejected)?;
        let end_us = self.scan.request.window.map_or(LATEST_US, |window| window.end.timestamp_micros());
        let before = self.dialect.is_between(column, *moment, EARLIEST_US, end_us);
        Some(format!("SELECT max({}) FROM {LOGS} WHERE {before}", self.micros()))
    }

    /// Rows without a moment, and rows whose moment is none that a log can have.
    pub fn rejected(&self) -> Option<String> {
        let (column, moment) = self.moment.as_ref()?;
        let possible = self.dialect.is_between(column, *moment, EARLIEST_US, LATEST_US);
        let is_missing = format!("{column} IS NULL");
        let [missing, impossible] = [&is_missing, &format!("NOT {possible}")].map(|condition| self.dialect.count_if(condition));
        let which = if self.is_naive_rejected { "TRUE".to_owned() } else { format!("{is_missing} OR NOT {possible}") };
        Some(format!("SELECT {missing}, {impossible}, count(*) FROM {LOGS} WHERE {which}"))
    }

    /// What rows are grouped by to see how they depend on each other: the label of a cluster as text and as a number, and the hour.
    fn groups(&self) -> [String; 3] {
        let [no_text, no_number, no_hour] = self.dialect.nulls().map(str::to_owned);
        match (&self.cluster, &self.moment) {
            (Some(cluster), _) => {
                let [text, number] = cluster.pair(self.dialect);
                [text, number, no_hour]
            }
            (None, Some(_)) => [no_text, no_number, self.dialect.hour(&self.micros())],
            (None, None) => [no_text, no_number, no_hour],
        }
    }

    /// The clusters of the window, with their rows: label as text, label as number, rows.
    pub fn clusters(&self) -> Option<String> {
        let cluster = self.cluster.as_ref()?;
        let [text, number] = cluster.pair(self.dialect);
        let rows =
            format!("SELECT {text} AS gt, {number} AS gn FROM {LOGS} WHERE {} AND {} IS NOT NULL", self.window(), cluster.column);
        Some(format!("SELECT gt, gn, count(*) FROM ({rows}) GROUP BY gt, gn"))
    }

    /// The finite values of a numeric column.
    fn values(&self, position: usize, more: &str) -> String {
        let value = self.dialect.as_double(&self.column(position));
        let (window, finite) = (self.window(), self.dialect.is_finite(&value));
        format!("SELECT {value} AS x{more} FROM {LOGS} WHERE {window} AND {finite}")
    }

    /// Finds how many knots lie below each value: branchless, over knots that are one less than a power of two. `carried` goes along.
    fn search(&self, values: &str, depth: u32, carried: &str) -> String {
        let mut found = format!("SELECT x, 0 AS b{carried} FROM ({values})");
        for depth in (0..depth).rev() {
            let step = 1_usize << depth;
            let knot = self.dialect.element("knots", &format!("b + {}", step - 1));
            found = format!("SELECT x, b + CASE WHEN {knot} < x THEN {step} ELSE 0 END AS b{carried} FROM ({found})");
        }
        found
    }

    /// Of each feature and part of the scan: feature, rows, rows that are not null, NaN, infinite; the least and the largest finite value, and how
    /// many values are far away; then the sums of `a`, `b`, `c` of the others in steps, `a·2^32 + b·2^16 + c`, and of `aa`, `ab`, `ac`, `bb`,
    /// `bc`, `cc`.
    pub fn moments(&self, features: &Features) -> String {
        let sql = self.dialect;
        union(features.of.iter().map(|feature| {
            let (x, part) = (sql.as_double(&self.column(feature.position)), sql.part());
            let steps = self.steps("v");
            let is_far = format!("abs({steps}) >= {}", sql.double(Scale::FAR));
            let in_steps = sql.as_integer(&sql.round(&steps));
            let [high, low] = [sql.without_low_bits("s", 2 * STEP_BITS), sql.low_bits("s", STEP_BITS)];
            let middle = sql.low_bits(&sql.without_low_bits("s", STEP_BITS), STEP_BITS);
            let numbers = feature.list(2);
            let rows = format!("SELECT {x} AS x, {numbers} AS numbers, {part} AS part FROM {LOGS} WHERE {}", self.window());
            let finite = format!("SELECT x, numbers, part, CASE WHEN {} THEN x END AS v FROM ({rows})", sql.is_finite("x"));
            let far = format!("SELECT x, numbers, part, v, {is_far} AS is_far FROM ({finite})");
            let near = format!("SELECT x, part, v, is_far, CASE WHEN is_far THEN NULL ELSE {in_steps} END AS s FROM ({far})");
            let parts = format!("SELECT x, part, v, is_far, {high} AS a, {middle} AS b, {low} AS c FROM ({near})");
            let infinite = format!("abs(x) = {}", sql.double(f64::INFINITY));
            let [nan, infinite, far] = [sql.is_nan("x"), infinite, "is_far".to_owned()].map(|condition| sql.count_if(&condition));
            let sums =
                ["a", "b", "c", "a * a", "a * b", "a * c", "b * b", "b * c", "c * c"].map(|product| format!("sum({product})"));
            format!(
                "SELECT '{}', count(*), count(x), {nan}, {infinite}, min(v), max(v), {far}, {} FROM ({parts}) GROUP BY part",
                feature.position,
                sums.join(", ")
            )
        }))
    }

    /// A value in steps of the scale that its `numbers` tell.
    fn steps(&self, value: &str) -> String {
        let [center, per_step] = ["0", "1"].map(|position| self.dialect.element("numbers", position));
        format!("(({value} - {center}) * {per_step})")
    }

    /// The values of a feature that are far away, each with how often it occurs; at most so many of them.
    pub fn far(&self, feature: &Numeric, most: usize) -> String {
        let is_far = format!("abs({}) >= {}", self.steps("x"), self.dialect.double(Scale::FAR));
        let values = self.values(feature.position, &format!(", {} AS numbers", feature.list(2)));
        format!("SELECT x, count(*) FROM ({values}) WHERE {is_far} GROUP BY x LIMIT {most}")
    }

    /// Of each feature and occupied cell: feature, knots below, whether the values equal the next knot; the bucket of their distance where they lie
    /// beyond an end of the grid; how many they are; and in two parts the sum of their places in the interval, or of what their buckets do not tell.
    pub fn cells(&self, features: &Features) -> String {
        let sql = self.dialect;
        let [left, right] = ["b - 1", "b"].map(|position| sql.element("knots", position));
        let number_of_knots = sql.element("numbers", "2");
        let [zero, one, places, infinity] = [0.0, 1.0, PLACES, f64::INFINITY].map(|number| sql.double(number));
        let clamped = format!("CASE WHEN {} OR q <= {zero} THEN {zero} WHEN q < {one} THEN q ELSE {one} END", sql.is_nan("q"));
        let place = sql.as_integer(&sql.round(&format!("({clamped}) * {places}")));
        let (smallest_normal, log2) = (sql.double(SMALLEST_NORMAL), sql.floor_of_log2("d"));
        let [low, high] = ["e", "e + 1"].map(|exponent| sql.power_of_two(exponent));
        let mantissa = sql.as_integer(&format!("(d / {low} - {one}) * {}", sql.double(MANTISSAS)));
        let subnormal = sql.as_integer(&format!("d / {}", sql.double(SMALLEST)));
        let biased = sql.as_integer("e + 1023");
        let (of_infinity, of_exponent) = (f64::INFINITY.to_bits(), 1_u64 << 52);
        let (bucket, rest) = (sql.without_low_bits("bits", REST_BITS), sql.low_bits("bits", REST_BITS));
        let [high_part, low_part] = [sql.without_low_bits("p", PART_BITS), sql.low_bits("p", PART_BITS)];
        union(features.of.iter().map(|feature| {
            let lists = format!(", {} AS knots, {} AS numbers", feature.list(0), feature.list(2));
            let found = self.search(&self.values(feature.position, &lists), features.depth, ", knots, numbers");
            let around = format!("SELECT x, b, {left} AS l, {right} AS r, {number_of_knots} AS k FROM ({found})");
            let at = format!("SELECT x, b, l, r, k, CASE WHEN b < k THEN r <= x ELSE FALSE END AS is_at FROM ({around})");
            // A grid without knots has no end to be beyond of.
            let split = format!(
                "SELECT b, is_at, CASE WHEN is_at THEN NULL WHEN k = 0 THEN abs(x) WHEN b = 0 THEN r - x WHEN b = k THEN x - l END AS d, \
                 CASE WHEN is_at OR b = 0 OR b = k THEN NULL ELSE (x - l) / (r - l) END AS q FROM ({at})"
            );
            // The bits of the distance: its exponent, which the logarithm tells but for one, and its mantissa.
            let placed = format!(
                "SELECT b, is_at, d, CASE WHEN q IS NULL THEN 0L ELSE {place} END AS place, \
                 CASE WHEN d >= {smallest_normal} AND d < {infinity} THEN {log2} END AS e FROM ({split})"
            );
            let binade = format!(
                "SELECT b, is_at, d, place, CASE WHEN {low} > d THEN e - 1 WHEN {high} <= d THEN e + 1 ELSE e END AS e FROM ({placed})"
            );
            let told = format!(
                "SELECT b, is_at, place, CASE WHEN d IS NULL THEN NULL WHEN d = {infinity} THEN {of_infinity}L WHEN e IS NULL THEN {subnormal} \
                 ELSE {mantissa} + {biased} * {of_exponent}L END AS bits FROM ({binade})"
            );
            let rows = format!("SELECT b, is_at, {bucket} AS bucket, CASE WHEN bits IS NULL THEN place ELSE {rest} END AS p FROM ({told})");
            format!(
                "SELECT '{}', b, is_at, bucket, count(*), sum({high_part}), sum({low_part}) FROM ({rows}) GROUP BY b, is_at, bucket",
                feature.position
            )
        }))
    }

    /// Of each feature and cluster or hour: feature, the cluster's label as text and as a number, the hour, rows, the sum of their ranks and of
    /// the squares of these.
    pub fn ranks(&self, features: &Features) -> String {
        let sql = self.dialect;
        let [text, number, hour] = self.groups();
        let is_at = format!("b < {} AND {} <= x", sql.element("numbers", "2"), sql.element("knots", "b"));
        let rank = sql.as_integer(&sql.element("ranks", &format!("2 * b + CASE WHEN {is_at} THEN 1 ELSE 0 END")));
        union(features.of.iter().map(|feature| {
            let lists = format!("{} AS knots, {} AS ranks, {} AS numbers", feature.list(0), feature.list(1), feature.list(2));
            let carried = format!(", {text} AS gt, {number} AS gn, {hour} AS h, {lists}");
            let values = self.values(feature.position, &carried);
            let found = self.search(&values, features.depth, ", gt, gn, h, knots, ranks, numbers");
            let ranked = format!("SELECT gt, gn, h, {rank} AS r FROM ({found})");
            format!("SELECT '{}', gt, gn, h, count(*), sum(r), sum(r * r) FROM ({ranked}) GROUP BY gt, gn, h", feature.position)
        }))
    }

    /// Of each categorical feature, cluster or hour, and label: feature, the cluster's label as text and as a number, the hour, the label as text
    /// and as a number, rows.
    pub fn labels(&self, positions: &[usize]) -> String {
        let [text, number, hour] = self.groups();
        union(positions.iter().map(|position| {
            let is_number = matches!(self.sources.get(*position), Some(Source::Labels { is_number: true }));
            let [label, value] = Label { column: self.column(*position), is_number }.pair(self.dialect);
            let columns = format!("{text} AS gt, {number} AS gn, {hour} AS h, {label} AS lt, {value} AS ln");
            let rows = format!("SELECT {columns} FROM {LOGS} WHERE {}", self.window());
            format!("SELECT '{position}', gt, gn, h, lt, ln, count(*) FROM ({rows}) GROUP BY gt, gn, h, lt, ln")
        }))
    }

    /// The newest finite values of a column: moment, value, the cluster's label as text and as a number. More than are wanted, for rows of one moment.
    pub fn recent(&self, position: usize, capacity: usize) -> Option<String> {
        self.moment.as_ref()?;
        let [text, number, _] = self.groups();
        let values = self.values(position, &format!(", {} AS us, {text} AS gt, {number} AS gn", self.micros()));
        Some(format!(
            "SELECT us, x, gt, gn FROM ({values}) ORDER BY us DESC, x LIMIT {}",
            capacity.saturating_mul(2).saturating_add(TIES)
        ))
    }
}

/// So many rows of one moment and value more than are wanted are looked at.
const TIES: usize = 1_000;

/// Steps of the search among so many knots.
pub fn search_depth(knots: usize) -> u32 {
    usize::BITS - knots.leading_zeros()
}

impl Numeric {
    /// One of its lists, as a value.
    fn list(&self, which: usize) -> String {
        format!("(SELECT l{} FROM {LISTS})", self.first_list + which)
    }
}

fn union(selects: impl Iterator<Item = String>) -> String {
    selects.collect::<Vec<_>>().join(" UNION ALL ")
}

fn moment(name: &str, shape: Option<&Shape>, columns: &[(String, Shape)]) -> Result<Moment, EngineError> {
    let found = match shape {
        None => {
            let known = columns.iter().take(COLUMNS_NAMED).map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let more = if columns.len() > COLUMNS_NAMED { ", …" } else { "" };
            return Err(EngineError::Logs(format!(
                "there is no column `{name}`: correct logs.timestamp; the columns are {known}{more}"
            )));
        }
        Some(shape) => match Moment::of(shape) {
            Some(moment) => return Ok(moment),
            None => match shape {
                Shape::Text => "text",
                Shape::Truth => "boolean",
                Shape::Number => "a number with a fraction",
                Shape::Null => "nothing but nulls",
                Shape::Other(other) => other,
                Shape::Integer | Shape::Moment { .. } => "unknown",
            },
        },
    };
    Err(EngineError::Logs(format!(
        "the column `{name}` (logs.timestamp) holds {found}, and a cluster's moments are TIMESTAMP, TIMESTAMP_NTZ or whole numbers since the \
         epoch: make a view that casts it, and name it in logs.table"
    )))
}

/// Of a table without the column that is asked for.
const COLUMNS_NAMED: usize = 20;
