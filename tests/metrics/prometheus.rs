//! The whole way of a text file, with the real programs: drift-check → node_exporter → Prometheus → the expressions of the dashboards.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::dashboards::{cloud_monitoring, grafana, texts};
use super::textfile::parse;
use super::{FILE, file, tool, workspace};

/// Long enough for a loaded machine; each program needs a second or two.
const PATIENCE: Duration = Duration::from_mins(2);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(command: &mut Command) -> Running {
    Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// A port that was free a moment ago.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until the answer is as wanted.
async fn get(url: &str, is_wanted: impl Fn(&str) -> bool) -> String {
    let begin = Instant::now();
    let client = reqwest::Client::new();
    loop {
        let answer = async { client.get(url).send().await?.error_for_status()?.text().await }.await;
        match answer {
            Ok(text) if is_wanted(&text) => return text,
            other => assert!(begin.elapsed() < PATIENCE, "{url}: {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn promtool(program: &Path, text: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    std::fs::write(&path, text).unwrap();
    let input = std::fs::File::open(&path).unwrap();
    let output = Command::new(program).args(["check", "metrics"]).stdin(input).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn promtool_finds_nothing_to_say() {
    let Some(program) = tool("prometheus::promtool_finds_nothing_to_say", "promtool") else { return };
    let workspace = workspace("textfile = \"metrics/drift.prom\"");
    assert_eq!(workspace.check(&[]).code, 0);
    assert_eq!(promtool(&program, &file(&workspace)), (true, String::new()));
    // What would say nothing of anything would be no check.
    assert!(!promtool(&program, &file(&workspace).replace("} 0.0", "} none")).0);
}

/// Prometheus, which reads a node_exporter and, as OpenMetrics, the file itself.
struct Prometheus {
    url: String,
    _running: [Running; 2],
    _folder: TempDir,
}

impl Prometheus {
    async fn start(programs: &[PathBuf; 2], text: String, metrics: &Path) -> Self {
        let [prometheus, node_exporter] = programs;
        let (node, own) = (port(), port());
        let exporter = start(
            Command::new(node_exporter)
                .args(["--collector.disable-defaults", "--collector.textfile"])
                .arg(format!("--collector.textfile.directory={}", metrics.display()))
                .arg(format!("--web.listen-address=127.0.0.1:{node}")),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let served = listener.local_addr().unwrap();
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let app = axum::Router::new().fallback(move || std::future::ready(([("content-type", kind)], text.clone())));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let target = |name: &str, address: String| {
            format!("- job_name: {name}\n  scrape_interval: 1s\n  static_configs: [{{targets: ['{address}']}}]\n")
        };
        let targets = target("node", format!("127.0.0.1:{node}")) + &target("openmetrics", served.to_string());
        std::fs::write(&config, format!("scrape_configs:\n{targets}")).unwrap();
        let running = start(
            Command::new(prometheus)
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{own}")),
        );
        let scraped = get(&format!("http://127.0.0.1:{node}/metrics"), |text| text.contains("drift_check_")).await;
        assert!(scraped.contains("node_textfile_scrape_error 0"), "{scraped}");
        Self { url: format!("http://127.0.0.1:{own}"), _running: [exporter, running], _folder: folder }
    }

    /// What an expression comes to.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let url = format!("{}/api/v1/query", self.url);
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = reqwest::get(format!("{url}?query={encoded}")).await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Once there is something.
    async fn wait_for(&self, expression: &str) -> Vec<Value> {
        let begin = Instant::now();
        get(&format!("{}/-/ready", self.url), |_| true).await;
        loop {
            let found = self.query(expression).await;
            if !found.is_empty() {
                return found;
            }
            assert!(begin.elapsed() < PATIENCE, "{expression} stays empty");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_expression_of_the_dashboards_has_an_answer_in_a_real_prometheus() {
    let test = "prometheus::every_expression_of_the_dashboards_has_an_answer_in_a_real_prometheus";
    let (Some(prometheus), Some(exporter)) = (tool(test, "prometheus"), tool(test, "prometheus-node-exporter")) else { return };
    let workspace = workspace("textfile = \"metrics/drift.prom\"");
    let ran = tokio::task::block_in_place(|| workspace.check(&[]));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let text = file(&workspace);
    let folder = workspace.path(FILE).parent().unwrap().to_owned();
    let prometheus = Prometheus::start(&[prometheus, exporter], text.clone(), &folder).await;
    // Both ways: the older text format through node_exporter, and OpenMetrics by Prometheus' own parser.
    for job in ["node", "openmetrics"] {
        prometheus.wait_for(&format!("drift_check_build_info{{job=\"{job}\"}}")).await;
        for ((name, labels), value) in parse(&text) {
            let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{text}\"")).collect();
            let found = prometheus.query(&format!("{name}{{job=\"{job}\",{}}}", labels.join(","))).await;
            let [sample] = found.as_slice() else { panic!("{name} {labels:?}: {found:?}") };
            let read: f64 = sample["value"][1].as_str().unwrap().parse().unwrap();
            assert_eq!(read, value, "{name} {labels:?}");
        }
    }
    for (what, expressions) in
        [("grafana", texts(&grafana(), "expr")), ("Cloud Monitoring", texts(&cloud_monitoring(), "prometheusQuery"))]
    {
        for expression in expressions {
            let filled = expression.replace("$job_name", ".*").replace("$environment", ".*");
            assert!(!filled.contains('$'), "{expression}");
            assert!(!prometheus.query(&filled).await.is_empty(), "{what}: {expression} has no answer");
        }
    }
    // The verdict of this day is drift, and 3 is what stands for it.
    let verdict = texts(&grafana(), "expr").into_iter().find(|expression| expression.contains("drift_check_verdict")).unwrap();
    let found = prometheus.query(&verdict.replace("$job_name", "test").replace("$environment", "local")).await;
    assert_eq!(found[0]["value"][1], "3");
    assert!(prometheus.query(&verdict.replace("$job_name", "other").replace("$environment", ".*")).await.is_empty());
}
