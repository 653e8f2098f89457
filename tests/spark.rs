//! The same check on a real Spark Connect server: whatever this machine counts, the cluster counts too.

mod faults;
mod logs;
mod middle;

use serde_json::Value;

use crate::simulation::population::{Drift, Marginal, Population};
use crate::spark_server::shared;
use crate::workspace::{Ran, Workspace};
use logs::{Frame, fixtures, simulated};

/// The variables that hand a check to a cluster.
fn by_spark(remote: &str) -> [(&'static str, String); 2] {
    [("DRIFT_CHECK__ENGINE__KIND", "spark".to_owned()), ("DRIFT_CHECK__ENGINE__REMOTE", remote.to_owned())]
}

/// Runs `check --format json` on this machine and on the cluster, with so many earlier windows.
fn both_with(workspace: &Workspace, backfill: &str, arguments: &[&str]) -> [Value; 2] {
    let spark = by_spark(&shared().remote());
    let run = |environment: &[(&str, &str)]| -> Value {
        let mut all = vec!["--config", "config.toml", "--format", "json", "--dry-run"];
        all.extend(arguments);
        let environment = [environment, &[("DRIFT_CHECK__REPORT__BACKFILL_WINDOWS", backfill)]].concat();
        let ran = workspace.run_with(&all, &environment);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    [run(&[]), run(&spark.each_ref().map(|(key, value)| (*key, value.as_str())))]
}

fn both(workspace: &Workspace, arguments: &[&str]) -> [Value; 2] {
    both_with(workspace, "0", arguments)
}

/// What a cluster does not tell, and what differs from run to run.
fn comparable(mut report: Value) -> Value {
    let fields = report.as_object_mut().unwrap();
    fields["run"].as_object_mut().unwrap().retain(|key, _| key == "history");
    let current = fields["current"].as_object_mut().unwrap();
    current.retain(|key, _| ["rows", "effective_rows", "rows_rejected"].contains(&key.as_str()));
    fields.remove("joint");
    fields.remove("reference");
    fields["signals"].as_array_mut().unwrap().retain(|signal| signal["name"] != "storage");
    let findings = fields["findings"].as_array_mut().unwrap();
    findings.retain(|finding| finding["code"] != "engine-limited");
    // Where rejected rows are, a cluster does not tell.
    for finding in findings.iter_mut().filter(|finding| finding["code"] == "rows-rejected") {
        finding.as_object_mut().unwrap().retain(|key, _| key == "code");
    }
    report
}

/// Both reports are the same, number for number, but for what the cluster says that it does not tell.
fn assert_same(workspace: &Workspace, arguments: &[&str]) -> Value {
    assert_both_same(both(workspace, arguments))
}

fn assert_both_same([local, spark]: [Value; 2]) -> Value {
    assert!(spark["joint"].is_null());
    let limited = |report: &Value| report["findings"].as_array().unwrap().iter().any(|finding| finding["code"] == "engine-limited");
    assert!(limited(&spark) && !limited(&local));
    let (local, spark) = (comparable(local), comparable(spark));
    assert!(local == spark, "{}", difference(&local, &spark, ""));
    spark
}

/// Where two reports part.
fn difference(a: &Value, b: &Value, at: &str) -> String {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            let null = Value::Null;
            let parts = keys.filter(|key| a.get(*key) != b.get(*key));
            parts
                .map(|key| difference(a.get(key).unwrap_or(&null), b.get(key).unwrap_or(&null), &format!("{at}.{key}")))
                .collect::<Vec<_>>()
                .join("\n")
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let parts = a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b);
            parts.map(|(index, (a, b))| difference(a, b, &format!("{at}[{index}]"))).collect::<Vec<_>>().join("\n")
        }
        _ => format!("{at}: {a} here, {b} on the cluster"),
    }
}

#[test]
fn the_fixtures_count_the_same_their_drift_day_and_all_their_days_together() {
    let workspace = Workspace::new();
    fixtures(&workspace);
    let day = assert_same(&workspace, &["--as-of", "2026-02-01T00:00:00Z"]);
    assert_eq!((&day["decision"]["verdict"], &day["current"]["rows"]), (&Value::from("drift"), &Value::from(434)));
    let days = assert_same(&workspace, &["--as-of", "2026-02-01T00:00:00Z", "--window", "8d"]);
    assert!(days["current"]["rows"].as_u64().unwrap() > 2_000, "{}", days["current"]);
}

#[test]
fn every_kind_of_population_counts_the_same() {
    let studies = Population { study_rows: 10, study_share: 0.8, ..Population::PLAIN };
    let tied = Population { marginal: Marginal::Rounded, ..studies };
    let zeros = Population { marginal: Marginal::ZeroInflated, missing: 0.1, ..studies };
    let heavy = Population { marginal: Marginal::StudentT, ..studies };
    let skewed = Population { marginal: Marginal::Lognormal, correlation: 0.8, ..studies };
    let labels = Population { categorical: true, missing: 0.02, ..studies };
    for (population, drift) in [
        (Population { ..studies }, Drift::Shift(0.5)),
        (tied, Drift::None),
        (zeros, Drift::Missing(0.5)),
        (heavy, Drift::Spread(3.0)),
        (skewed, Drift::Shift(4.0)),
        (labels, Drift::Mix),
        (labels, Drift::Dead),
    ] {
        let workspace = Workspace::new();
        simulated(&workspace, &population, drift, "cluster = \"study\"");
        assert_same(&workspace, &["--as-of", logs::AS_OF]);
    }
}

#[test]
fn without_clusters_everything_but_the_dependence_in_time_is_the_same() {
    let workspace = Workspace::new();
    simulated(&workspace, &Population { study_rows: 10, study_share: 0.8, ..Population::PLAIN }, Drift::Shift(1.0), "");
    let [local, spark] = both(&workspace, &["--as-of", logs::AS_OF]);
    let message = spark["findings"].as_array().unwrap().iter().find(|finding| finding["code"] == "engine-limited").unwrap();
    assert!(message["message"].as_str().unwrap().contains("by the hour only"), "{message}");
    assert_eq!(local["decision"]["verdict"], spark["decision"]["verdict"]);
    let by_name = |report: &Value| -> Vec<Value> {
        let mut features = report["features"].as_array().unwrap().clone();
        features.sort_by_key(|feature| feature["name"].as_str().unwrap().to_owned());
        features
    };
    for (local, spark) in by_name(&local).iter().zip(&by_name(&spark)) {
        for path in ["/ks/statistic", "/ks/p_value", "/psi/value", "/wasserstein", "/current", "/histogram", "/n_current"] {
            assert_eq!(local.pointer(path), spark.pointer(path), "{path} of {}", local["name"]);
        }
        // Ten rows of one study count about once, whoever looks: here by blocks of rows, there by the hour.
        let effect = |feature: &Value| feature["design_effect"]["current"].as_f64().unwrap();
        assert!(effect(spark) > 2.0 && effect(spark) < 4.0 * effect(local), "{} and {}", effect(local), effect(spark));
    }
}

/// Values at, between and beyond the knots, the ends of the doubles among them; types of every kind.
#[test]
fn values_of_every_size_and_type_count_the_same() {
    let workspace = Workspace::new();
    let mut values: Vec<f64> = vec![0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 7.0];
    let reference =
        values.iter().chain(&[1e-300, 5.0]).cycle().take(180).map(|value| format!("{value},{value},{value},{value},{value}\n"));
    workspace.write("bucket/reference/reference.csv", format!("x,whole,small,text,truth\n{}", reference.collect::<String>()));
    workspace.write(
        "config.toml",
        "[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\ncluster = \"study\"\nmax_rejected_fraction = 0.5\n[features]\ninclude = \
         [\"x\", \"whole\", \"small\", \"text\", \"truth\"]\n",
    );
    values.extend([-0.0, -1.0, -1e-320, 1e-310, 2.5, 7.000_000_1, 8.0, 16.0, 1e9, 1e17, -1e17, 1e200, f64::MAX, f64::MIN, 5e-324]);
    values.extend([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
    let rows = values.len();
    let frame = Frame::new(rows)
        .moments_us("ts", (0..rows as i64).map(|row| logs::END_US - 1 - row * 60_000_000))
        .texts("study", (0..rows).map(|row| (row % 3 > 0).then(|| format!("s{}", row % 7))))
        .numbers("x", values.iter().map(|value| Some(*value)))
        .integers("whole", (0..rows as i64).map(|row| (row % 5 > 0).then_some(row - 4)))
        .floats("small", values.iter().map(|value| *value as f32))
        .texts("text", (0..rows).map(|row| Some(format!("{row}"))))
        .truths("truth", (0..rows).map(|_| None));
    workspace.write("bucket/predictions/a.parquet", frame.parquet());
    // A file without some of the columns, and rows without a moment.
    let frame = Frame::new(4)
        .moments("ts", [None, Some(0), Some(logs::END_US - 5), Some(logs::END_US + 5)])
        .texts("study", (0..4).map(|row| Some(format!("t{row}"))))
        .numbers("x", [Some(1.0), None, Some(1.75), Some(9.0)])
        .integers("whole", [Some(1), Some(2), None, Some(3)])
        .floats("small", [1.0, 2.0, 3.0, 4.0])
        .texts("text", (0..4).map(|_| Some("a".to_owned())))
        .truths("truth", (0..4).map(|_| None));
    workspace.write("bucket/predictions/deep/er/b.parquet", frame.parquet());
    // As many rows as are tolerated are without a moment that can be.
    let report = assert_same(&workspace, &["--as-of", logs::AS_OF, "--window", "24h"]);
    assert_eq!(report["current"]["rows_rejected"], 2);
}

#[test]
fn labels_of_every_type_count_the_same() {
    let workspace = Workspace::new();
    let reference: String =
        (0..200).map(|row| format!("{},{},{},{}\n", row % 4, row % 3, row % 2 == 0, ["a", "b", "NA"][row % 3])).collect();
    workspace.write("bucket/reference/reference.csv", format!("whole,decimal,truth,text\n{reference}"));
    let kinds: String = ["whole", "decimal", "truth", "text"]
        .iter()
        .map(|name| format!("[features.override.{name}]\nkind = \"categorical\"\n"))
        .collect();
    workspace.write(
        "config.toml",
        format!(
            "[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\ncluster = \"study\"\n[features]\ninclude \
             = [\"whole\", \"decimal\", \"truth\", \"text\"]\n{kinds}"
        ),
    );
    let frame = Frame::new(60)
        .integers("ts", (0..60).map(|row| Some(logs::END_US / 1_000_000 - 1 - row * 60)))
        .integers("study", (0..60).map(|row| Some(row / 4)))
        .integers("whole", (0..60).map(|row| (row % 7 > 0).then_some(row % 6)))
        .numbers("decimal", (0..60).map(|row| Some(f64::from(row % 8) / 2.0)))
        .truths("truth", (0..60).map(|row| (row % 5 > 0).then_some(row % 2 == 0)))
        .texts("text", (0..60).map(|row| Some([" a ", "b", "NA", "nan", "new one", ""][row % 6].to_owned())));
    workspace.write("bucket/predictions/a.parquet", frame.parquet());
    // The window before it, from the same rows.
    let report = assert_both_same(both_with(&workspace, "1", &["--as-of", logs::AS_OF, "--window", "30m"]));
    assert_eq!(report["run"]["history"].as_array().unwrap().len(), 1);
}

#[test]
fn the_newest_confidences_are_the_same_also_from_before_the_window() {
    let workspace = Workspace::new();
    fixtures(&workspace);
    // Fewer features than the service has: it is not they that are looked at.
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    let (start, end) = (config.find("    \"major_axis_length\"").unwrap(), config.find("    \"ggo_ratio\"").unwrap());
    workspace.write("config.toml", format!("{}{}", &config[..start], &config[end..]));
    let more = ["--as-of", "2026-01-31T02:00:00Z", "--window", "1h"];
    let report = assert_same(&workspace, &more);
    let signal = report["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == "low-confidence").unwrap();
    assert_eq!(signal["n"], 100, "{signal}");
}

#[test]
fn a_table_of_the_catalogue_is_read_as_its_files_are() {
    let workspace = Workspace::new();
    fixtures(&workspace);
    let as_of = ["--as-of", "2026-02-01T00:00:00Z"];
    let local = comparable(both(&workspace, &as_of)[0].clone());
    let database = format!("db{}", std::process::id());
    let session = spark_connect::SparkSession::builder().remote(&shared().remote()).get_or_create().unwrap();
    let sql = |statement: &str| drop(session.sql(statement).unwrap().collect().unwrap());
    sql(&format!("CREATE DATABASE {database}"));
    let folder = workspace.path("bucket/predictions");
    let options = format!("OPTIONS (path '{}', recursiveFileLookup 'true')", folder.display());
    sql(&format!("CREATE TABLE {database}.predictions USING parquet {options}"));
    let spark = by_spark(&shared().remote());
    let mut environment: Vec<(&str, &str)> = spark.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let table = format!("{database}.predictions");
    environment.extend([("DRIFT_CHECK__LOGS__TABLE", table.as_str()), ("DRIFT_CHECK__REPORT__BACKFILL_WINDOWS", "0")]);
    let ran = workspace.run_with(&["--config", "config.toml", "--format", "json", "--dry-run", as_of[0], as_of[1]], &environment);
    sql(&format!("DROP DATABASE {database} CASCADE"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let spark = ran.json();
    assert!(spark["current"]["objects"][0]["uri"].as_str().unwrap().starts_with(&table), "{}", spark["current"]["objects"]);
    assert_eq!(comparable(spark), local);
}

#[test]
fn doctor_sees_the_logs_and_a_backtest_that_reads_rows_itself_refuses() {
    let workspace = Workspace::new();
    fixtures(&workspace);
    let spark = by_spark(&shared().remote());
    let environment = spark.each_ref().map(|(key, value)| (*key, value.as_str()));
    let ran = workspace.run_with(&["doctor", "--config", "config.toml"], &environment);
    assert!(ran.stdout.contains("20 columns at file://") && ran.stdout.contains("2026-01-31"), "{}", ran.stdout);
    let arguments = ["backtest", "--config", "config.toml", "--from", "2026-01-30", "--to", "2026-01-31"];
    let Ran { code, stderr, .. } = workspace.run_with(&arguments, &environment);
    assert!(code == 2 && stderr.contains("DRIFT_CHECK__ENGINE__KIND=local"), "{code} {stderr}");
}

/// The window is a condition that Parquet's own statistics are asked for.
#[test]
fn the_window_is_pushed_down_to_the_files() {
    use drift_check::engine::columns::Moment;
    use drift_check::engine::dialect::Dialect;

    let workspace = Workspace::new();
    fixtures(&workspace);
    let session = spark_connect::SparkSession::builder().remote(&shared().remote()).get_or_create().unwrap();
    let window = Dialect::Spark.is_between("timestamp", Moment::Instant, 1_769_800_000_000_000, 1_769_900_000_000_000);
    let folder = workspace.path("bucket/predictions").display().to_string();
    let view = session.read().option("recursiveFileLookup", "true").parquet(&folder);
    view.create_or_replace_temp_view("pushed").unwrap();
    let plan = session.sql(&format!("EXPLAIN FORMATTED SELECT count(*) FROM pushed WHERE {window}")).unwrap().collect().unwrap();
    let plan = format!("{:?}", plan.first().unwrap().values());
    assert!(plan.contains("PushedFilters: [IsNotNull(timestamp), GreaterThanOrEqual(timestamp,"), "{plan}");
}

/// A file whose rows cannot be read fails whoever reads them; its schema and its statistics can.
#[test]
fn files_whose_date_is_not_in_the_window_are_not_read() {
    let workspace = Workspace::new();
    let logs = "cluster = \"study\"\ndate_pattern = \"%Y/%m/%d\"\ndate_slack = \"1h\"";
    simulated(&workspace, &Population { study_rows: 10, study_share: 0.5, ..Population::PLAIN }, Drift::None, logs);
    let whole = std::fs::read(workspace.path("bucket/predictions/window.parquet")).unwrap();
    let mut broken = whole.clone();
    let half = broken.len() / 2;
    broken[4..half].fill(0xFF);
    workspace.write("bucket/predictions/2026/01/31/whole.parquet", &whole);
    workspace.write("bucket/predictions/2026/01/29/broken.parquet", &broken);
    workspace.write("bucket/predictions/2026/02/01/broken.parquet", &broken);
    let report = assert_same(&workspace, &["--as-of", logs::AS_OF]);
    assert_eq!(report["current"]["rows"], 4_000);

    workspace.write("bucket/predictions/2026/01/30/broken.parquet", &broken);
    let ran = faults::check(&workspace, &shared().remote(), &[]);
    assert!([4, 5].contains(&ran.code), "{} {}", ran.code, ran.stderr);
}

#[test]
fn a_window_without_a_file_has_no_rows() {
    let workspace = Workspace::new();
    simulated(&workspace, &Population::PLAIN, Drift::None, "date_pattern = \"%Y/%m/%d\"");
    let window = std::fs::read(workspace.path("bucket/predictions/window.parquet")).unwrap();
    std::fs::remove_file(workspace.path("bucket/predictions/window.parquet")).unwrap();
    workspace.write("bucket/predictions/2026/01/30/window.parquet", &window);
    workspace.write("bucket/predictions/2026/01/31/window.parquet", &window);
    let [local, spark] = both(&workspace, &["--as-of", "2026-02-15T00:00:00Z"]);
    for report in [&local, &spark] {
        assert_eq!(report["decision"]["verdict"], "no-data");
        assert_eq!(report["findings"][0]["code"], "no-rows");
    }
    // The cluster has looked for it, in all files.
    let is_told = |signal: &Value| signal["reason"].as_str().is_some_and(|reason| reason.contains("hours older than its end"));
    assert!(spark["signals"].as_array().unwrap().iter().any(is_told), "{}", spark["signals"]);
}
