//! Logs as Parquet files, which both engines read.

use std::path::Path;

use drift_check::feature::{FeatureKind, FeatureName, MISSING_CODE, is_missing};
use drift_check::ingest::decode::{Batch, Column, Encoding, Input, Request, TimestampColumn, decode};
use drift_check::ingest::timestamp::NaiveTimestamps;
use polars::frame::DataFrame;
use polars::prelude::{Column as FrameColumn, DataType, NamedFrom, ParquetWriter, Series, TimeUnit, TimeZone};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::simulation::encode;
use crate::simulation::population::{Drift, Period, Population};
use crate::workspace::Workspace;

/// The end of the windows of made-up logs.
pub const AS_OF: &str = "2026-01-31T18:00:00Z";
pub const END_US: i64 = 1_769_882_400_000_000;
const DAY_US: i64 = 86_400_000_000;

/// Columns of one file.
pub struct Frame {
    rows: usize,
    columns: Vec<FrameColumn>,
}

impl Frame {
    pub fn new(rows: usize) -> Self {
        Self { rows, columns: Vec::new() }
    }

    fn with(mut self, series: Series) -> Self {
        assert_eq!(series.len(), self.rows);
        self.columns.push(series.into());
        self
    }

    pub fn moments(self, name: &str, moments_us: impl IntoIterator<Item = Option<i64>>) -> Self {
        let numbers: Vec<Option<i64>> = moments_us.into_iter().collect();
        let series = Series::new(name.into(), numbers);
        self.with(series.cast(&DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC))).unwrap())
    }

    pub fn moments_us(self, name: &str, moments_us: impl IntoIterator<Item = i64>) -> Self {
        self.moments(name, moments_us.into_iter().map(Some))
    }

    pub fn numbers(self, name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        self.with(Series::new(name.into(), values.into_iter().collect::<Vec<_>>()))
    }

    pub fn floats(self, name: &str, values: impl IntoIterator<Item = f32>) -> Self {
        self.with(Series::new(name.into(), values.into_iter().collect::<Vec<_>>()))
    }

    pub fn integers(self, name: &str, values: impl IntoIterator<Item = Option<i64>>) -> Self {
        self.with(Series::new(name.into(), values.into_iter().collect::<Vec<_>>()))
    }

    pub fn texts(self, name: &str, values: impl IntoIterator<Item = Option<String>>) -> Self {
        self.with(Series::new(name.into(), values.into_iter().collect::<Vec<_>>()))
    }

    pub fn truths(self, name: &str, values: impl IntoIterator<Item = Option<bool>>) -> Self {
        self.with(Series::new(name.into(), values.into_iter().collect::<Vec<_>>()))
    }

    pub fn parquet(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut frame = DataFrame::new(self.rows, self.columns).unwrap();
        ParquetWriter::new(&mut bytes).with_row_group_size(Some(200)).finish(&mut frame).unwrap();
        bytes
    }
}

/// The bucket of the fixtures with its logs as Parquet, and the configuration of the demonstration.
pub fn fixtures(workspace: &Workspace) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bucket = root.join("fixtures/bucket");
    workspace.write("bucket/reference/reference.csv", std::fs::read(bucket.join("reference/reference.csv")).unwrap());
    let config = std::fs::read_to_string(root.join("config/local.toml")).unwrap();
    let features: Vec<FeatureName> = features(&config);
    workspace.write("config.toml", config.replace("file:./fixtures/bucket", "file:bucket"));
    let mut files = Vec::new();
    walk(&bucket.join("predictions"), &mut files);
    assert!(files.len() > 20, "{} objects", files.len());
    for file in files {
        let key = file.strip_prefix(&bucket).unwrap().display().to_string();
        let frame = read(&file, &features);
        let name = key.split('.').next().unwrap();
        workspace.write(&format!("bucket/{name}.parquet"), frame.parquet());
    }
}

fn features(config: &str) -> Vec<FeatureName> {
    let config: toml::Table = toml::from_str(config).unwrap();
    let names = config["features"]["include"].as_array().unwrap();
    names.iter().map(|name| FeatureName::new(name.as_str().unwrap())).collect()
}

fn walk(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}

/// The rows of an object that can be used.
fn read(file: &Path, features: &[FeatureName]) -> Frame {
    let mut columns: Vec<(FeatureName, FeatureKind)> = features.iter().map(|name| (name.clone(), FeatureKind::Numeric)).collect();
    let others =
        [("pred_conf", FeatureKind::Numeric), ("pred_class", FeatureKind::Categorical), ("study_id", FeatureKind::Categorical)];
    columns.extend(others.map(|(name, kind)| (FeatureName::from(name), kind)));
    let timestamp = TimestampColumn { name: "timestamp".to_owned(), naive: NaiveTimestamps::Utc };
    let request = Request {
        columns: columns.clone(),
        timestamp: Some(timestamp),
        cluster: None,
        window: None,
        max_row_bytes: 1 << 20,
        batch_rows: 1 << 20,
    };
    let mut batches: Vec<Batch> = Vec::new();
    let input = Input::Stream(Box::new(std::fs::File::open(file).unwrap()));
    let encoding = Encoding::of_key(&file.display().to_string()).unwrap();
    decode(input, encoding, &request, &mut |batch| {
        batches.push(batch.read()?);
        Ok(())
    })
    .unwrap();
    let rows = batches.iter().map(|batch| batch.rows).sum();
    let mut frame = Frame::new(rows).moments_us("timestamp", batches.iter().flat_map(|batch| batch.timestamps_us.iter().copied()));
    for (at, (name, kind)) in columns.iter().enumerate() {
        let parts = batches.iter().map(|batch| &batch.columns[at]);
        frame = match kind {
            FeatureKind::Numeric => frame.numbers(
                name.as_str(),
                parts.flat_map(|part| match part {
                    Column::Numeric(values) => {
                        values.iter().map(|value| (!is_missing(*value)).then_some(*value)).collect::<Vec<_>>()
                    }
                    other => panic!("{}: {other:?}", name.as_str()),
                }),
            ),
            FeatureKind::Categorical => frame.texts(
                name.as_str(),
                parts.flat_map(|part| match part {
                    Column::Categorical { codes, dictionary } => codes
                        .iter()
                        .map(|code| (*code != MISSING_CODE).then(|| dictionary[*code as usize].clone()))
                        .collect::<Vec<_>>(),
                    other => panic!("{}: {other:?}", name.as_str()),
                }),
            ),
        };
    }
    frame
}

/// A reference and a window of a population whose truth is known, and `more` lines for the section of the logs.
pub fn simulated(workspace: &Workspace, population: &Population, drift: Drift, more: &str) {
    simulated_rows(workspace, population, drift, more, 2_000);
}

/// The same with so many rows in the window.
pub fn simulated_rows(workspace: &Workspace, population: &Population, drift: Drift, more: &str, rows: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let reference = population.draw(Drift::None, 3_000, Period { start_us: END_US - 60 * DAY_US, days: 30 }, &mut rng);
    let window = population.draw(drift, rows, Period { start_us: END_US - DAY_US, days: 1 }, &mut rng);
    workspace.write("bucket/reference/reference.parquet", encode::parquet(&reference, "r").unwrap());
    workspace.write("bucket/predictions/window.parquet", encode::parquet(&window, "w").unwrap());
    // What changes is among the first.
    let names = encode::feature_names().iter().take(4).map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let moment = encode::MOMENT;
    workspace.write(
        "config.toml",
        format!(
            "[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"{moment}\"\n{more}\n[features]\ninclude = \
             [{names}]\n"
        ),
    );
}
