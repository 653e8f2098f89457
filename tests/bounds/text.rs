//! CSV and NDJSON: lines, columns, levels and labels without end, plain and compressed.

use std::io::Write;

use super::{Part, fails, finding, report, rows, sparse, workspace};
use crate::workspace::{Workspace, stamp};

const GIGABYTE: u64 = 1 << 30;

#[test]
fn a_line_of_a_gigabyte_is_rejected_by_its_number_and_the_rows_around_it_are_read() {
    let workspace = workspace();
    let (above, below) = (format!("ts,a,b\n{}", rows(10)), format!("\n{}", rows(20)));
    let line = [Part::Bytes(above.as_bytes()), Part::Hole(GIGABYTE), Part::Bytes(below.as_bytes())];
    sparse(&workspace, "bucket/predictions/line.csv", &line);
    let (above, below) = (format!("ts,a,b\n{}\"", rows(10)), format!("\",0.5,3\n{}", rows(20)));
    let quoted = [Part::Bytes(above.as_bytes()), Part::Hole(GIGABYTE / 4), Part::Bytes(below.as_bytes())];
    sparse(&workspace, "bucket/predictions/quoted.csv", &quoted);
    let row = format!("{{\"ts\":\"{}\",\"a\":0.5,\"b\":3,\"note\":\"", stamp(1));
    let (above, below) = (format!("{row}\"}}\n{row}"), format!("\"}}\n{row}\"}}\n"));
    let text = [Part::Bytes(above.as_bytes()), Part::Hole(GIGABYTE / 2), Part::Bytes(below.as_bytes())];
    sparse(&workspace, "bucket/predictions/text.ndjson", &text);

    let report = report(&workspace);
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&462.into(), &3.into()));
    for (object, line) in [("line.csv", 12), ("quoted.csv", 12), ("text.ndjson", 2)] {
        let message = finding(&report, "rows-rejected", object);
        let said = format!("row-too-long: 1 row (line {line}: longer than logs.max_row_bytes allows)");
        assert!(message.contains(&said), "{message}");
    }
}

/// So many mebibytes of zeros, as members or frames of one mebibyte.
fn compressed(compress: impl Fn(&[u8]) -> Vec<u8>, mebibytes: usize) -> Vec<u8> {
    compress(&vec![0; 1 << 20]).repeat(mebibytes)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn a_compressed_line_without_end_is_rejected_in_bounded_memory() {
    let workspace = workspace();
    let head = format!("ts,a,b\n{}", rows(10));
    workspace.write("bucket/predictions/line.csv.gz", [gzip(head.as_bytes()), compressed(gzip, 300)].concat());
    workspace.write("bucket/predictions/line.ndjson.zst", compressed(zstd, 600));
    let report = report(&workspace);
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&410.into(), &2.into()));
    for (object, line) in [("line.csv.gz", "line 12"), ("line.ndjson.zst", "line 1")] {
        let message = finding(&report, "rows-rejected", object);
        assert!(message.contains("row-too-long") && message.contains(line) && message.contains("logs.max_row_bytes"), "{message}");
    }
}

#[test]
fn a_zstd_frame_that_refers_far_back_is_refused_with_the_remedy() {
    let text = format!("ts,a,b\n{}", rows(20));
    // A frame of one raw block whose window is said to be 128 MiB; then the same with one of 1 MiB.
    let frame = |window: u8| {
        let block = (text.len() as u32) << 3 | 1;
        [b"\x28\xB5\x2F\xFD\0".as_slice(), &[window], &block.to_le_bytes()[..3], text.as_bytes()].concat()
    };
    let workspace = workspace();
    workspace.write("bucket/predictions/far.csv.zst", frame(17 << 3));
    workspace.write("bucket/predictions/near.csv.zst", frame(10 << 3));
    let report = report(&workspace);
    assert_eq!(report["current"]["rows"], 420);
    let message = finding(&report, "object-unreadable", "far.csv.zst");
    assert!(message.contains("a zstd window of more than 32 MiB: compress it at a level up to 19, without --long"), "{message}");
}

#[test]
fn short_rows_that_lack_hundreds_of_columns_are_counted_in_bounded_memory() {
    let workspace = Workspace::new();
    let names: Vec<String> = (0..500).map(|column| format!("c{column}")).collect();
    let row = |i: u32| (0..500).map(|column| (i * (column + 1) % 97).to_string()).collect::<Vec<_>>().join(",");
    let reference: String = (0..200).map(|i| format!("{}\n", row(i))).collect();
    workspace.write("train.csv", format!("{}\n{reference}", names.join(",")));
    workspace.write("today.ndjson", "{}\n".repeat(100_000));
    workspace.write(
        "config.toml",
        format!(
            "[job]\nname = \"test\"\n[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[run]\nconcurrency = 2\n\
             [reference]\npath = \"./train.csv\"\n[logs]\npath = \"./today.ndjson\"\n[features]\ninclude = {names:?}\n"
        ),
    );
    let report = report(&workspace);
    assert_eq!((&report["current"]["rows"], &report["decision"]["broken"]), (&100_000.into(), &500.into()));
}

#[test]
fn labels_of_a_megabyte_are_counted_in_bounded_memory_and_told_apart() {
    let workspace = workspace();
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    let config = config.replace("[\"a\", \"b\"]", "[\"a\", \"b\", \"c\"]\n[features.override.c]\nkind = \"categorical\"");
    workspace.write("config.toml", config);
    let long = |parts: &mut Vec<Vec<u8>>, count: u32, prefix: &dyn Fn(u32) -> String| {
        for i in 0..count {
            parts
                .push(format!("{}{},{},label {}", prefix(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400, i % 400).into_bytes());
        }
    };
    for (name, header, prefix) in [
        ("bucket/reference/reference.csv", "a,b,c\n", (&|_| String::new()) as &dyn Fn(u32) -> String),
        ("bucket/predictions/logs.csv", "ts,a,b,c\n", &|i| format!("{},", stamp(i))),
    ] {
        let mut lines = Vec::new();
        long(&mut lines, 400, prefix);
        let mut parts = vec![Part::Bytes(header.as_bytes())];
        for line in &lines {
            parts.extend([Part::Bytes(line), Part::Hole(600_000), Part::Bytes(b"\n")]);
        }
        sparse(&workspace, name, &parts);
    }
    let report = report(&workspace);
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&400.into(), &0.into()));
    let c = report["features"].as_array().unwrap().iter().find(|feature| feature["name"] == "c").unwrap();
    let cells = c["psi"]["cells"].as_array().unwrap();
    // The reference's labels, each once: 50 of them, and the rest together; none is new.
    assert!(
        cells.len() >= 51 && cells.iter().any(|cell| cell["label"].as_str().unwrap().contains("… (600007 bytes, ")),
        "{cells:#?}"
    );
}

#[test]
fn more_columns_than_any_table_has_are_refused_with_the_remedy() {
    let workspace = workspace();
    let header = |columns: u32| (0..columns).map(|column| format!("c{column}")).collect::<Vec<_>>().join(",");
    workspace.write("bucket/predictions/columns.csv", format!("ts,a,b,{}\n", header(100_000)));
    workspace.write("bucket/predictions/million.csv", format!("ts,a,b,{}\n", header(1_000_000)));
    let keys: String = (0..1_000_000).map(|key| format!(",\"k{key}\":1")).collect();
    let row = format!("{{\"ts\":\"{}\",\"a\":0.5,\"b\":3", stamp(1));
    workspace.write("bucket/predictions/million.ndjson", format!("{row}}}\n{row}{keys}}}\n{row}}}\n"));
    let report = report(&workspace);
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&402.into(), &1.into()));
    let columns = finding(&report, "object-unreadable", "columns.csv");
    assert!(columns.contains("more than 32768 columns: write only those that are compared"), "{columns}");
    let million = finding(&report, "object-unreadable", "million.csv");
    assert!(million.contains("a header that cannot be read: longer than logs.max_row_bytes allows"), "{million}");
    let keys = finding(&report, "rows-rejected", "million.ndjson");
    assert!(keys.contains("row-too-long: 1 row (line 2: longer than logs.max_row_bytes allows)"), "{keys}");
}

#[test]
fn a_reference_of_ever_new_columns_is_refused_with_the_remedy() {
    let workspace = workspace();
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    workspace.write("config.toml", config.replace("include = [\"a\", \"b\"]", "include = \"auto\""));
    let line = |line: u32| (0..500).map(|key| format!("\"k{line}_{key}\":1")).collect::<Vec<_>>().join(",");
    let lines: String = (0..200).map(|number| format!("{{{}}}\n", line(number))).collect();
    workspace.write("bucket/reference/more.ndjson", lines);
    fails(&workspace, 4, &["reference/more.ndjson: there are more than 32768 columns: write only those that are compared"]);
}

#[test]
fn levels_without_end_are_values_that_nobody_needs_or_rows_that_are_rejected() {
    let workspace = workspace();
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let row = |a: &str, more: &str| format!("{{\"ts\":\"{}\",\"a\":{a},\"b\":3{more}}}\n", stamp(1));
    let lines = [
        row("0.5", &format!(",\"x\":{open}{close}")),
        row(&format!("{open}{close}"), ""),
        row("0.5", &format!(",\"x\":{open}")),
        row(&format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)), ""),
    ];
    workspace.write("bucket/predictions/levels.ndjson", lines.concat());
    let report = report(&workspace);
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&401.into(), &3.into()));
    let message = finding(&report, "rows-rejected", "levels.ndjson");
    for part in ["nested-value: 2 rows (line 2", "line 4", "invalid-json: 1 row (line 3"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}
