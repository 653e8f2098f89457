//! What other programs, or other runs, left: a profile, a configuration, a cache, a report, a listing.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{Part, assert_bounded, fails, report, sparse, workspace};
use crate::measured;

const ENORMOUS: u64 = 10 << 30;

#[test]
fn a_profile_of_ten_gigabytes_is_refused_with_the_remedy() {
    let workspace = workspace();
    sparse(&workspace, "bucket/reference/profile.json", &[Part::Bytes(b"{\"version\":3"), Part::Hole(ENORMOUS)]);
    let remedy = "build the profile of fewer features, or raise run.max_download_bytes";
    fails(&workspace, 4, &["reference/profile.json has more than 268435456 bytes", remedy]);
}

#[test]
fn a_configuration_of_ten_gigabytes_is_refused() {
    let workspace = workspace();
    sparse(&workspace, "config.toml", &[Part::Bytes(b"[job]\n"), Part::Hole(ENORMOUS)]);
    fails(&workspace, 3, &["config.toml", "it has more than 1048576 bytes"]);
}

#[test]
fn packs_of_ten_gigabytes_are_passed_over() {
    let workspace = workspace();
    // What was written in these very seconds may change once more, and is not kept.
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    let first = report(&workspace);
    let pack = std::fs::read(workspace.path("bucket/reports/test/cache/0.pack")).unwrap();
    // Magic, version and key; then the newest hour, and how many bytes follow.
    let mut head = pack[..76].to_vec();
    head[36..44].copy_from_slice(&ENORMOUS.to_le_bytes());
    for (slot, head) in [(0, head.as_slice()), (1, &[]), (2, b"DRIFTHRS")] {
        sparse(&workspace, &format!("bucket/reports/test/cache/{slot}.pack"), &[Part::Bytes(head), Part::Hole(ENORMOUS)]);
    }
    let second = report(&workspace);
    assert_eq!(first["features"], second["features"]);
}

#[test]
fn a_latest_report_larger_than_any_is_replaced() {
    let workspace = workspace();
    sparse(&workspace, "bucket/reports/test/latest.json", &[Part::Bytes(b"{"), Part::Hole(220 << 20)]);
    report(&workspace);
    let latest = std::fs::read(workspace.path("bucket/reports/test/latest.json")).unwrap();
    let latest: serde_json::Value = serde_json::from_slice(&latest).unwrap();
    assert_eq!(latest["window"]["end"], crate::workspace::AS_OF);
}

/// Answers every request with the beginning of a listing, and does not stop.
fn endless_listing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            if stream.read(&mut request).is_err() {
                continue;
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            let item = "{\"name\":\"predictions/x.csv\",\"generation\":\"1\",\"size\":\"1\"},".repeat(1_000);
            let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
            let mut sent = stream.write_all([head, &chunk("{\"items\":[")].concat().as_bytes());
            while sent.is_ok() {
                sent = stream.write_all(chunk(&item).as_bytes());
            }
        }
    });
    format!("http://{address}")
}

#[test]
fn a_listing_without_end_is_refused() {
    let workspace = workspace();
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    let cloud = format!("uri = \"gs://logs\"\nendpoint = \"{}\"\n", endless_listing());
    workspace.write("config.toml", config.replace("uri = \"file:bucket\"\n", &cloud));
    let (ran, peak) = measured::check(&workspace, &[]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert_bounded(peak);
    for part in ["cannot list gs://logs/reference/", "is longer than 33554432 bytes: check bucket.endpoint"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}
