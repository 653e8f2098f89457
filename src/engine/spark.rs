//! An Apache Spark cluster, over Spark Connect: the only place that names its client. The client blocks, with a runtime of its own, so all of
//! it happens off ours.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use spark_connect::row::{Row, Value};
use spark_connect::{DataFrameReader, DataType, SparkError, SparkSession, StructField, lit_boolean};
use tokio::net::TcpStream;

use super::columns::Shape;
use super::dialect::Dialect;
use super::files::{self, Choice};
use super::statements::{LISTS, LOGS};
use super::{Database, EngineError, Field, List, TakeRow};
use crate::blocking;

/// How to reach a cluster.
#[derive(Clone)]
pub struct Settings {
    /// `sc://HOST[:PORT][/;KEY=VALUE;…]`, without a token.
    pub remote: String,
    pub token: Option<String>,
    /// How long it may take to be let in, and how long the server may be gone later.
    pub timeout: Duration,
}

/// Which rows are the logs, as the cluster sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// A table or view of its catalogue.
    Table(String),
    /// A Parquet file, or a folder of such files, as a URI.
    Path(String),
}

/// A session of a cluster, with the logs as a view of it.
pub struct Spark {
    session: SparkSession,
    remote: String,
    /// How long nobody may be there.
    timeout: Duration,
    rows: Rows,
    columns: Vec<(String, Shape)>,
    /// Of all files together, in the JSON of Spark.
    schema: String,
    /// The paths of all files; none for a table.
    files: Vec<String>,
    /// Which of them are the logs now.
    chosen: Mutex<Choice>,
}

impl std::fmt::Debug for Spark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spark").field("remote", &self.remote).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// The first version of Spark that is known to answer right.
const NEEDED: (u32, u32) = (4, 0);
const NEEDED_TEXT: &str = "4.0";

/// What statements rely on: sums that overflow are errors, moments without a zone are UTC, and names are what they are.
const SESSION: [(&str, &str); 3] =
    [("spark.sql.ansi.enabled", "true"), ("spark.sql.session.timeZone", "UTC"), ("spark.sql.caseSensitive", "true")];

/// What a cluster may refuse: the same code for the same question about another feature, so that it is compiled once; and plans that are not
/// kept in full, because the server remembers a thousand of them.
const WISHES: [(&str, &str); 2] = [("spark.sql.codegen.useIdInClassName", "false"), ("spark.sql.maxPlanStringLength", "4096")];

/// Where a connection string names no port.
const PORT: u16 = 15002;
/// How often it is looked whether a server is still there.
const LOOK: Duration = Duration::from_secs(2);

/// How long an end that nobody waits for may take.
const GRACE: Duration = Duration::from_secs(2);

impl Spark {
    /// Opens a session and finds the logs.
    ///
    /// # Errors
    /// When the server cannot be reached or does not let us in, is too old, or does not know the logs.
    pub async fn connect(settings: Settings, rows: Rows) -> Result<Self, EngineError> {
        let (remote, timeout) = (shown(&settings.remote), settings.timeout);
        let opening = blocking::run({
            let remote = remote.clone();
            move || open(&settings, remote)
        });
        // The client itself goes on trying for an hour.
        let late = EngineError::Unreachable { remote: remote.clone(), detail: format!("no answer within {} s", timeout.as_secs()) };
        let session = tokio::time::timeout(timeout, opening).await.map_err(|_| late)??;
        blocking::run(move || Self::with_logs(session, remote, timeout, rows)).await
    }

    fn with_logs(session: SparkSession, remote: String, timeout: Duration, rows: Rows) -> Result<Self, EngineError> {
        let failed = |error: SparkError| of(&remote, &rows, &error);
        let (frame, files) = match &rows {
            Rows::Table(name) => (session.table(name).map_err(failed)?, Vec::new()),
            Rows::Path(uri) => {
                // With a schema that is given, files are listed and not opened.
                let listed = reader(&session).schema("listed BOOLEAN".to_owned()).parquet(uri);
                let frame = reader(&session).option("mergeSchema", "true").parquet(uri);
                (frame, listed.input_files().map_err(failed)?)
            }
        };
        frame.create_or_replace_temp_view(LOGS).map_err(failed)?;
        // Asked of the view, which has read the files' schemas.
        let view = session.table(LOGS).map_err(failed)?;
        let schema = view.schema().map_err(failed)?;
        let DataType::Struct { fields } = &schema else {
            return Err(EngineError::Failed { remote, detail: "its table has no columns".to_owned() });
        };
        let columns = fields.iter().map(|field| (field.name.clone(), shape(&field.data_type))).collect();
        Ok(Self { session, remote, timeout, rows, columns, schema: schema.json(), files, chosen: Mutex::new(Choice::All) })
    }

    /// Does work that asks the cluster. When nobody waits for it any more, or it failed, what the cluster still does for it is interrupted.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Database) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let mut waiting = Waiting { spark: Arc::clone(self), is_done: false };
        let spark = Arc::clone(self);
        let working = blocking::run(move || work(spark.as_ref()));
        // The client itself goes on asking a server that is gone for very long.
        let result = tokio::select! {
            result = working => result,
            () = gone(&self.remote, self.timeout) => {
                let detail = format!("nobody is at its address for {} s", self.timeout.as_secs());
                Err(EngineError::Lost { remote: self.remote.clone(), detail })
            }
        };
        waiting.is_done = result.is_ok();
        result
    }
}

/// Interrupts what is asked of a cluster when it is dropped before its answer is there.
struct Waiting {
    spark: Arc<Spark>,
    is_done: bool,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_done {
            let session = self.spark.session.clone();
            aside(move || drop(session.interrupt_all()));
        }
    }
}

impl Drop for Spark {
    fn drop(&mut self) {
        let session = self.session.clone();
        aside(move || drop(session.stop()));
    }
}

/// Ends when a server could not be connected to for so long.
async fn gone(remote: &str, patience: Duration) {
    let address = address(remote);
    let mut last_seen = Instant::now();
    while last_seen.elapsed() < patience {
        tokio::time::sleep(LOOK).await;
        if let Ok(Ok(_)) = tokio::time::timeout(LOOK, TcpStream::connect(&address)).await {
            last_seen = Instant::now();
        }
    }
}

/// Host and port of a connection string.
fn address(remote: &str) -> String {
    let host = remote.trim_start_matches("sc://").trim_end_matches('/');
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:{PORT}") }
}

/// Does something on a thread of its own, because the client must not block a runtime's, and waits for it a little.
fn aside(work: impl FnOnce() + Send + 'static) {
    let (done, waits) = mpsc::channel();
    std::thread::spawn(move || {
        work();
        // Nobody may wait any more.
        let _ = done.send(());
    });
    let _ = waits.recv_timeout(GRACE);
}

fn open(settings: &Settings, remote: String) -> Result<SparkSession, EngineError> {
    let failed = |error: SparkError| of_connection(&remote, &error);
    let mut address = settings.remote.clone();
    if !address.contains(';') {
        address = format!("{}/;", address.trim_end_matches('/'));
    } else if !address.ends_with(';') {
        address.push(';');
    }
    address.push_str("user_agent=");
    address.push_str(&escaped(concat!("drift-check/", env!("CARGO_PKG_VERSION"))));
    if let Some(token) = &settings.token {
        address.push_str(";token=");
        address.push_str(&escaped(token));
    }
    let session = SparkSession::builder().remote(&address).get_or_create().map_err(failed)?;
    let version = session.version().map_err(failed)?;
    if number(&version).is_none_or(|version| version < NEEDED) {
        return Err(EngineError::Version { remote, found: version, needed: NEEDED_TEXT });
    }
    for (key, value) in SESSION {
        session.conf().set(key, value).map_err(failed)?;
    }
    for (key, value) in WISHES {
        let _ = session.conf().set(key, value);
    }
    Ok(session)
}

/// Without what it may hold beside host and port.
fn shown(remote: &str) -> String {
    remote.split("/;").next().unwrap_or_default().to_owned()
}

/// A value of a connection string.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Major and minor.
fn number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn shape(data_type: &DataType) -> Shape {
    match data_type {
        DataType::Byte | DataType::Short | DataType::Integer | DataType::Long => Shape::Integer,
        DataType::Float | DataType::Double => Shape::Number,
        DataType::Boolean => Shape::Truth,
        DataType::String { .. } | DataType::Char { .. } | DataType::Varchar { .. } => Shape::Text,
        DataType::Timestamp => Shape::Moment { is_naive: false },
        DataType::TimestampNtz => Shape::Moment { is_naive: true },
        DataType::Null => Shape::Null,
        other => Shape::Other(format!("{other:?}").to_lowercase().split([' ', '{', '(']).next().unwrap_or_default().to_owned()),
    }
}

/// A reader of a folder of Parquet files.
fn reader(session: &SparkSession) -> DataFrameReader {
    let reader = session.read().option("recursiveFileLookup", "true").option("pathGlobFilter", "*.parquet");
    // Page indexes that call a page of NaNs a page of nulls are out there (polars 0.55 writes them); the statistics of row groups are right,
    // and leave out what is outside the window.
    reader.option("parquet.filter.columnindex.enabled", "false")
}

impl Database for Spark {
    fn dialect(&self) -> Dialect {
        Dialect::Spark
    }

    fn uri(&self) -> String {
        match &self.rows {
            Rows::Table(name) => format!("{} of {}", name, self.remote),
            Rows::Path(uri) => uri.clone(),
        }
    }

    fn columns(&self) -> &[(String, Shape)] {
        &self.columns
    }

    fn choose(&self, may_hold: &dyn Fn(&str) -> bool) -> Result<(), EngineError> {
        let Rows::Path(root) = &self.rows else { return Ok(()) };
        let choice = files::choose(root, &self.files, may_hold);
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        if *chosen == choice {
            return Ok(());
        }
        let of = |path: &str| reader(&self.session).schema(self.schema.clone()).parquet(path);
        let frame = match &choice {
            Choice::All => of(root),
            Choice::These(pattern) => of(pattern),
            Choice::Nothing => of(root).filter(lit_boolean(false)),
        };
        frame.create_or_replace_temp_view(LOGS).map_err(|error| self::of(&self.remote, &self.rows, &error))?;
        *chosen = choice;
        Ok(())
    }

    fn put(&self, lists: &[List]) -> Result<(), EngineError> {
        let failed = |error: SparkError| of(&self.remote, &self.rows, &error);
        let names: Vec<String> = (0..lists.len()).map(|at| format!("l{at}")).collect();
        let field = |(name, list): (&String, &List)| {
            let element_type = match list {
                List::Doubles(_) => DataType::Double,
                List::Integers(_) => DataType::Integer,
            };
            let data_type = DataType::Array { element_type: Box::new(element_type), contains_null: false };
            StructField { name: name.clone(), data_type, nullable: false, metadata: BTreeMap::new() }
        };
        let fields = names.iter().zip(lists).map(field).collect();
        let value = |list: &List| {
            Value::List(match list {
                List::Doubles(numbers) => numbers.iter().map(|number| Value::Double(*number)).collect(),
                List::Integers(numbers) => numbers.iter().map(|number| Value::Integer(i32::from(*number))).collect(),
            })
        };
        let row = Row::new(names, lists.iter().map(value).collect());
        let frame = self.session.create_dataframe(vec![row], DataType::Struct { fields }).map_err(failed)?;
        frame.create_or_replace_temp_view(LISTS).map_err(failed)
    }

    fn ask(&self, statement: &str, take: TakeRow<'_>) -> Result<(), EngineError> {
        let failed = |error: SparkError| of(&self.remote, &self.rows, &error);
        let answer = self.session.sql(statement).map_err(failed)?.to_local_iterator(false).map_err(failed)?;
        let (began, mut rows) = (Instant::now(), 0_u64);
        let mut fields = Vec::new();
        for row in answer {
            rows += 1;
            let row = row.map_err(failed)?;
            fields.clear();
            fields.extend(row.values().iter().map(field));
            take(&fields)?;
        }
        tracing::debug!(statement, "the cluster answered {rows} rows after {:.3} s", began.elapsed().as_secs_f64());
        Ok(())
    }
}

fn field(value: &Value) -> Field {
    match value {
        Value::Bool(truth) => Field::Truth(*truth),
        Value::Byte(number) => Field::Integer((*number).into()),
        Value::Short(number) => Field::Integer((*number).into()),
        Value::Integer(number) => Field::Integer((*number).into()),
        Value::Long(number) => Field::Integer(*number),
        Value::Float(number) => Field::Number((*number).into()),
        Value::Double(number) => Field::Number(*number),
        Value::String(text) => Field::Text(text.clone()),
        // No statement asks for anything else.
        _ => Field::Null,
    }
}

/// Codes of gRPC.
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// What an error says before any row is asked for.
fn of_connection(remote: &str, error: &SparkError) -> EngineError {
    let (remote, detail) = (remote.to_owned(), said(error));
    match error.grpc_code() {
        Some(UNAVAILABLE) => EngineError::Unreachable { remote, detail },
        Some(PERMISSION_DENIED | UNAUTHENTICATED) => EngineError::Denied { remote, detail },
        // The client refuses to send a token in the open.
        None if detail.contains("insecure") => EngineError::Denied { remote, detail },
        _ => EngineError::Failed { remote, detail },
    }
}

/// Conditions of Spark that are about the rows that are asked for.
const ABOUT_THE_LOGS: [&str; 8] = [
    "PATH_NOT_FOUND",
    "TABLE_OR_VIEW_NOT_FOUND",
    "UNABLE_TO_INFER_SCHEMA",
    "CANNOT_READ_FILE_FOOTER",
    "CANNOT_MERGE_SCHEMAS",
    "FAILED_READ_FILE",
    "FAILED_MERGING_SCHEMA",
    "PARSE_SYNTAX_ERROR",
];

/// What the client says of a connection that broke in the middle, which has no code of its own.
const BROKEN: [&str; 4] = ["h2 protocol error", "error reading a body", "transport error", "connection closed"];

fn of(remote: &str, rows: &Rows, error: &SparkError) -> EngineError {
    let detail = said(error);
    if about_the_logs(&detail).is_none() {
        return match of_connection(remote, error) {
            EngineError::Unreachable { remote, detail } => EngineError::Lost { remote, detail },
            EngineError::Failed { remote, detail } if BROKEN.iter().any(|words| detail.contains(words)) => {
                EngineError::Lost { remote, detail }
            }
            error => error,
        };
    }
    let (what, key) = match rows {
        Rows::Table(name) => (name, "logs.table"),
        Rows::Path(uri) => (uri, "logs.path or bucket.uri and logs.prefix"),
    };
    EngineError::Logs(format!("the cluster at {remote} cannot read {what}, as it sees it: {detail}; check {key}"))
}

/// Where a message begins to tell of the logs, if it does.
fn about_the_logs(message: &str) -> Option<usize> {
    ABOUT_THE_LOGS.iter().filter_map(|condition| message.find(condition)).min()
}

/// On one line, not too long, without the stack of the server.
fn said(error: &SparkError) -> String {
    const MOST: usize = 400;
    let message = if error.message.is_empty() { error.message() } else { error.message.clone() };
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    // What is about the logs stands behind the exceptions that it came through.
    let line = about_the_logs(&line).and_then(|start| line.get(start..)).unwrap_or(&line).trim_end_matches('.');
    let end = line.floor_char_boundary(MOST);
    format!("{}{}", line.get(..end).unwrap_or_default(), if end < line.len() { "…" } else { "" })
}
