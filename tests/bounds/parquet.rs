//! Parquet: rows, pages, dictionaries, texts, columns and footers that are only claimed.

use super::{Part, finding, report, sparse, workspace};
use crate::parquet_bytes::{Claims, Struct, file};
use crate::workspace::stamp;

/// Twenty rows of the last hour of the window.
fn honest() -> Claims {
    let end: chrono::DateTime<chrono::Utc> = crate::workspace::AS_OF.parse().unwrap();
    let moments: Vec<f64> = (1..=20).map(|minute| (end.timestamp() - 60 * minute) as f64).collect();
    Claims::doubles("ts", &moments)
}

#[test]
fn what_a_file_only_claims_takes_no_memory() {
    let nested = |depth: usize| {
        let group = Struct::default().i32(3, 0).text(4, "g").i32(5, 1).end();
        Struct::default().i32(1, 1).list(2, depth as u64, &vec![group; depth]).end()
    };
    let text = |stored: Vec<u8>| Claims { is_text: true, rows: 1, values: 1, page_bytes: stored.len() as i64, stored, ..honest() };
    let elements = |count: u64| {
        let column = |number| Struct::default().i32(1, 5).i32(3, 0).text(4, &format!("c{number}")).end();
        let columns: Vec<Vec<u8>> = (0..count).map(column).collect();
        let root = Struct::default().text(4, "schema").i32(5, count as i64).end();
        Struct::default().i32(1, 1).list(2, count + 1, &[root, columns.concat()]).i64(3, 0).list(4, 0, &[]).end()
    };
    let largest = i64::from(i32::MAX);
    let cases = [
        ("rows", Claims { rows: 1 << 62, ..honest() }.file(), "promises more rows than so many bytes can hold"),
        ("more-rows", Claims { rows: 10_000_000, values: 10_000_000, ..honest() }.file(), "truncated or corrupt Parquet"),
        (
            "page",
            Claims { page_bytes: largest, ..honest() }.file(),
            "a page of 2147483647 bytes, more than 67108864: write data pages",
        ),
        ("values", Claims { values: largest, ..honest() }.file(), "a page that is not of its column"),
        ("dictionary", Claims { dictionary: Some((largest, vec![0; 8])), ..honest() }.file(), "a page that is not of its column"),
        ("text", text([b"\xFF\xFF\xFF\x7F".as_slice(), stamp(1).as_bytes()].concat()).file(), "truncated or corrupt Parquet"),
        ("schema", file(b"PAR1", &Struct::default().i32(1, 1).list(2, i32::MAX as u64, &[]).end()), "a list that is longer than"),
        ("groups", file(b"PAR1", &nested(100_000)), "more than 32768 columns"),
        ("levels", file(b"PAR1", &nested(50_000)), "a schema of groups without end"),
        ("columns", file(b"PAR1", &elements(1_000_000)), "more than 32768 columns: write only those that are compared"),
        ("wide", file(b"PAR1", &elements(40_000)), "more than 32768 columns: write only those that are compared"),
    ];
    let workspace = workspace();
    workspace.write("bucket/predictions/honest.parquet", honest().file());
    for (name, bytes, _) in &cases {
        workspace.write(&format!("bucket/predictions/{name}.parquet"), bytes);
    }
    let report = report(&workspace);
    // The rows of the honest file count, so that the others are refused for what they claim.
    assert_eq!(report["current"]["rows"], 420);
    let count = report["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "object-unreadable").count();
    assert_eq!(count, cases.len(), "ten by name, and one finding for the rest");
    for (name, _, said) in cases.iter().filter(|(name, ..)| *name != "wide") {
        let message = finding(&report, "object-unreadable", &format!("/{name}.parquet"));
        assert!(message.contains(said), "{name}: {message}");
    }
}

#[test]
fn a_footer_and_a_column_of_hundreds_of_megabytes_are_refused_with_the_remedy() {
    const BYTES: u64 = 300 << 20;
    let workspace = workspace();
    let end = [(BYTES as u32).to_le_bytes().as_slice(), b"PAR1"].concat();
    sparse(&workspace, "bucket/predictions/footer.parquet", &[Part::Bytes(b"PAR1"), Part::Hole(BYTES), Part::Bytes(&end)]);
    let claims = Claims { chunk_bytes: Some(BYTES as i64), ..honest() };
    let end = file(b"", &claims.footer(0));
    sparse(&workspace, "bucket/predictions/column.parquet", &[Part::Bytes(b"PAR1"), Part::Hole(BYTES), Part::Bytes(&end)]);
    let report = report(&workspace);
    let footer = finding(&report, "object-unreadable", "footer.parquet");
    assert!(footer.contains("a footer of 314572808 bytes, more than 16777216: write fewer columns"), "{footer}");
    let column = finding(&report, "object-unreadable", "column.parquet");
    assert!(
        column.contains("a column `ts` of 314572800 bytes in one row group, more than 134217728: write row groups of fewer rows"),
        "{column}"
    );
}
