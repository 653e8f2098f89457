//! NDJSON objects: broken lines, nested values, keys that come twice, lines without end.

use drift_check::ingest::decode::{
    Column, ColumnGuess, DecodeFault, Encoding, Input, MISSING_CLUSTER, RejectionReason, Request, inspect,
};
use proptest::prelude::*;

use super::{Decoded, abc, decode_bytes, in_window, shown, some};

fn decoded(text: &str, request: &Request) -> Decoded {
    decode_bytes("x.jsonl", text.as_bytes(), request).unwrap()
}

#[test]
fn an_empty_file_is_a_fact_not_an_error() {
    for text in ["", "\n \r\n", "\u{feff}"] {
        let empty = decoded(text, &in_window(abc()));
        assert!(empty.tally.is_empty, "{text:?}");
        assert_eq!(empty.tally.rows_read, 0);
    }
}

#[test]
fn values_of_every_json_type_are_read_as_their_column_wants_them() {
    let text = "\u{feff}{\"a\":1,\"b\":2.5,\"c\":\"x\",\"other\":[1,{\"a\":2}]}\r\n\
        \n\
        {\"c\":true,\"b\":\" -3e0 \",\"a\":null}\n\
        {\"a\":\"NaN\",\"c\":7}\n\
        {\"a\":\"\",\"b\":\"-inf\",\"c\":1.0}\n\
        {\"a\":-0.0,\"b\":18446744073709551615,\"c\":\"\\u00e9\"}\n";
    let found = decoded(text, &abc());
    assert_eq!(shown(&found.numbers(0)), ["1", "missing", "NaN", "missing", "0"]);
    assert_eq!(shown(&found.numbers(1)), ["2.5", "-3", "missing", "-inf", "18446744073709552000"]);
    assert_eq!(found.labels(2), some(&["x", "true", "7", "1", "\u{e9}"]));
    assert_eq!(found.tally.columns_seen, [true, true, true]);
}

#[test]
fn a_line_that_is_not_one_object_is_rejected_with_its_place() {
    let text = "{\"a\":1}\n\
        {\"a\":2,\"b\"\n\
        [1,2]\n\
        \"secret\"\n\
        {\"a\":3}{\"a\":4}\n\
        {\"a\":NaN}\n\
        {\"a\":5,\"b\":-Infinity}\n\
        {'a':6}\n\
        {\"a\":7}\n";
    let found = decoded(text, &abc());
    assert_eq!(found.numbers(0), [1.0, 7.0]);
    assert_eq!(found.rejected(), [("invalid-json", 7)]);
    let first = found.tally.rejected.first(RejectionReason::InvalidJson);
    let details: Vec<String> = first.iter().map(ToString::to_string).collect();
    assert_eq!(
        details,
        [
            "line 2: the line ends inside the object",
            "line 3: not one JSON object",
            "line 4: not one JSON object",
            "line 5: not JSON at byte 8",
            "line 6: NaN and Infinity are not JSON, at byte 6: write null",
        ]
    );
}

#[test]
fn nested_values_and_repeated_keys_matter_only_where_they_are_needed() {
    let text = "{\"a\":[1],\"b\":1,\"c\":\"x\"}\n\
        {\"a\":1,\"b\":1,\"c\":{\"d\":1}}\n\
        {\"a\":1,\"b\":1,\"b\":2}\n\
        {\"a\":1,\"b\":1,\"z\":[[]],\"z\":{}}\n\
        {\"a\":true,\"b\":2}\n";
    let found = decoded(text, &abc());
    assert_eq!(found.rejected(), [("duplicate-key", 1), ("nested-value", 2), ("wrong-type", 1)]);
    assert_eq!(found.numbers(1), [1.0]);
    assert_eq!(found.tally.rejected.first(RejectionReason::NestedValue)[1].to_string(), "line 2, column `c`");
}

#[test]
fn a_column_without_one_number_changed_its_type() {
    let found = decoded("{\"a\":true,\"b\":1}\n{\"a\":\"high\",\"b\":2}\n{\"b\":3}\n", &abc());
    assert_eq!(found.batches[0].columns[0], Column::WrongType);
    assert_eq!(found.numbers(1), [1.0, 2.0, 3.0]);
    assert_eq!(found.batches[0].columns[2], Column::Absent);
    assert_eq!(found.tally.columns_seen, [true, true, false]);
}

#[test]
fn a_column_is_absent_until_the_first_row_that_has_it() {
    let request = Request { batch_rows: 2, ..abc() };
    let found = decoded("{\"b\":1}\n{\"b\":1}\n{\"b\":1}\n{\"a\":1,\"b\":1}\n{\"b\":1}\n", &request);
    assert_eq!(found.batches[0].columns[0], Column::Absent);
    let later: Vec<Vec<String>> = found.batches[1..]
        .iter()
        .map(|batch| match &batch.columns[0] {
            Column::Numeric(values) => shown(values),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(later, [vec!["missing", "1"], vec!["missing"]]);
}

#[test]
fn a_line_of_ten_megabytes_is_skipped_and_the_next_one_read() {
    let request = Request { max_row_bytes: 64 * 1024, ..abc() };
    let long = "x".repeat(10 << 20);
    let found = decoded(&format!("{{\"a\":1}}\n{{\"a\":2,\"note\":\"{long}\"}}\n{{\"a\":3}}\n"), &request);
    assert_eq!(found.numbers(0), [1.0, 3.0]);
    assert_eq!(found.rejected(), [("row-too-long", 1)]);
    assert_eq!(found.lines(RejectionReason::RowTooLong), [2]);
}

#[test]
fn timestamps_are_texts_or_epochs() {
    let text = "{\"t\":\"2026-01-31T12:00:00Z\",\"a\":1}\n\
        {\"t\":1769860800,\"a\":2}\n\
        {\"t\":1769860800123,\"a\":3}\n\
        {\"t\":1769860800.5,\"a\":4}\n\
        {\"t\":\"1769860800123456789\",\"a\":5}\n\
        {\"t\":1769860800123456789,\"a\":6}\n\
        {\"t\":null,\"a\":0}\n\
        {\"a\":0}\n\
        {\"t\":true,\"a\":0}\n\
        {\"t\":[1],\"a\":0}\n\
        {\"t\":1,\"t\":1,\"a\":0}\n\
        {\"t\":12,\"a\":0}\n\
        {\"t\":\"2025-01-31T12:00:00Z\",\"a\":[\"outside, so nobody looks\"]}\n";
    let found = decoded(text, &in_window(abc()));
    assert_eq!(found.numbers(0), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(found.tally.rows_outside_window, 1);
    let expected = [
        ("duplicate-key", 1),
        ("nested-value", 1),
        ("missing-timestamp", 2),
        ("invalid-timestamp", 1),
        ("timestamp-out-of-range", 1),
    ];
    assert_eq!(found.rejected(), expected);
    let s = 1_769_860_800_000_000;
    assert_eq!(found.batches[0].timestamps_us, [s, s, s + 123_000, s + 500_000, s + 123_456, s + 123_456]);
}

#[test]
fn a_timestamp_that_no_row_has_makes_the_object_unusable() {
    let error = decode_bytes("x.ndjson", b"broken\n{\"ts\":1,\"a\":2}\n", &in_window(abc())).err().unwrap();
    assert_eq!(error.to_string(), "has no timestamp column `t`; its columns are `ts`, `a`");
    assert_eq!(error.rows_before_error, 2);
    // Where no line is an object at all, the lines are what is wrong.
    let broken = decoded("broken\n", &in_window(abc()));
    assert_eq!(broken.rejected(), [("invalid-json", 1)]);
}

#[test]
fn bytes_that_are_not_utf8_matter_only_where_they_are_needed() {
    let text = b"{\"a\":1,\"note\":\"\xFF\"}\n{\"a\":2,\"c\":\"\xFF\"}\n{\"a\":3}\n";
    let found = decode_bytes("x.ndjson", text, &abc()).unwrap();
    assert_eq!(found.numbers(0), [1.0, 3.0]);
    assert_eq!(found.rejected(), [("invalid-utf8", 1)]);
}

#[test]
fn clusters_are_the_same_in_every_format() {
    let request = Request { cluster: Some("s".into()), ..abc() };
    let json = decoded("{\"a\":1,\"s\":\"p1\"}\n{\"a\":1,\"s\":17}\n{\"a\":1}\n{\"a\":1,\"s\":[]}\n", &request);
    let csv = decode_bytes("x.csv", b"a,s\n1,p1\n1,17\n1,\n", &request).unwrap();
    assert_eq!(json.batches[0].clusters, csv.batches[0].clusters);
    assert_eq!(json.batches[0].clusters.as_ref().unwrap()[2], MISSING_CLUSTER);
    assert_eq!(json.rejected(), [("nested-value", 1)]);
}

#[test]
fn inspection_collects_the_keys_of_the_first_rows() {
    let text = b"{\"a\":1,\"b\":\"x\",\"c\":null,\"d\":[1]}\nbroken\n{\"e\":true,\"a\":\"2\",\"c\":null}\n{\"a\":1,\"a\":2}\n";
    let guess = |rows| inspect(Input::Stream(Box::new(&text[..])), Encoding::of_key("x.jsonl").unwrap(), rows).unwrap();
    let expected = [
        ("a", ColumnGuess::Numeric),
        ("b", ColumnGuess::Text),
        ("c", ColumnGuess::Empty),
        ("d", ColumnGuess::Unsupported),
        ("e", ColumnGuess::Text),
        ("a", ColumnGuess::Numeric),
    ];
    assert_eq!(guess(100), expected.map(|(name, guess)| (name.to_owned(), guess)));
    assert_eq!(guess(1).len(), 4);
}

proptest! {
    #[test]
    fn any_bytes_are_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..300), rows in 1_usize..5) {
        let request = Request { batch_rows: rows, max_row_bytes: 50, ..abc() };
        let _ = decode_bytes("x.ndjson", &bytes, &request);
    }

    #[test]
    fn anything_that_looks_like_json_is_accounted_for(
        text in "([\\[\\]{},: \n]|\"[abct\\\\]?\"|-?[0-9]{1,3}|null|true|\\{\"a\":|\\{\"t\":1769860800,\"c\":\"x\"\\}){0,60}",
        rows in 1_usize..5,
        limit in 1_usize..100,
    ) {
        let request = Request { batch_rows: rows, max_row_bytes: limit, cluster: Some("b".into()), ..abc() };
        let _ = decode_bytes("x.ndjson", text.as_bytes(), &request);
        if let Err(error) = decode_bytes("x.ndjson", text.as_bytes(), &in_window(request)) {
            prop_assert!(matches!(error.fault, DecodeFault::TimestampAbsent { .. }), "{}", error);
        }
    }
}

#[test]
fn a_torn_line_lies_in_the_window_when_its_neighbours_do() {
    let row = |day: &str| format!("{{\"t\":\"2026-01-{day}T12:00:00Z\",\"a\":1,\"b\":1,\"c\":\"x\"}}\n");
    for (before, after, expected) in [("01", "02", 0), ("01", "31", 1), ("31", "31", 1)] {
        let text = format!("{}{{\"t\":\"2026-\n{}", row(before), row(after));
        let found = decode_bytes("x.ndjson", text.as_bytes(), &in_window(abc())).unwrap();
        assert_eq!((found.tally.rejected.total(), found.tally.rejected_in_window), (1, expected), "{before} {after}");
    }
}
