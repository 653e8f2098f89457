//! A real Spark Connect server: Apache Spark, in a virtual environment under the target folder that is made once. One for the whole integration
//! binary, in one process; others for the tests that do harm to theirs.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::watched;

/// The version that the tests were written with.
const PACKAGE: &str = "pyspark==4.1.4";

/// For a virtual machine that ends before thorough compilation has paid, on as few cores as the tests are run on.
const SHORT_LIVED: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// Ten seconds are usual.
const PATIENCE: Duration = Duration::from_mins(3);

/// A running server. It ends with this process, or when it is dropped.
pub struct SparkServer {
    pub port: u16,
    /// What it prints.
    pub log: PathBuf,
    watchdog: Child,
    _folder: TempDir,
}

impl SparkServer {
    /// Starts a server with a master such as `local[2]` or `local-cluster[2,1,1500]`, and more settings.
    pub fn start(master: &str, settings: &[(&str, &str)]) -> Self {
        let home = home();
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut arguments = vec!["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "--master", master];
        arguments.extend(["--driver-memory", "1500m"]);
        let path = |name: &str| folder.path().join(name).display().to_string();
        let own = [
            ("spark.connect.grpc.binding.address", "127.0.0.1".to_owned()),
            ("spark.connect.grpc.binding.port", port.to_string()),
            ("spark.ui.enabled", "false".to_owned()),
            // It would keep every request.
            ("spark.connect.execute.manager.abandonedTombstonesSize", "1".to_owned()),
            ("spark.sql.shuffle.partitions", "2".to_owned()),
            ("spark.sql.warehouse.dir", path("warehouse")),
            ("spark.local.dir", path("local")),
            ("spark.driver.extraJavaOptions", SHORT_LIVED.to_owned()),
            ("spark.executor.extraJavaOptions", SHORT_LIVED.to_owned()),
        ];
        let given = settings.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let settings: Vec<String> = own.into_iter().chain(given).map(|(key, value)| format!("{key}={value}")).collect();
        for setting in &settings {
            arguments.extend(["--conf", setting]);
        }
        arguments.push("spark-internal");
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let log = folder.path().join("server.log");
        let spark_home = home.display().to_string();
        let worker_folder = path("work");
        // What it would find in the environment is not what is tested.
        let environment =
            [("SPARK_HOME", spark_home.as_str()), ("SPARK_LOCAL_IP", "127.0.0.1"), ("SPARK_WORKER_DIR", &worker_folder)];
        let watchdog = watched::start(&home.join("bin/spark-submit"), &arguments, &environment, &log);
        let server = Self { port, log, watchdog, _folder: folder };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "Spark did not start: {}", server.said());
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    pub fn remote(&self) -> String {
        format!("sc://127.0.0.1:{}", self.port)
    }

    /// The process group that it and its executors are in.
    pub fn group(&self) -> u32 {
        self.watchdog.id()
    }

    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for SparkServer {
    fn drop(&mut self) {
        // The watchdog does the rest.
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The server of all tests that only ask.
pub fn shared() -> &'static SparkServer {
    static SHARED: OnceLock<SparkServer> = OnceLock::new();
    SHARED.get_or_init(|| SparkServer::start("local[2]", &[]))
}

/// Where Spark is. Where it cannot be had, the test that asked for it fails and says so.
fn home() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let ready = target.join("spark-venv");
        if let Some(home) = found(&ready) {
            return home;
        }
        // Made aside and put in place whole: other test processes may be doing the same.
        let aside = target.join(format!("spark-venv-{}", std::process::id()));
        run(Command::new("python3").args(["-m", "venv"]).arg(&aside));
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", PACKAGE];
        run(Command::new(aside.join("bin/python")).args(install));
        let _ = std::fs::remove_dir_all(&ready);
        if std::fs::rename(&aside, &ready).is_err() {
            let _ = std::fs::remove_dir_all(&aside);
        }
        found(&ready).unwrap_or_else(|| panic!("Spark cannot be had: {PACKAGE} is not in {}", ready.display()))
    })
}

fn found(environment: &Path) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(environment.join("lib")).ok()?.flatten();
    let mut homes = pythons.map(|python| python.path().join("site-packages/pyspark"));
    homes.find(|home| home.join("bin/spark-submit").is_file() && home.join("jars").is_dir())
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
