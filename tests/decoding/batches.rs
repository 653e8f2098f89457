//! Where batches end: at fixed rows of the object, so that the window decides what is in them and not where they begin.

use drift_check::ingest::decode::{Column, Request};
use drift_check::window::Window;

use super::{Decoded, abc, decode_bytes, in_window, moment, with_timestamp};

const INSIDE: &str = "2026-01-31T12:00:00Z";
const OUTSIDE: &str = "2026-01-01T12:00:00Z";

/// Rows of these moments and values of `a`, in both formats of text, which must come to the same.
fn decoded(rows: &[(&str, &str)], request: &Request) -> Decoded {
    let csv: String = rows.iter().map(|(moment, a)| format!("{moment},{a},0,x\n")).collect();
    let csv = decode_bytes("x.csv", format!("t,a,b,c\n{csv}").as_bytes(), request).unwrap();
    let line = |(moment, a): &(&str, &str)| format!("{{\"t\":\"{moment}\",\"a\":\"{a}\",\"b\":0,\"c\":\"x\"}}\n");
    let ndjson: String = rows.iter().map(line).collect();
    let ndjson = decode_bytes("x.jsonl", ndjson.as_bytes(), request).unwrap();
    assert_eq!(format!("{:?}", ndjson.batches), format!("{:?}", csv.batches));
    csv
}

fn sizes(found: &Decoded) -> Vec<usize> {
    found.batches.iter().map(|batch| batch.rows).collect()
}

#[test]
fn rows_outside_the_window_and_rejected_ones_count_for_the_end_of_a_batch() {
    let rows = [(INSIDE, "1"), (OUTSIDE, "2"), ("?", "3"), (INSIDE, "4"), (INSIDE, "5"), (OUTSIDE, "6"), (INSIDE, "7")];
    let found = decoded(&rows, &Request { batch_rows: 3, ..in_window(abc()) });
    assert_eq!((sizes(&found), found.numbers(0)), (vec![1, 2, 1], vec![1.0, 4.0, 5.0, 7.0]));
    let empty = [(INSIDE, "1"), (OUTSIDE, "2"), (OUTSIDE, "3"), (OUTSIDE, "4"), (INSIDE, "5"), (INSIDE, "6")];
    assert_eq!(sizes(&decoded(&empty, &Request { batch_rows: 2, ..in_window(abc()) })), [1, 2]);
}

#[test]
fn no_batch_goes_over_the_end_of_another_under_another_window() {
    let moments: Vec<String> = (0..50).map(|row| format!("2026-01-{:02}T12:00:00Z", 1 + (row * 7) % 31)).collect();
    let values: Vec<String> = (0..50).map(|row| row.to_string()).collect();
    let rows: Vec<(&str, &str)> = moments.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
    for (start, end) in [(1, 31), (5, 9), (10, 30)] {
        let day = |day: u32| moment(&format!("2026-01-{day:02}T00:00:00Z"));
        let window = Window { start: day(start), end: day(end) };
        let found = decoded(&rows, &Request { batch_rows: 8, window: Some(window), ..with_timestamp(abc()) });
        for batch in &found.batches {
            let Column::Numeric(values) = &batch.columns[0] else { panic!("{batch:?}") };
            let stretches: Vec<u32> = values.iter().map(|value| *value as u32 / 8).collect();
            assert!(stretches.iter().all(|stretch| *stretch == stretches[0]), "{values:?}");
        }
    }
}

#[test]
fn a_record_of_several_lines_ends_the_batch_that_it_reaches() {
    let text = "a,b,c\n1,1,x\n2,1,x\n3,1,\"torn\n4,1,\"x\"\n5,1,x\n6,1,x\n";
    let found = decode_bytes("x.csv", text.as_bytes(), &Request { batch_rows: 3, ..abc() }).unwrap();
    assert_eq!((sizes(&found), found.rejected()), (vec![2, 2], vec![("unbalanced-quote", 2)]));
}

/// Batches of four rows, of which so many have a value and lie in the window.
fn stretches(values: &[&[&str]]) -> Decoded {
    let mut rows = Vec::new();
    for values in values {
        rows.extend(values.iter().map(|value| (INSIDE, *value)));
        rows.extend((values.len()..4).map(|_| (OUTSIDE, "0")));
    }
    decoded(&rows, &Request { batch_rows: 4, ..in_window(abc()) })
}

fn has_other_type(found: &Decoded) -> Vec<bool> {
    found.batches.iter().map(|batch| batch.columns[0] == Column::WrongType).collect()
}

#[test]
fn a_batch_mostly_outside_the_window_is_judged_with_those_before_it() {
    // One bad cell is not a column that changed its type, though nothing else of its batch was looked at.
    let few = stretches(&[&["1", "2", "3", "4"], &["oops"], &["5"]]);
    assert_eq!((few.rejected(), has_other_type(&few)), (vec![("wrong-type", 1)], vec![false, false]));
    // Two such batches are half a batch together: enough to tell.
    let changed = stretches(&[&["1", "2", "3", "4"], &["low"], &["low"], &["low"]]);
    assert_eq!((changed.rejected(), has_other_type(&changed)), (vec![("wrong-type", 1)], vec![false, true, true]));
    // A number among them tells the other way.
    let mixed = stretches(&[&["1", "2", "3", "4"], &["5"], &["low"], &["low"]]);
    assert_eq!((mixed.rejected(), has_other_type(&mixed)), (vec![("wrong-type", 2)], vec![false, false]));
    // Half of the rows are enough alone.
    let half = stretches(&[&["1", "2", "3", "4"], &["low", "high"]]);
    assert_eq!((half.rejected(), has_other_type(&half)), (vec![], vec![false, true]));
}
