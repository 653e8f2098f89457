//! A thousand runs of the real binary, one after the other, over a bucket that grows to ten thousand objects: memory, file handles and work
//! of a run stay what they were, and what is kept between runs does not grow.
//!
//! Work is counted, not timed: bytes and calls of reading and writing, requests to the storage server, rows and bytes of what is kept. The suite
//! takes fewer runs with more new objects each; all of them: `DRIFT_CHECK_SOAK_RUNS=1000 cargo test --test integration soak -- --nocapture`.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;
use serde_json::Value;

use crate::message_server::{MessageServer, SIGNING_SECRET};
use crate::storage_server::StorageServer;
use crate::workspace::{Workspace, text};

/// At the end there are so many.
const OBJECTS: u32 = 10_000;
const ROWS_PER_OBJECT: u32 = 12;
/// A run every six hours.
const HOURS: i64 = 6;
/// A window of a day: this run's objects and those of three before.
const WINDOW_RUNS: u32 = 4;
/// Objects are written so many runs before their time. A file that was changed in the last two seconds is not remembered in the cache, and
/// runs of six hours apart follow each other in less here.
const AHEAD: u32 = 20;
/// Every so many runs the same happens: two features of three drift for a while, and the model loses its confidence.
const PERIOD: u32 = 20;
/// Runs before anything is compared: the window, the ring of the cache and the store have filled.
const WARM: u32 = 2 * PERIOD;
/// The store is this much older with every run, so that its 90 days are thirty runs, and so are the 400 of its runs.
const AGING: &str = "-3 days";
const AGING_OF_RUNS: &str = "-14 days";
const KEPT_RUNS: u32 = 30;
/// No run may have more files, sockets and folders open at a time.
const HANDLES: u32 = 48;

fn end(run: u32) -> DateTime<Utc> {
    "2026-01-01T06:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(HOURS * i64::from(run))
}

/// The same uniform numbers on every machine (splitmix64).
fn uniform(seed: u64) -> f64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// One of a run's objects: its key and what it holds. What happens in a run happens in that of the next period too, number by number.
fn object(run: u32, number: u32, per_run: u32) -> (String, String) {
    let hour = end(run) - TimeDelta::hours(HOURS) + TimeDelta::hours(HOURS * i64::from(number) / i64::from(per_run));
    let phase = run % PERIOD;
    let moved = if (5..10).contains(&phase) { 0.8 } else { 0.0 };
    let confidence = if (12..15).contains(&phase) { 0.4 } else { 0.9 };
    let (is_csv, mut lines) = (number.is_multiple_of(2), String::new());
    if is_csv {
        lines.push_str("ts,a,b,c,conf\n");
    }
    for row in 0..ROWS_PER_OBJECT {
        let at = hour + TimeDelta::minutes(i64::from(row) * 5) + TimeDelta::seconds(i64::from(number % 60));
        let value = |feature: u64| uniform((u64::from(phase) << 32) + (u64::from(number) << 16) + (u64::from(row) << 4) + feature);
        let (a, b, c) = (value(0) + moved, value(1) + moved, value(2));
        let at = at.to_rfc3339();
        lines.push_str(&if is_csv {
            format!("{at},{a:.6},{b:.6},{c:.6},{confidence}\n")
        } else {
            format!("{{\"ts\":\"{at}\",\"a\":{a:.6},\"b\":{b:.6},\"c\":{c:.6},\"conf\":{confidence}}}\n")
        });
    }
    let kind = if is_csv { "csv" } else { "ndjson" };
    (format!("predictions/{}/{number:04}.{kind}", hour.format("%Y/%m/%d/%H")), lines)
}

fn reference() -> String {
    let row = |row: u64| format!("{:.6},{:.6},{:.6}\n", uniform(row << 50), uniform(row << 50 | 1), uniform(row << 50 | 2));
    format!("a,b,c\n{}", (1..=400).map(row).collect::<String>())
}

/// What one run took.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    memory_kb: u64,
    handles: u64,
    read_bytes: u64,
    written_bytes: u64,
    calls: u64,
    requests: u64,
    cpu_ms: u64,
    cache_bytes: u64,
    store_bytes: u64,
    store_rows: u64,
    latest_bytes: u64,
}

/// The number after a name in a file of `/proc`.
fn entry(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// Watches a process to its end. It is looked at once more when it has ended and nobody has waited for it yet: then its sums are complete.
fn watch(child: &mut Child) -> (i32, Taken) {
    let (process, mut taken) = (PathBuf::from(format!("/proc/{}", child.id())), Taken::default());
    let look = |file: &str| std::fs::read_to_string(process.join(file)).unwrap_or_default();
    loop {
        taken.memory_kb = entry(&look("status"), "VmHWM:").unwrap_or(0).max(taken.memory_kb);
        let handles = std::fs::read_dir(process.join("fd")).map_or(0, |open| open.count() as u64);
        taken.handles = handles.max(taken.handles);
        let stat = look("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if fields.first() == Some(&"Z") {
            let ticks = |field: usize| fields[field].parse::<u64>().unwrap();
            // In hundredths of a second, of the process and of the kernel for it.
            taken.cpu_ms = 10 * (ticks(11) + ticks(12));
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let io = look("io");
    let sum = |name: &str| entry(&io, name).unwrap_or_else(|| panic!("no {name} in {io}"));
    (taken.read_bytes, taken.written_bytes, taken.calls) = (sum("rchar:"), sum("wchar:"), sum("syscr:") + sum("syscw:"));
    (child.wait().unwrap().code().unwrap_or(-1), taken)
}

struct Soak {
    workspace: Workspace,
    server: Option<StorageServer>,
    hook: String,
    per_run: u32,
    taken: Vec<Taken>,
}

impl Soak {
    fn new(server: Option<StorageServer>, hook: String, per_run: u32) -> Self {
        let workspace = Workspace::new();
        let bucket = server.as_ref().map_or_else(
            || "uri = \"file:bucket\"".to_owned(),
            |server| format!("uri = \"gs://logs\"\nendpoint = \"{}\"", server.endpoint()),
        );
        workspace.write(
            "config.toml",
            format!(
                "[job]\nname = \"soak\"\n[bucket]\n{bucket}\n[store]\npath = \"state.db\"\n\
                 [logs]\ntimestamp = \"ts\"\ndate_pattern = \"%Y/%m/%d/%H\"\ndate_slack = \"0s\"\n[window]\nlength = \"24h\"\n\
                 [features]\ninclude = [\"a\", \"b\", \"c\"]\n[prediction]\nconfidence = \"conf\"\n\
                 [signals.data-drift]\nmode = \"notify\"\nchannels = [\"webhook\"]\n\
                 [signals.low-confidence]\nmode = \"notify\"\nlast = 100\nchannels = [\"webhook\"]\n\
                 [channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SECRET\"\n"
            ),
        );
        let soak = Self { workspace, server, hook, per_run, taken: Vec::new() };
        soak.put("reference/reference.csv", reference());
        for run in 0..AHEAD {
            soak.grow(run);
        }
        soak
    }

    fn put(&self, key: &str, bytes: String) {
        match &self.server {
            Some(server) => drop(server.put(key, bytes)),
            None => drop(self.workspace.write(&format!("bucket/{key}"), bytes)),
        }
    }

    /// Writes the objects of a run.
    fn grow(&self, run: u32) {
        for number in 0..self.per_run {
            let (key, lines) = object(run, number, self.per_run);
            self.put(&key, lines);
        }
    }

    fn store(&self) -> Connection {
        Connection::open(self.workspace.path("state.db")).unwrap()
    }

    /// Lets the store grow older.
    fn age(&self) {
        let aged =
            |(table, by)| format!("UPDATE {table} SET expire_at = strftime('%Y-%m-%dT%H:%M:%S.000000Z', expire_at, '{by}');");
        let tables = [("run", AGING_OF_RUNS), ("signal", AGING), ("outbox", AGING), ("silence", AGING)];
        self.store().execute_batch(&tables.map(aged).concat()).unwrap();
    }

    /// Grows the bucket and checks a window, with a bound on open handles that a leak would run into.
    fn run(&mut self, run: u32) {
        self.grow(run + AHEAD);
        let before = self.server.as_ref().map_or(0, |server| server.requests(""));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &HANDLES.to_string(), env!("CARGO_BIN_EXE_drift-check")]);
        command.args(["--config", "config.toml", "--quiet", "--as-of", &end(run).to_rfc3339()]);
        command.current_dir(self.workspace.path("")).env_clear().env("HOOK", &self.hook).env("SECRET", SIGNING_SECRET);
        // Two objects at a time, whatever the machine.
        command.env("DRIFT_CHECK__RUN__CONCURRENCY", "2");
        let errors = self.workspace.path("errors");
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&errors).unwrap());
        let (code, mut taken) = watch(&mut command.spawn().unwrap());
        assert_eq!(code, 0, "run {run}: {}", std::fs::read_to_string(errors).unwrap());
        taken.requests = self.server.as_ref().map_or(0, |server| (server.requests("") - before) as u64);
        let (report, latest_bytes) = self.latest();
        assert_eq!(text(&report["window"]["end"]), end(run).to_rfc3339().replace("+00:00", "Z"));
        let expected = self.per_run * WINDOW_RUNS.min(run + 1);
        assert_eq!(
            report["current"]["objects"].as_array().unwrap().len() as u32,
            expected,
            "run {run}: only what can be in the window"
        );
        assert_eq!(report["current"]["rows"], expected * ROWS_PER_OBJECT, "run {run}");
        taken.latest_bytes = latest_bytes;
        self.age();
        self.measure_what_is_kept(&mut taken);
        self.taken.push(taken);
    }

    fn latest(&self) -> (Value, u64) {
        let key = "reports/soak/latest.json";
        let bytes = match &self.server {
            Some(server) => server.get(key).unwrap().to_vec(),
            None => std::fs::read(self.workspace.path(&format!("bucket/{key}"))).unwrap(),
        };
        (serde_json::from_slice(&bytes).unwrap(), bytes.len() as u64)
    }

    fn measure_what_is_kept(&self, taken: &mut Taken) {
        let size = |path: PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let pack = |slot: u32| format!("reports/soak/cache/{slot}.pack");
        taken.cache_bytes = (0..8)
            .map(|slot| match &self.server {
                Some(server) => server.get(&pack(slot)).map_or(0, |bytes| bytes.len() as u64),
                None => size(self.workspace.path(&format!("bucket/{}", pack(slot)))),
            })
            .sum();
        taken.store_bytes = size(self.workspace.path("state.db"));
        let store = self.store();
        let rows = |table| store.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, u64>(0)).unwrap();
        taken.store_rows = rows("run") + rows("signal") + rows("outbox") + rows("silence");
        assert!(rows("run") <= u64::from(KEPT_RUNS) + 1, "{} runs are kept", rows("run"));
    }

    /// The first period after everything has filled, and the last.
    fn periods(&self) -> [&[Taken]; 2] {
        let early = &self.taken[WARM as usize..(WARM + PERIOD) as usize];
        [early, &self.taken[self.taken.len() - PERIOD as usize..]]
    }

    /// The middle of a figure in both periods.
    fn middles(&self, figure: impl Fn(&Taken) -> u64) -> [u64; 2] {
        self.periods().map(|period| {
            let mut figures: Vec<u64> = period.iter().map(&figure).collect();
            figures.sort_unstable();
            figures[figures.len() / 2]
        })
    }

    fn assert_flat(&self, name: &str, figure: impl Fn(&Taken) -> u64, more: u64) {
        let [early, late] = self.middles(figure);
        println!("soak: {name}: {early} at first, {late} in the end");
        assert!(late <= early + early / 20 + more, "{name} grew from {early} to {late}");
    }

    fn assert_nothing_grew(&self) {
        let objects = |runs: u32| (runs + AHEAD) * self.per_run;
        let (first, last) = (objects(WARM + PERIOD / 2), objects(self.taken.len() as u32));
        println!("soak: {} runs, from {first} to {last} objects", self.taken.len());
        let more_objects = u64::from(last - first);
        // A listing is kept in memory while it is looked through: some texts for each object, and what growing lists leave behind.
        self.assert_flat("memory, kB", |taken| taken.memory_kb, more_objects * LISTED_BYTES / 1_024 + 2_048);
        // How many connections there are at a time depends on what else the machine does; a leak would be as large as the objects are many.
        self.assert_flat("open handles", |taken| taken.handles, 10);
        self.assert_flat("bytes read", |taken| taken.read_bytes, 65_536);
        self.assert_flat("bytes written", |taken| taken.written_bytes, 65_536);
        self.assert_flat("calls of read and write", |taken| taken.calls, 64);
        self.assert_flat("bytes of the cache", |taken| taken.cache_bytes, 4_096);
        self.assert_flat("bytes of the store", |taken| taken.store_bytes, 65_536);
        self.assert_flat("rows of the store", |taken| taken.store_rows, 4);
        self.assert_flat("bytes of latest.json", |taken| taken.latest_bytes, 1_024);
        // A page of a listing has a thousand names.
        self.assert_flat("requests to the storage server", |taken| taken.requests, more_objects.div_ceil(1_000) + 1);
        let [early, late] = self.middles(|taken| taken.cpu_ms);
        println!("soak: processor time of a run, ms, not held to anything: {early} at first, {late} in the end");
    }

    /// Every period opens and resolves both signals once, and each is told once.
    fn assert_told(&self, server: &MessageServer) {
        let received = server.received();
        let told = |signal: &str, transition: &str| {
            received.iter().filter(|told| told.body["signal"] == signal && told.body["transition"] == transition).count() as u32
        };
        let periods = self.taken.len() as u32 / PERIOD;
        for signal in ["data-drift", "low-confidence"] {
            assert_eq!([told(signal, "opened"), told(signal, "resolved")], [periods; 2], "{signal}");
        }
        let waiting = "SELECT count(*) FROM outbox WHERE due_at IS NOT NULL";
        assert_eq!(self.store().query_row(waiting, [], |row| row.get(0)), Ok(0), "no message waits");
    }

    fn assert_nothing_left_behind(&self) {
        let hidden = |name: &String| name.rsplit('/').next().unwrap().starts_with('.') || name.contains("state.db-");
        let left: Vec<String> = self.workspace.files(".").into_iter().filter(hidden).collect();
        assert_eq!(left, [""; 0]);
    }
}

/// What an object in a listing may take.
const LISTED_BYTES: u64 = 1_024;

/// How many runs are asked for; `few` where nobody asks.
fn runs(few: u32) -> u32 {
    static ASKED: OnceLock<Option<u32>> = OnceLock::new();
    let asked = ASKED.get_or_init(|| std::env::var("DRIFT_CHECK_SOAK_RUNS").ok().map(|runs| runs.parse().unwrap()));
    asked.unwrap_or(few).max(WARM + 2 * PERIOD)
}

async fn soak(storage: Option<StorageServer>, runs: u32, objects: u32) -> (Soak, MessageServer) {
    let messages = MessageServer::start().await;
    let hook = messages.url("/hook");
    let soak = tokio::task::spawn_blocking(move || {
        let mut soak = Soak::new(storage, hook, objects / runs);
        (0..runs).for_each(|run| soak.run(run));
        soak
    });
    (soak.await.unwrap(), messages)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_runs_over_a_growing_folder_take_no_more_than_the_first() {
    let (soak, messages) = soak(None, runs(100), OBJECTS).await;
    soak.assert_nothing_grew();
    soak.assert_told(&messages);
    soak.assert_nothing_left_behind();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_runs_over_a_growing_bucket_of_cloud_storage_take_no_more_than_the_first() {
    let runs = runs(80).min(100);
    let (soak, messages) = soak(Some(StorageServer::start()), runs, 4_000).await;
    soak.assert_nothing_grew();
    soak.assert_told(&messages);
    soak.assert_nothing_left_behind();
}
