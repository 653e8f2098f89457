//! Bad input through the whole binary: a clear error or finding that names the place; nothing lost, nothing partial.

use std::io::Write;

use serde_json::Value;

use crate::workspace::{Workspace, findings, rows, stamp, text, verdict};

/// A workspace with a reference and a log of 400 good rows, to which `more` is appended.
fn with_log_lines(more: &str) -> Workspace {
    let workspace = Workspace::new();
    let good = rows(400, |i| format!("{},", stamp(i)), |a| a);
    workspace.config("").reference().write("bucket/predictions/logs.csv", format!("ts,a,b\n{good}{more}"));
    workspace
}

/// A workspace whose window is the given log and nothing else.
fn with_log(name: &str, bytes: impl AsRef<[u8]>) -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference().write(&format!("bucket/predictions/{name}"), bytes);
    workspace
}

/// A workspace with 400 good rows and one more object.
fn with_object(name: &str, bytes: impl AsRef<[u8]>) -> Workspace {
    let workspace = with_log_lines("");
    workspace.write(&format!("bucket/predictions/{name}"), bytes);
    workspace
}

fn message(report: &Value, code: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    text(&findings.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("no {code} in {findings:?}"))["message"])
}

/// The report of a check in which `rejected` rows were rejected, and the message about them.
fn rejected(workspace: &Workspace, rejected: u64) -> String {
    let report = workspace.report(&[]);
    let current = &report["current"];
    assert_eq!(current["rows_rejected"], rejected, "{report:#}");
    let sum: u64 = ["rows", "rows_outside_window", "rows_rejected"].iter().map(|part| current[*part].as_u64().unwrap()).sum();
    assert_eq!(current["rows_read"], sum);
    assert_eq!(report["decision"]["verdict"], "stable", "bad rows must not look like drift");
    message(&report, "rows-rejected")
}

/// A check that must fail with this exit code leaves no report, and says all of `parts`.
fn fails(workspace: &Workspace, code: i32, parts: &[&str]) {
    let ran = workspace.check(&[]);
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "no `{part}` in {}", ran.stderr);
    }
    assert_eq!(workspace.files("bucket/reports"), Vec::<String>::new());
    assert_eq!(ran.stdout, "");
}

#[test]
fn rows_with_too_many_or_too_few_fields_are_rejected_and_never_shifted() {
    let twelve = format!("{},0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0,1.1\n", stamp(7));
    let message = rejected(&with_log_lines(&format!("{twelve}{},0.5\n", stamp(8))), 2);
    assert!(message.contains("line 402") && message.contains("found 12 fields, expected 3"), "{message}");
    assert!(message.contains("line 403") && message.contains("found 2 fields, expected 3"), "{message}");
}

#[test]
fn text_in_a_numeric_column_rejects_its_row() {
    let message = rejected(&with_log_lines(&format!("{},oops,3\n", stamp(7))), 1);
    assert!(message.contains("wrong-type") && message.contains("line 402, column `a`"), "{message}");
    assert!(!message.contains("oops"), "no value of a row is repeated: {message}");
}

#[test]
fn missing_and_non_finite_values_are_counted_and_not_rejected() {
    let cells = ["", "null", "NA", "NaN", "inf", "-inf"];
    let lines: String = cells.iter().map(|cell| format!("{},{cell},3\n", stamp(7))).collect();
    let report = with_log_lines(&lines).report(&[]);
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&406.into(), &0.into()));
    let a = report["features"].as_array().unwrap().iter().find(|feature| feature["name"] == "a").unwrap();
    let fraction = |part: &str| a["current"][part].as_f64().unwrap();
    assert!((fraction("missing_fraction") - 3.0 / 406.0).abs() < 1e-12);
    assert!((fraction("non_finite_fraction") - 3.0 / 406.0).abs() < 1e-12);
    assert_eq!(a["n_current"], 406);
}

#[test]
fn timestamps_that_cannot_be_placed_reject_their_rows() {
    let bad = ["01/02/2026 10:00", "2026-01-31", "1850-01-01T00:00:00Z", "99", ""];
    let lines: String = bad.iter().map(|moment| format!("{moment},0.5,3\n")).collect();
    let message = rejected(&with_log_lines(&lines), 5);
    for reason in ["invalid-timestamp", "timestamp-out-of-range", "missing-timestamp"] {
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn a_naive_timestamp_is_utc_unless_the_configuration_rejects_it() {
    let naive = "2026-01-31T12:00:00,0.5,3\n";
    let report = with_log_lines(naive).report(&[]);
    assert_eq!(report["current"]["rows"], 401);
    let workspace = with_log_lines(naive);
    workspace.config("[logs.x]\n");
    let text = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    let strict = text.replace("[logs.x]\n", "").replace("timestamp = \"ts\"", "timestamp = \"ts\"\nnaive_timestamps = \"reject\"");
    workspace.write("config.toml", strict);
    assert!(rejected(&workspace, 1).contains("naive-timestamp"));
}

#[test]
fn a_header_in_the_middle_of_the_file_is_no_row() {
    assert!(rejected(&with_log_lines("ts,a,b\n"), 1).contains("repeated-header"));
}

#[test]
fn a_header_that_changes_in_the_middle_of_the_file_costs_no_row() {
    let lines: String = (0..100).map(|i| format!("{},0,{},{}\n", stamp(i), f64::from(i * 4 % 400) / 400.0, i * 37 % 400)).collect();
    let message = rejected(&with_log_lines(&format!("ts,new,a,b\n{lines}{},0.5,3\n", stamp(7))), 1);
    assert!(message.contains("changed-header: 1 row (line 402: 4 fields"), "{message}");
    // As many headers as rows are nothing that was lost.
    let lines = rows(400, |i| format!("ts,a,b\n{},", stamp(i)), |a| a);
    let workspace = with_log("logs.csv", format!("ts,a,b\n{lines}"));
    assert!(rejected(&workspace, 400).contains("repeated-header: 400 rows"));
}

#[test]
fn byte_order_mark_crlf_and_quoted_newlines_are_read() {
    let lines: String = (0..400)
        .map(|i| format!("{},{},{},\"a note\r\non two lines\"\r\n", stamp(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400))
        .collect();
    let report = with_log("logs.csv", format!("\u{feff}ts,a,b,note\r\n{lines}")).report(&[]);
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&400.into(), &0.into()));
    assert_eq!(report["features"][0]["ks"]["statistic"], 0.0);
}

#[test]
fn bytes_that_are_not_utf8_reject_their_row() {
    let workspace = with_log_lines("");
    let mut log = std::fs::read(workspace.path("bucket/predictions/logs.csv")).unwrap();
    log.extend(
        format!("{},\u{fffd},3\n", stamp(7)).replace('\u{fffd}', "#").bytes().map(|byte| if byte == b'#' { 0xff } else { byte }),
    );
    workspace.write("bucket/predictions/logs.csv", log);
    assert!(rejected(&workspace, 1).contains("invalid-utf8"));
}

#[test]
fn an_empty_file_and_a_header_alone_are_said() {
    for (bytes, said) in [("", "It is empty."), ("ts,a,b\n", "header and no row")] {
        let report = with_object("other.csv", bytes).report(&[]);
        assert_eq!(report["current"]["rows"], 400);
        assert!(message(&report, "object-empty").contains(said));
    }
    assert_eq!(with_log("logs.csv", "ts,a,b\n").report(&[])["decision"]["verdict"], "no-data");
}

#[test]
fn a_column_that_is_null_constant_missing_or_of_another_type_is_broken() {
    let cases: [(&str, &dyn Fn(u32) -> String, &str); 4] = [
        ("feature-all-null", &|_| String::new(), "ts,a,b"),
        ("feature-constant", &|_| "0.5".to_owned(), "ts,a,b"),
        ("feature-missing", &|_| "0.5".to_owned(), "ts,other,b"),
        ("feature-type-changed", &|i| format!("{i} mm"), "ts,a,b"),
    ];
    for (code, cell, header) in cases {
        let lines: String = (0..300).map(|i| format!("{},{},{}\n", stamp(i), cell(i), i * 37 % 400)).collect();
        let report = with_log("logs.csv", format!("{header}\n{lines}")).report(&[]);
        assert_eq!(verdict(&report, "a"), "broken", "{code}");
        assert_eq!(findings(&report), [(code.to_owned(), "a".to_owned())]);
        assert_eq!((&report["decision"]["broken"], &report["decision"]["configured"]), (&1.into(), &2.into()), "{code}");
        assert_eq!(report["decision"]["verdict"], "drift", "{code}: 1 of 2 is above 30 %");
        let signal = report["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == "broken-input").unwrap();
        assert_eq!(signal["state"], "firing", "{code}");
    }
}

#[test]
fn duplicate_column_names_make_the_object_unreadable() {
    let lines: String = (0..20).map(|i| format!("{},0.5,0.6,3\n", stamp(i))).collect();
    fails(&with_log("logs.csv", format!("ts,a,a,b\n{lines}")), 4, &["logs.csv", "more than one column named `a`"]);
}

#[test]
fn logs_without_the_timestamp_column_name_the_columns_that_are_there() {
    fails(&with_log("logs.csv", "when,a,b\n2026-01-31T12:00:00Z,1,2\n"), 4, &["no timestamp column `ts`", "`when`"]);
}

#[test]
fn truncated_compressed_files_count_whole_or_not_at_all() {
    let plain = format!("ts,a,b\n{}", rows(3_000, |i| format!("{},", stamp(i % 1440)), |a| a));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(plain.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(plain.as_bytes(), 3).unwrap();
    for (name, bytes, kind) in [("cut.csv.gz", gzip, "gzip"), ("cut.csv.zst", zstd, "zstd")] {
        let workspace = with_object(name, &bytes[..bytes.len() * 2 / 3]);
        fails(&workspace, 4, &[name, "truncated or corrupt", kind, "max_rejected_fraction"]);
        // With a limit that allows it, the rest is used and none of the broken object's rows is.
        workspace.config("max_rejected_fraction = 1.0\n");
        let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
        let config =
            config.replace("max_rejected_fraction = 1.0\n", "").replace("[logs]\n", "[logs]\nmax_rejected_fraction = 1.0\n");
        workspace.write("config.toml", config);
        let report = workspace.report(&[]);
        assert_eq!(report["current"]["rows"], 400, "{name}");
        assert!(message(&report, "object-unreadable").contains("None of its rows was used"));
        assert!(workspace.write(&format!("bucket/predictions/{name}"), &bytes).report(&[])["current"]["rows"] == 3_400);
    }
}

#[test]
fn a_truncated_parquet_file_is_refused() {
    fails(&with_log("logs.parquet", b"PAR1 and then nothing that a footer could be"), 4, &["logs.parquet", "Parquet"]);
}

#[test]
fn ndjson_rejects_what_is_no_flat_object_and_reads_on() {
    let good = |i: u32| format!("{{\"ts\":\"{}\",\"a\":{},\"b\":{}}}\n", stamp(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400);
    let mut log: String = (0..400).map(good).collect();
    log.push_str("{\"ts\": \"2026-01-31T12:00:00Z\", \"a\": 0.5, \n");
    log.push_str("{\"ts\": \"2026-01-31T12:00:00Z\", \"a\": {\"value\": 0.5}, \"b\": 3}\n");
    log.push_str(&format!(
        "{{\"ts\": \"2026-01-31T12:00:00Z\", \"a\": 0.5, \"b\": 3, \"note\": \"{}\"}}\n",
        "x".repeat(10_000_000)
    ));
    let message = rejected(&with_log("logs.ndjson", log), 3);
    for part in ["invalid-json", "line 401", "nested-value", "line 402", "row-too-long", "line 403"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn too_many_rejected_rows_stop_the_run() {
    let broken: String = (0..40).map(|i| format!("{},x,3\n", stamp(i))).collect();
    fails(&with_log_lines(&broken), 4, &["9.1 %", "max_rejected_fraction = 0.05", "wrong-type", "line 402"]);
}

#[test]
fn unsorted_rows_make_no_difference() {
    let sorted = with_log_lines("").report(&["--dry-run"]);
    let workspace = with_log_lines("");
    let text = std::fs::read_to_string(workspace.path("bucket/predictions/logs.csv")).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let reversed: String = rest.lines().rev().map(|line| format!("{line}\n")).collect();
    workspace.write("bucket/predictions/logs.csv", format!("{header}\n{reversed}"));
    let reversed = workspace.report(&["--dry-run"]);
    for section in ["ks", "psi", "q_value", "verdict"] {
        assert_eq!(sorted["features"][0][section], reversed["features"][0][section], "{section}");
    }
}

#[test]
fn a_feature_called_script_is_text_everywhere() {
    let workspace = Workspace::new();
    let name = "<script>alert(1)</script>";
    let quoted = format!("a,\"{name}\"");
    workspace.write("train.csv", format!("{quoted}\n{}", rows(400, |_| String::new(), |a| a)));
    workspace.write("today.csv", format!("{quoted}\n{}", rows(300, |_| String::new(), |a| a)));
    let ran = workspace.run(&["--reference", "train.csv", "--current", "today.csv", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let html = std::fs::read_to_string(workspace.path("reports/drift-check/latest.html")).unwrap();
    assert!(!html.contains("<script"), "an unescaped name");
    assert!(html.contains("&lt;script&gt;") || html.contains("&#60;script&#62;"));
}

#[test]
fn an_unusable_reference_is_an_error_that_says_why() {
    for (reference, parts) in [
        ("", ["no usable row", "It is empty."]),
        ("a,b\n", ["no usable row", "a header and no row"]),
        ("x,y\n1,2\n3,4\n", ["none of the 2 configured features", "its columns are: x, y"]),
    ] {
        let workspace = with_log_lines("");
        workspace.write("bucket/reference/reference.csv", reference);
        fails(&workspace, 4, &parts);
    }
}

#[test]
fn a_feature_that_the_reference_lacks_is_broken_and_stays_in_the_denominator() {
    let workspace = with_log_lines("");
    workspace.write(
        "config.toml",
        std::fs::read_to_string(workspace.path("config.toml")).unwrap().replace("[\"a\", \"b\"]", "[\"a\", \"b\", \"c\"]"),
    );
    let report = workspace.report(&[]);
    assert_eq!(verdict(&report, "c"), "broken");
    assert_eq!((&report["decision"]["configured"], &report["decision"]["broken"]), (&3.into(), &1.into()));
}

#[test]
fn five_mistakes_in_a_configuration_are_five_problems() {
    let workspace = with_log_lines("");
    workspace.write(
        "config.toml",
        "[policy]\nshare = 1.5\nalpha = \"small\"\nrule = \"kss\"\n[window]\nlenght = \"24h\"\n[bucket]\nuri = \"ftp://x\"\n",
    );
    let ran = workspace.check(&[]);
    assert_eq!(ran.code, 3);
    for part in ["config.toml:2", "config.toml:3", "config.toml:4", "config.toml:6", "config.toml:8", "length", "ks"] {
        assert!(ran.stderr.contains(part), "no {part} in {}", ran.stderr);
    }
}

/// The six bugs of the set-up that drift-check replaces (PRODUCT.md, section 1).
mod replaced_bugs {
    use super::*;

    fn drifting() -> Value {
        let workspace = Workspace::new();
        workspace.config("").reference().logs(300, 0.5).report(&[])
    }

    #[test]
    fn bug_1_the_share_is_read_from_where_it_is_written() {
        let report = drifting();
        assert_eq!(report["decision"]["share"], 0.5);
    }

    #[test]
    fn bug_2_no_drift_is_a_verdict_and_not_null() {
        assert_eq!(with_log_lines("").report(&[])["decision"]["verdict"], "stable");
    }

    #[test]
    fn bug_3_what_cannot_be_reached_is_an_error_and_not_no_drift() {
        let workspace = with_log_lines("");
        std::fs::remove_dir_all(workspace.path("bucket")).unwrap();
        fails(&workspace, 4, &["there is no reference"]);
    }

    #[test]
    fn bug_4_one_threshold_decides() {
        let report = drifting();
        assert_eq!((&report["decision"]["threshold"], &report["decision"]["verdict"]), (&0.3.into(), &"drift".into()));
    }

    #[test]
    fn bug_5_a_row_with_one_missing_value_keeps_its_others() {
        let lines: String = (0..400).map(|i| format!("{},,{}\n", stamp(i), i * 37 % 400)).collect();
        let report = with_log("logs.csv", format!("ts,a,b\n{lines}")).report(&[]);
        assert_eq!((verdict(&report, "a"), verdict(&report, "b")), ("broken".to_owned(), "stable".to_owned()));
        assert_eq!(report["current"]["rows"], 400);
    }

    #[test]
    fn bug_6_a_feature_missing_from_the_logs_is_broken() {
        let lines: String = (0..400).map(|i| format!("{},{}\n", stamp(i), i * 37 % 400)).collect();
        let report = with_log("logs.csv", format!("ts,b\n{lines}")).report(&[]);
        assert_eq!(verdict(&report, "a"), "broken");
        assert_eq!(report["decision"]["configured"], 2);
    }
}

/// What a review found silently stable, or lost; each held by the smallest input that showed it.
mod never_silent {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_said_and_hides_no_other_object() {
        let workspace = with_log_lines("");
        std::os::unix::fs::symlink("/nowhere", workspace.path("bucket/predictions/a.csv")).unwrap();
        let report = workspace.report(&[]);
        assert_eq!(report["current"]["rows"], 400);
        assert!(message(&report, "object-unreadable").contains("not there any more"));
    }

    #[test]
    fn a_window_of_one_new_category_drifts() {
        for count in [20, 57, 58] {
            let workspace = Workspace::new();
            workspace.write("train.csv", format!("s\n{}", "A\n".repeat(600)));
            workspace.write("today.csv", format!("s\n{}", "B\n".repeat(count)));
            let ran = workspace.run(&["--reference", "train.csv", "--current", "today.csv", "--format", "json"]);
            assert_eq!(verdict(&ran.json(), "s"), "drift", "{count}: {}", ran.stderr);
        }
    }

    #[test]
    fn old_rows_do_not_dilute_the_rejected_rows_of_the_window() {
        let old = rows(2_000, |i| format!("{},", stamp(i + 10_000)), |a| a);
        let bad: String = (0..100).map(|i| format!("{},oops,3\n", stamp(i))).collect();
        fails(&with_log_lines(&format!("{old}{bad}")), 4, &["20 %", "wrong-type"]);
    }

    /// A file of 100,000 old rows of 12 columns, and then 300 lines of the window.
    fn after_many_old_rows(line: impl Fn(u32) -> String) -> Workspace {
        let more = ",0".repeat(9);
        let old: String = (0..100_000).map(|i| format!("{},0.5,{}{more}\n", stamp(i % 1_440 + 10_000), i % 400)).collect();
        let new: String = (0..300).map(line).collect();
        with_log("logs.csv", format!("ts,a,b,d,e,f,g,h,i,j,k,l\n{old}{new}"))
    }

    #[test]
    fn more_columns_at_the_end_of_a_long_file_without_a_header_stop_the_run() {
        let workspace = after_many_old_rows(|i| format!("{},0.5,{i}{}\n", stamp(i), ",0".repeat(17)));
        fails(&workspace, 4, &["100 %", "logs.csv", "field-count", "found 20 fields, expected 12"]);
    }

    #[test]
    fn timestamps_that_cannot_be_read_any_more_at_the_end_of_a_long_file_stop_the_run() {
        let workspace = after_many_old_rows(|i| format!("Saturday {i},0.5,{i}{}\n", ",0".repeat(9)));
        fails(&workspace, 4, &["100 %", "logs.csv", "invalid-timestamp"]);
    }

    #[test]
    fn more_columns_at_the_end_of_a_long_file_under_a_new_header_are_read() {
        let header = format!("ts,a,b{}\n", (0..17).map(|i| format!(",more{i}")).collect::<String>());
        let more = ",0".repeat(17);
        let workspace = after_many_old_rows(|i| {
            let header = if i == 0 { header.as_str() } else { "" };
            format!("{header}{},{},{}{more}\n", stamp(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400)
        });
        assert_eq!(workspace.report(&[])["current"]["rows"], 300);
    }

    #[test]
    fn a_feature_that_is_nearly_all_missing_drifts() {
        let lines: String = (0..1_400)
            .map(|i| {
                let a = if i % 400 == 0 { "0.5" } else { "" };
                format!("{},{a},{}\n", stamp(i), i * 37 % 400)
            })
            .collect();
        let report = with_log("logs.csv", format!("ts,a,b\n{lines}")).report(&[]);
        assert_eq!(verdict(&report, "a"), "drift");
    }

    #[test]
    fn missing_values_that_turn_into_infinite_ones_drift() {
        let file = |cell: &str, count: u32| {
            let lines: String =
                (0..count).map(|i| if i % 5 == 0 { format!("{cell},1\n") } else { format!("{},1\n", i % 97) }).collect();
            format!("x,y\n{lines}")
        };
        let workspace = Workspace::new();
        workspace.write("train.csv", file("", 600)).write("today.csv", file("inf", 600));
        let ran = workspace.run(&["--reference", "train.csv", "--current", "today.csv", "--format", "json"]);
        assert_eq!(verdict(&ran.json(), "x"), "drift", "{}", ran.stderr);
    }

    #[test]
    fn with_auto_a_column_that_the_logs_had_before_is_broken_and_not_forgotten() {
        let workspace = with_log_lines("");
        let config = std::fs::read_to_string(workspace.path("config.toml"))
            .unwrap()
            .replace("include = [\"a\", \"b\"]", "include = \"auto\"");
        workspace.write("config.toml", config);
        let later: String =
            (0..300).map(|i| format!("{},{}\n", stamp(i).replace("2026-01-31", "2026-02-10"), i * 37 % 400)).collect();
        workspace.write("bucket/predictions/later.csv", format!("ts,b\n{later}"));
        let ran = workspace.run(&["--config", "config.toml", "--as-of", "2026-02-10T18:00:00Z", "--format", "json"]);
        assert_eq!(verdict(&ran.json(), "a"), "broken", "{}", ran.stderr);
    }

    #[test]
    fn one_bad_cell_does_not_make_a_category_of_a_number() {
        let workspace = with_log_lines("");
        let reference = std::fs::read_to_string(workspace.path("bucket/reference/reference.csv")).unwrap();
        workspace.write("bucket/reference/reference.csv", format!("{reference}oops,7\n"));
        let report = workspace.report(&[]);
        assert_eq!((verdict(&report, "a").as_str(), &report["features"][0]["kind"]), ("stable", &"numeric".into()));
        assert!(message(&report, "rows-rejected").contains("wrong-type"));
    }

    #[test]
    fn logs_of_unknown_formats_only_are_an_error() {
        fails(&with_log("logs.json", "[]"), 4, &["logs.json", "ends in none of"]);
    }

    #[test]
    fn a_profile_with_sums_beyond_a_double_is_read_back() {
        let workspace = Workspace::new();
        let huge: String = (0..400).map(|i| format!("{}1e308,{}\n", if i % 2 == 0 { "-" } else { "" }, i % 7)).collect();
        workspace.config("").write("bucket/reference/reference.csv", format!("a,b\n{huge}")).logs(100, 0.0);
        assert_eq!(workspace.run(&["profile", "--config", "config.toml"]).code, 0);
        assert_eq!(workspace.check(&[]).code, 0);
        let other = workspace.run(&["profile", "--config", "config.toml", "--output", "other/p.json"]);
        assert_eq!(other.code, 0, "{}", other.stderr);
        assert_eq!(workspace.check(&["--reference", "other/p.json"]).code, 0);
    }
}
