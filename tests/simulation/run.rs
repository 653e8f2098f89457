//! Running a scenario through the whole pipeline, many times: rows become objects in a bucket, `profile` and `check` run as the
//! binary runs them, and only the JSON report is looked at.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use chrono::{DateTime, Utc};
use drift_check::cli::{Command, FailOn, Format, Options};
use drift_check::error::{ExitCode, with_causes};
use drift_check::job::{self, Invocation, Terminal};
use drift_check::progress::Progress;
use indicatif::MultiProgress;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::encode::{MOMENT, STUDY, encode, feature_names};
use super::population::{Drift, Period, Rows};
use super::scenario::{Scenario, Setting};

/// Where all random numbers begin, together with a name and the number of the repetition.
pub const SEED: u64 = 20_260_131;

/// The end of every window, 2025-06-16T00:00:00Z: objects that are written today cannot be older.
const AS_OF_S: i64 = 1_750_032_000;
const DAY_S: i64 = 86_400;
/// The reference is spread over this many days before the window.
const REFERENCE_DAYS: i64 = 60;

/// A file system in memory, where there is one.
const IN_MEMORY: &str = "/dev/shm";

/// What one repetition of a scenario gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// `decision.verdict`.
    pub verdict: String,
    /// `decision.drifted`.
    pub drifted: u32,
    /// The verdict on the first feature.
    pub first: String,
    /// Whether relations between features changed.
    pub related: bool,
    /// `current.effective_rows`.
    pub effective_rows: f64,
}

/// The parts of a report that are looked at.
#[derive(Deserialize)]
struct Report {
    decision: Decision,
    current: Current,
    features: Vec<Feature>,
    /// Not there where the features' values are tied.
    joint: Option<Joint>,
}

#[derive(Deserialize)]
struct Joint {
    pairs_changed: u32,
}

#[derive(Deserialize)]
struct Decision {
    verdict: String,
    drifted: u32,
}

#[derive(Deserialize)]
struct Current {
    rows: usize,
    effective_rows: f64,
}

#[derive(Deserialize)]
struct Feature {
    name: String,
    verdict: String,
}

/// Everything that outlives a repetition.
pub struct Laboratory {
    runtime: Runtime,
    folder: TempDir,
    workers: u32,
}

impl Laboratory {
    pub fn open() -> Result<Self> {
        let parent = if Path::new(IN_MEMORY).is_dir() { PathBuf::from(IN_MEMORY) } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("drift-check-simulation-").tempdir_in(parent)?;
        let workers = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        // Repetitions are what runs in parallel, so each needs little of its own.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
        Ok(Self { runtime, folder, workers })
    }

    /// Repeats every scenario of a setting; the outer list is by scenario, the inner one by repetition.
    ///
    /// The numbers depend on the seed, the names and the number of the repetition only: not on the number of workers, nor on which
    /// other scenarios are run.
    pub fn repeat(&self, setting: &Setting, repetitions: u32) -> Result<Vec<Vec<Sighting>>> {
        let most = setting.scenarios.iter().map(|scenario| scenario.most_repetitions).max().unwrap_or(0);
        let repetitions = repetitions.min(most);
        let next = AtomicU32::new(0);
        let work = |worker: u32| -> Result<Vec<(u32, Vec<Option<Sighting>>)>> {
            let bench = Bench::prepare(&self.runtime, self.folder.path().join(format!("worker-{worker}")), setting)?;
            let mut done = Vec::new();
            loop {
                let repetition = next.fetch_add(1, Ordering::Relaxed);
                if repetition >= repetitions {
                    return Ok(done);
                }
                done.push((repetition, bench.repetition(setting, repetition)?));
            }
        };
        let results = std::thread::scope(|scope| {
            let work = &work;
            let threads: Vec<_> = (0..self.workers).map(|worker| scope.spawn(move || work(worker))).collect();
            let joined = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a worker panicked"))?);
            joined.collect::<Result<Vec<_>>>()
        })?;
        let mut done: Vec<_> = results.into_iter().flatten().collect();
        done.sort_by_key(|(repetition, _)| *repetition);
        let mut by_scenario = vec![Vec::new(); setting.scenarios.len()];
        for (_, sightings) in done {
            for (all, sighting) in by_scenario.iter_mut().zip(sightings) {
                all.extend(sighting);
            }
        }
        Ok(by_scenario)
    }
}

/// The bucket and the configuration of one worker.
struct Bench<'a> {
    runtime: &'a Runtime,
    folder: PathBuf,
}

impl<'a> Bench<'a> {
    fn prepare(runtime: &'a Runtime, folder: PathBuf, setting: &Setting) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        for name in ["bucket/reference", "bucket/predictions"] {
            std::fs::create_dir_all(folder.join(name))?;
        }
        let bench = Self { runtime, folder };
        std::fs::write(bench.path("config.toml"), bench.config(setting))?;
        Ok(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn config(&self, setting: &Setting) -> String {
        let names: Vec<String> = feature_names().iter().map(|name| format!("\"{name}\"")).collect();
        let cluster = if setting.names_studies { format!("cluster = \"{STUDY}\"\n") } else { String::new() };
        format!(
            "[bucket]\nuri = \"file:{}\"\n[logs]\ntimestamp = \"{MOMENT}\"\n{cluster}[features]\ninclude = [{}]\n\
             [store]\npath = \"{}\"\n[run]\nconcurrency = 1\n",
            self.path("bucket").display(),
            names.join(", "),
            self.path("state.db").display()
        )
    }

    /// One new reference, and one new window for each scenario that is still repeated.
    fn repetition(&self, setting: &Setting, repetition: u32) -> Result<Vec<Option<Sighting>>> {
        let end = AS_OF_S - DAY_S;
        let period = Period { start_us: (end - REFERENCE_DAYS * DAY_S) * 1_000_000, days: REFERENCE_DAYS };
        let mut rng = random(&format!("{}: {}", setting.population, setting.reference_rows), repetition);
        let rows = setting.rows_like.draw(Drift::None, setting.reference_rows, period, &mut rng);
        self.put("reference", &rows, "R")?;
        self.run(Command::Profile { output: None })?;
        let sight = |scenario: &Scenario| {
            let wanted = repetition < scenario.most_repetitions;
            wanted.then(|| self.check(setting, scenario, repetition).with_context(|| scenario.name.clone())).transpose()
        };
        setting.scenarios.iter().map(sight).collect()
    }

    fn check(&self, setting: &Setting, scenario: &Scenario, repetition: u32) -> Result<Sighting> {
        let period = Period { start_us: (AS_OF_S - DAY_S) * 1_000_000, days: 1 };
        let mut rng = random(&scenario.name, repetition);
        let rows = setting.rows_like.draw(scenario.drift, scenario.window_rows, period, &mut rng);
        self.put("predictions", &rows, "W")?;
        let report: Report = serde_json::from_str(&self.run(Command::Check)?)?;
        ensure!(report.current.rows == scenario.window_rows, "{} rows were used", report.current.rows);
        let first = feature_names().into_iter().next().unwrap_or_default();
        let first = report.features.into_iter().find(|feature| feature.name == first).context("the first feature is missing")?;
        Ok(Sighting {
            verdict: report.decision.verdict,
            drifted: report.decision.drifted,
            first: first.verdict,
            related: report.joint.is_some_and(|joint| joint.pairs_changed > 0),
            effective_rows: report.current.effective_rows,
        })
    }

    /// Makes the rows the only object of a folder of the bucket.
    fn put(&self, folder: &str, rows: &Rows, prefix: &str) -> Result<()> {
        let (bytes, extension) = encode(rows, prefix)?;
        let folder = self.path("bucket").join(folder);
        for extension in ["csv", "parquet"] {
            let path = folder.join(format!("rows.{extension}"));
            if path.exists() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(std::fs::write(folder.join(format!("rows.{extension}")), bytes)?)
    }

    /// Runs a command as the binary does, and gives what it prints.
    fn run(&self, command: Command) -> Result<String> {
        let options = Options {
            config: Some(self.path("config.toml").display().to_string()),
            window: None,
            as_of: Some(moment()),
            bucket: None,
            reference: None,
            current: None,
            format: Format::Json,
            fail_on: FailOn::Never,
            // A check reads only; a profile is written.
            dry_run: matches!(command, Command::Check),
            timings: false,
            no_notify: true,
            quiet: true,
            verbose: 0,
            no_color: true,
        };
        let invocation = Invocation {
            options,
            environment: Vec::new(),
            now: moment(),
            clock: moment,
            run_id: "simulation".to_owned(),
            execution: None,
            trigger: "manual".to_owned(),
            resource: Vec::new(),
            logs: None,
            attempt: 1,
            terminal: Terminal { color: false, width: 100 },
            progress: Progress::new(MultiProgress::new(), false),
        };
        let outcome = self.runtime.block_on(job::run(command, invocation)).map_err(|error| anyhow!(with_causes(&error)))?;
        ensure!(outcome.exit_code == ExitCode::Success, "ended with {:?}: {}", outcome.exit_code, outcome.output);
        Ok(outcome.output)
    }
}

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(AS_OF_S, 0).unwrap_or_default()
}

/// The random numbers of one repetition of what is named.
fn random(name: &str, repetition: u32) -> ChaCha8Rng {
    // FNV-1a: the same on every machine and with every compiler.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut rng = ChaCha8Rng::seed_from_u64(hash ^ SEED);
    rng.set_stream(u64::from(repetition));
    rng
}
