//! CSV objects: ragged rows, quotes, bytes that are not text, timestamps, and columns that changed their type.

use drift_check::feature::{FeatureKind, FeatureName};
use drift_check::ingest::decode::{
    Column, ColumnGuess, DecodeFault, Encoding, Input, MISSING_CLUSTER, RejectionReason, Request, TimestampColumn, inspect,
};
use drift_check::ingest::timestamp::NaiveTimestamps;
use proptest::prelude::*;

use super::{Decoded, abc, decode_bytes, in_window, shown, some, with_timestamp};

fn decoded(text: &str, request: &Request) -> Decoded {
    decode_bytes("x.csv", text.as_bytes(), request).unwrap()
}

#[test]
fn an_empty_file_and_a_lone_header_are_facts_not_errors() {
    for text in ["", "\n\n", "\u{feff}", " \r\n"] {
        let empty = decoded(text, &in_window(abc()));
        assert!(empty.tally.is_empty && !empty.tally.is_header_only(), "{text:?}");
        assert_eq!((empty.tally.rows_read, empty.batches.len()), (0, 0));
    }
    for text in ["t,a,b,c", "t,a,b,c\n", "t,a,b,c\r\n\r\n"] {
        let header_only = decoded(text, &in_window(abc()));
        assert!(header_only.tally.is_header_only(), "{text:?}");
        assert_eq!(header_only.tally.columns_seen, [true, true, true]);
    }
}

#[test]
fn a_single_row_is_read() {
    let one = decoded("a,b,c\n1.5,-2,x", &abc());
    assert_eq!((one.tally.rows_read, one.tally.rows_used), (1, 1));
    assert_eq!((one.numbers(0), one.numbers(1), one.labels(2)), (vec![1.5], vec![-2.0], some(&["x"])));
}

#[test]
fn rows_with_another_number_of_fields_are_rejected_and_never_shifted() {
    let header = "a,b,c,d,e,f,g,h,i,j";
    let ten = "1,2,x,0,0,0,0,0,0,0";
    let twelve = "8,9,y,0,0,0,0,0,0,0,0,0";
    let three = "6,7,z";
    let ragged = decoded(&format!("{header}\n{ten}\n{twelve}\n{three}\n{ten}\n"), &abc());
    assert_eq!(ragged.numbers(0), [1.0, 1.0]);
    assert_eq!(ragged.rejected(), [("field-count", 2)]);
    let first = ragged.tally.rejected.first(RejectionReason::FieldCount);
    assert_eq!(first[0].to_string(), "line 3: found 12 fields, expected 10");
    assert_eq!(first[1].to_string(), "line 4: found 3 fields, expected 10");
}

#[test]
fn only_the_first_five_locations_are_kept() {
    let many = decoded(&format!("a,b,c\n{}", "1\n".repeat(100)), &abc());
    assert_eq!(many.rejected(), [("field-count", 100)]);
    assert_eq!(many.lines(RejectionReason::FieldCount), [2, 3, 4, 5, 6]);
}

#[test]
fn a_repeated_header_is_no_row() {
    let repeated = decoded("a,b,c\n1,2,x\na,b,c\n3,4,y\n", &abc());
    assert_eq!(repeated.numbers(0), [1.0, 3.0]);
    assert_eq!(repeated.rejected(), [("repeated-header", 1)]);
    assert_eq!(repeated.lines(RejectionReason::RepeatedHeader), [3]);
}

#[test]
fn cells_say_missing_or_not_finite_and_text_among_numbers_rejects_its_row() {
    let cells = decoded("a,b,c\n,NaN,null\nnull,inf,NA\nNA,-inf,x\n 7 ,1e999,None\n-0.0,1,y\nabc,2,z\n1,0x10,z\n", &abc());
    assert_eq!(shown(&cells.numbers(0)), ["missing", "missing", "missing", "7", "0"]);
    assert_eq!(shown(&cells.numbers(1)), ["NaN", "inf", "-inf", "inf", "1"]);
    assert_eq!(cells.labels(2), [None, None, Some("x".into()), None, Some("y".into())]);
    assert_eq!(cells.rejected(), [("wrong-type", 2)]);
    let first = cells.tally.rejected.first(RejectionReason::WrongType);
    assert_eq!(first[0].to_string(), "line 7, column `a`: not a number");
    assert_eq!(first[1].to_string(), "line 8, column `b`: not a number");
}

#[test]
fn a_column_without_one_number_changed_its_type_and_costs_no_row() {
    let changed = decoded("a,b,c\nlow,1,x\nhigh,2,y\n,zz,y\n", &abc());
    assert_eq!(changed.batches[0].columns[0], Column::WrongType);
    assert_eq!(changed.numbers(1), [1.0, 2.0]);
    assert_eq!(changed.rejected(), [("wrong-type", 1)]);
    // One number is enough to make the texts the exception.
    let mixed = decoded("a,b,c\nlow,1,x\nhigh,2,y\n3,3,y\n", &abc());
    assert_eq!(mixed.numbers(0), [3.0]);
    assert_eq!(mixed.rejected(), [("wrong-type", 2)]);
}

#[test]
fn a_short_last_batch_is_judged_with_the_one_before_it() {
    let request = Request { batch_rows: 3, ..abc() };
    let tail = decoded("a,b,c\n1,1,x\n2,1,x\n3,1,x\noops,1,x\n", &request);
    assert_eq!(tail.numbers(0), [1.0, 2.0, 3.0]);
    assert_eq!(tail.rejected(), [("wrong-type", 1)]);
    let changed = decoded("a,b,c\n1,1,x\n2,1,x\n3,1,x\nlow,1,x\nlow,1,x\nlow,1,x\nlow,1,x\n", &request);
    assert_eq!(changed.rejected(), []);
    let kinds: Vec<bool> = changed.batches.iter().map(|batch| batch.columns[0] == Column::WrongType).collect();
    assert_eq!(kinds, [false, true, true]);
}

#[test]
fn missing_columns_and_columns_of_nulls_are_told_apart() {
    let gone = decoded("b,c\n,x\nnull,y\n", &abc());
    assert_eq!(gone.tally.columns_seen, [false, true, true]);
    assert_eq!(gone.batches[0].columns[0], Column::Absent);
    assert_eq!(shown(&gone.numbers(1)), ["missing", "missing"]);
}

#[test]
fn duplicate_names_among_needed_columns_make_the_object_unusable() {
    let error = decode_bytes("x.csv", b"a,b,c,a\n1,2,x,3\n", &abc()).err().unwrap();
    assert!(matches!(&error.fault, DecodeFault::DuplicateColumns { names } if names == &["a"]), "{error}");
    // Nobody reads the column `z`.
    assert_eq!(decoded("a,b,c,z,z\n1,2,x,3,4\n", &abc()).tally.rows_used, 1);
}

#[test]
fn a_missing_timestamp_column_is_named_and_the_columns_listed() {
    let error = decode_bytes("x.csv", b"time,a,b,c\n", &in_window(abc())).err().unwrap();
    assert_eq!(error.to_string(), "has no timestamp column `t`; its columns are `time`, `a`, `b`, `c`");
    assert!(!error.retryable());
}

#[test]
fn bom_crlf_quotes_and_embedded_newlines_keep_line_numbers_right() {
    let text = "\u{feff}a,b,c\r\n1,2,\"x, \"\"y\"\"\r\nz\"\r\n\r\n3,4,\"w\"\r\n5,oops,v\r\n";
    let quoted = decoded(text, &abc());
    assert_eq!(quoted.labels(2), some(&["x, \"y\"\nz", "w"]));
    assert_eq!(quoted.lines(RejectionReason::WrongType), [6]);
}

#[test]
fn a_quote_that_is_never_closed_counts_every_line_it_swallows() {
    let text = "a,b,c\n1,2,x\n3,4,\"torn\n5,6,y\n\n7,8,z\n";
    let torn = decoded(text, &abc());
    assert_eq!(torn.numbers(0), [1.0]);
    assert_eq!(torn.rejected(), [("unbalanced-quote", 3)]);
    assert_eq!(torn.tally.rows_read, 4);
}

#[test]
fn a_quote_closed_by_the_next_row_does_not_make_one_row_of_two() {
    // The joined record has three fields: only the text after the closing quote gives it away.
    let text = "a,b,c\n1,2,\"torn\n3,4,\"y\"\n5,6,\"z\"\n";
    let torn = decoded(text, &abc());
    assert_eq!(torn.numbers(0), [5.0]);
    assert_eq!(torn.rejected(), [("unbalanced-quote", 2)]);
}

#[test]
fn an_open_quote_swallows_at_most_the_longest_row() {
    let rows = "1,2,x\n".repeat(100);
    let request = Request { max_row_bytes: 60, ..abc() };
    let torn = decoded(&format!("a,b,c\n3,4,\"torn\n{rows}"), &request);
    assert_eq!(torn.tally.rows_read, 101);
    assert_eq!(torn.rejected(), [("row-too-long", 10)]);
    assert_eq!(torn.tally.rows_used, 91);
}

#[test]
fn a_row_that_is_too_long_is_skipped_alone() {
    let request = Request { max_row_bytes: 1000, ..abc() };
    let long = decoded(&format!("a,b,c\n1,2,x\n1,2,{}\n3,4,y\n", "x".repeat(200_000)), &request);
    assert_eq!(long.numbers(0), [1.0, 3.0]);
    assert_eq!(long.rejected(), [("row-too-long", 1)]);
}

#[test]
fn bytes_that_are_not_utf8_matter_only_where_they_are_needed() {
    let bytes = b"a,b,c,note\n1,2,x,\xFF\n\xFF,2,x,n\n3,2,\xC3\x28,n\n4,2,y,n\n";
    let found = decode_bytes("x.csv", bytes, &abc()).unwrap();
    assert_eq!(found.numbers(0), [1.0, 4.0]);
    assert_eq!(found.rejected(), [("invalid-utf8", 2)]);
}

#[test]
fn a_name_that_looks_like_markup_is_a_name() {
    let columns = vec![(FeatureName::from("<script>"), FeatureKind::Numeric)];
    let found = decoded("<script>,b\n1,2\nx,3\n", &Request { columns, ..abc() });
    assert_eq!(found.numbers(0), [1.0]);
    assert_eq!(found.tally.rejected.first(RejectionReason::WrongType)[0].column.as_deref(), Some("<script>"));
}

#[test]
fn timestamps_come_before_features_and_the_window_between_them() {
    let text = "t,a,b,c\n\
        2026-01-31T00:00:00Z,1,1,x\n\
        2026-01-30T23:59:59.999999Z,bad,bad,x\n\
        2026-02-01T00:00:00Z,2,2,x\n\
        01/02/2026,3,3,x\n\
        ,4,4,x\n\
        1769900000,5,5,x\n\
        2026-01-31 12:00,6,6,x\n\
        1970-01-01T00:00:00Z,7,7,x\n\
        2026-01-31,8,8,x\n\
        2026-02-01T02:00:00+03:00,9,9,x\n";
    let found = decoded(text, &in_window(abc()));
    assert_eq!(found.numbers(0), [1.0, 5.0, 6.0, 9.0]);
    assert_eq!(found.tally.rows_outside_window, 2);
    assert_eq!(found.rejected(), [("missing-timestamp", 1), ("invalid-timestamp", 2), ("timestamp-out-of-range", 1)]);
    // The newest before the end of the window: a clock that is ahead does not count.
    assert_eq!(found.tally.newest_us, Some(super::moment("2026-01-31T23:00:00Z").timestamp_micros()));
    assert_eq!(found.tally.oldest_us, Some(super::moment("2026-01-30T23:59:59.999999Z").timestamp_micros()));
    assert_eq!(found.batches[0].timestamps_us[1], 1_769_900_000_000_000);

    let naive = NaiveTimestamps::Reject;
    let strict = Request { timestamp: Some(TimestampColumn { name: "t".into(), naive }), ..in_window(abc()) };
    assert_eq!(decoded(text, &strict).tally.rejected.count(RejectionReason::NaiveTimestamp), 1);
    // Without a window every row with a moment is used.
    assert_eq!(decoded(text, &with_timestamp(abc())).tally.rows_outside_window, 0);
}

#[test]
fn a_window_without_rows_still_tells_the_newest() {
    let found = decoded("a,b,c,t\n1,2,x,2026-01-02T00:00:00Z\n1,2,x,2026-01-01T00:00:00Z\n", &in_window(abc()));
    assert_eq!((found.tally.rows_used, found.tally.rows_outside_window, found.batches.len()), (0, 2, 0));
    assert_eq!(found.tally.newest_us, Some(super::moment("2026-01-02T00:00:00Z").timestamp_micros()));
}

#[test]
fn clusters_are_hashed_and_missing_ones_marked() {
    let request = Request { cluster: Some("s".into()), ..abc() };
    let found = decoded("a,b,c,s\n1,2,x,p1\n1,2,x,p2\n1,2,x, p1 \n1,2,x,\n", &request);
    let clusters = found.batches[0].clusters.as_ref().unwrap();
    assert_eq!(clusters[0], clusters[2]);
    assert_ne!(clusters[0], clusters[1]);
    assert_eq!(clusters[3], MISSING_CLUSTER);
    let absent = decoded("a,b,c\n1,2,x\n", &request);
    assert!(absent.batches[0].clusters.is_none() && !absent.tally.cluster_seen);
}

#[test]
fn batches_follow_the_order_of_the_object() {
    let rows = (0..1000).map(|row| format!("{row},{row},l{}\n", row % 7)).collect::<Vec<_>>().concat();
    let found = decoded(&format!("a,b,c\n{rows}"), &Request { batch_rows: 64, ..abc() });
    assert_eq!(found.batches.len(), 16);
    assert_eq!(found.numbers(0), (0..1000).map(f64::from).collect::<Vec<_>>());
    assert_eq!(found.labels(2)[999], Some("l5".into()));
}

#[test]
fn inspection_names_the_columns_in_order_and_guesses_their_kind() {
    let text = b"a,b,c,d,a\n1,x,,1,0\nNaN,2,null,y,1\n";
    let input = Input::Stream(Box::new(&text[..]));
    let found = inspect(input, Encoding::of_key("x.csv").unwrap(), 100).unwrap();
    let expected = [
        ("a", ColumnGuess::Numeric),
        ("b", ColumnGuess::Text),
        ("c", ColumnGuess::Empty),
        ("d", ColumnGuess::Text),
        ("a", ColumnGuess::Numeric),
    ];
    assert_eq!(found, expected.map(|(name, guess)| (name.to_owned(), guess)));
}

/// Which of the rejected rows lie in the window: not to be diluted by the old rows of a long file.
mod rejected_in_window {
    use super::*;

    /// The rejected rows of the window. `O` stands for an older moment, `I` for one in the window, `N` for a newer one.
    fn count(lines: &str) -> u64 {
        let text = lines.replace('O', "2026-01-01T12:00:00Z").replace('I', "2026-01-31T12:00:00Z");
        let text = text.replace('N', "2026-02-02T12:00:00Z");
        decoded(&format!("t,a,b,c\n{text}"), &in_window(abc())).tally.rejected_in_window
    }

    #[test]
    fn the_time_of_a_row_counts_where_it_can_be_read() {
        assert_eq!(count("I,oops,1,x\nI,1,1,x\nI,1,1,\nO,oops,1,x\n"), 1);
        assert_eq!(count("O,1\nI,1\nI,1,1,x,1,1\nN,1\nt,a,b,c\n"), 2);
        assert_eq!(count("O,1,1,x\nt,x,y,z,a,b,c\nI,1\n"), 1);
    }

    #[test]
    fn otherwise_the_moments_around_it_tell() {
        for (lines, expected) in [
            ("O,1,1,x\n?,1,1,x\nO,1,1,x\n", 0),
            ("O,1,1,x\n?,1,1,x\n,1,1,x\nI,1,1,x\n", 2),
            ("O,1,1,x\n?,1\nN,1,1,x\n", 1),
            ("N,1,1,x\n?,1\nO,1,1,x\n", 1),
            ("N,1,1,x\n?,1,1,x\nN,1,1,x\n", 0),
            // Nothing before, nothing after.
            ("?,1,1,x\nO,1,1,x\n", 0),
            ("?,1,1,x\nI,1,1,x\n", 1),
            ("O,1,1,x\n?,1,1,x\n?,1\n", 2),
            ("N,1,1,x\n?,1,1,x\n", 0),
            // A ragged row tells the time of those around it, too.
            ("O,1\n?,1,1,x\nO,1,1,x\n", 0),
            ("?,1,1,x\n,\n", 0),
            ("O,1,1,x\nO,\"1\nI,1,1,x\n", 2),
        ] {
            assert_eq!(count(lines), expected, "{lines}");
        }
    }

    #[test]
    fn without_a_window_all_of_them_do() {
        let found = decoded("a,b,c\n1\noops,1,x\n2,1,y\na,b,c\n", &abc());
        assert_eq!((found.tally.rejected_in_window, found.tally.rejected.total()), (2, 3));
    }
}

/// Headers in the middle of a file: appended by writers that do not wait for each other.
mod headers {
    use super::*;

    const MOMENT: &str = "2026-01-31T12:00:00Z";

    /// A file in which `T` stands for a moment of the window.
    fn read(text: &str) -> Decoded {
        decoded(&text.replace('T', MOMENT), &in_window(abc()))
    }

    #[test]
    fn the_rows_below_another_header_are_read_by_it() {
        let found = read("t,a,b,c\nT,1,2,x\nt,b,new,a,c\nT,4,0,3,y\nT,6,0,5,z\n");
        assert_eq!((found.numbers(0), found.numbers(1)), (vec![1.0, 3.0, 5.0], vec![2.0, 4.0, 6.0]));
        assert_eq!(found.labels(2), some(&["x", "y", "z"]));
        assert_eq!(found.rejected(), [("changed-header", 1)]);
        let location = found.tally.rejected.first(RejectionReason::ChangedHeader)[0].to_string();
        assert_eq!(location, "line 3: 5 fields; the rows below with as many are read by it");
    }

    #[test]
    fn a_column_that_moves_is_found_where_the_header_says() {
        let found = read("t,a,b,c\nT,1,2,x\nc,b,a,t\nx,2,1,T\nT,3,4,y\n");
        assert_eq!((found.numbers(0), found.numbers(1)), (vec![1.0, 1.0], vec![2.0, 2.0]));
        assert_eq!(found.rejected(), [("changed-header", 1), ("invalid-timestamp", 1)]);
    }

    #[test]
    fn a_torn_header_does_not_derail_the_rows_below_it() {
        for torn in ["t,a", "t,a,b,", "t,a,b,no", "t", "t,a,bt,a,b,note", "t,a,t,a", "\"t,a"] {
            let found = read(&format!("t,a,b,note\nT,1,2,x\n{torn}\nT,3,4,y\n"));
            let used = if torn.starts_with('"') { vec![1.0] } else { vec![1.0, 3.0] };
            assert_eq!((found.numbers(0), found.numbers(1).len()), (used.clone(), used.len()), "{torn}");
        }
        let torn = read("t,a,b,note\nT,1,2,x\nt,a,b,no\nT,3,4,y\n");
        let location = torn.tally.rejected.first(RejectionReason::RepeatedHeader)[0].to_string();
        assert_eq!((torn.rejected(), location.as_str()), (vec![("repeated-header", 1)], "line 3: its first or last name is torn"));
    }

    #[test]
    fn two_headers_torn_together_are_a_bad_row() {
        let found = read("t,a,b,c\nT,1,2,x\nt,a,t,a,b,c\nt,t,a,b\nT,3,4,y\n");
        assert_eq!(found.numbers(0), [1.0, 3.0]);
        assert_eq!(found.rejected(), [("field-count", 1), ("invalid-timestamp", 1)]);
    }

    #[test]
    fn interleaved_rows_of_an_old_and_a_new_header_are_each_read_by_their_own() {
        let request = Request { cluster: Some("s".into()), ..in_window(abc()) };
        let text = "t,a,b\nT,1,2\nt,s,a,b,c\nT,p,3,4,x\nT,5,6\nT,q,7,8,y\nt,a,b\nT,9,10\nT,p,11,12,z\n";
        let found = decoded(&text.replace('T', MOMENT), &request);
        assert_eq!(found.numbers(0), [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
        assert_eq!(found.labels(2), [None, Some("x".into()), None, Some("y".into()), None, Some("z".into())]);
        assert_eq!(found.rejected(), [("repeated-header", 1), ("changed-header", 1)]);
        assert_eq!((found.tally.columns_seen.as_slice(), found.tally.cluster_seen), ([true, true, true].as_slice(), true));
        let clusters = found.batches[0].clusters.as_ref().unwrap();
        assert_eq!((clusters[0], clusters[1] == clusters[5]), (MISSING_CLUSTER, true));
    }

    #[test]
    fn of_two_headers_with_as_many_fields_the_latest_line_counts() {
        let found = read("t,a,b,c\nT,1,2,x\nt,b,a,c\nT,2,1,x\nt,a,b,c\nT,1,2,x\n");
        assert_eq!((found.numbers(0), found.numbers(1)), (vec![1.0; 3], vec![2.0; 3]));
        assert_eq!(found.rejected(), [("repeated-header", 1), ("changed-header", 1)]);
    }

    #[test]
    fn rows_that_fit_no_header_are_rejected() {
        let found = read("t,a,b,c\nt,a,b,c,d,e\nT,1,2\nT,1,2,x\nT,1,2,x,0,0\n");
        assert_eq!(found.rejected(), [("field-count", 1), ("changed-header", 1)]);
        let location = found.tally.rejected.first(RejectionReason::FieldCount)[0].to_string();
        assert_eq!(location, "line 3: found 3 fields, expected 4 or 6");
        assert_eq!(found.numbers(0), [1.0, 1.0]);
    }

    #[test]
    fn what_has_a_timestamp_a_number_or_not_the_timestamps_name_is_a_row() {
        for line in ["T,t,b,c", "t,1,b,c", "when,a,b,c", "1850-01-01 00:00:00Z,t,b,c", "2026-01-31 12:00,t,b,c"] {
            let found = read(&format!("t,a,b,c\nT,1,2,x\n{line}\nT,3,4,y\n"));
            assert_eq!(found.tally.rejected.headers(), 0, "{line}");
            assert_eq!(found.numbers(0)[found.numbers(0).len() - 1].to_bits(), 3.0_f64.to_bits(), "{line}");
        }
    }

    #[test]
    fn without_a_timestamp_two_needed_names_make_a_header_and_one_does_not() {
        let found = decoded("a,b,c\n1,2,x\nc,a,d,b\ny,3,z,4\n", &abc());
        assert_eq!((found.numbers(0), found.numbers(1)), (vec![1.0, 3.0], vec![2.0, 4.0]));
        let found = decoded("a,b,c\n1,2,x\n,,c\n,3,y\n", &abc());
        assert_eq!((found.rejected(), found.labels(2)), (vec![], some(&["x", "c", "y"])));
        let only = Request { columns: vec![(FeatureName::from("a"), FeatureKind::Numeric)], ..abc() };
        assert_eq!(decoded("a,x\n1,y\nx,a,y\nz,2,z\n", &only).numbers(0), [1.0, 2.0]);
    }

    #[test]
    fn no_more_than_sixteen_headers_are_kept() {
        let more: String = (0..20).map(|i| format!("t,a,b,c,more{}\n", "x".repeat(i))).collect();
        let found = read(&format!("t,a,b,c\nT,1,2,x\n{more}T,3,4,y\nT,5,6,z,0\n"));
        assert_eq!(found.numbers(0), [1.0, 3.0, 5.0]);
        assert_eq!(found.rejected(), [("changed-header", 15), ("invalid-timestamp", 5)]);
    }

    #[test]
    fn inspection_reads_every_row_by_its_header() {
        let text = b"a,b\n1,x\nb,a,c\ny,2,3\n4,z\na,b\n5,x\n";
        let found = inspect(Input::Stream(Box::new(&text[..])), Encoding::of_key("x.csv").unwrap(), 100).unwrap();
        let expected = [("a", ColumnGuess::Numeric), ("b", ColumnGuess::Text), ("c", ColumnGuess::Numeric)];
        assert_eq!(found, expected.map(|(name, guess)| (name.to_owned(), guess)));
    }

    proptest! {
        #[test]
        fn headers_anywhere_are_accounted_for(lines in prop::collection::vec("(t|a|b|c|d|1|T|\"){0,1}(,(t|a|b|c|d|1|T)){0,4}", 0..30)) {
            let text = format!("t,a,b,c\n{}", lines.join("\n")).replace('T', MOMENT);
            let request = Request { cluster: Some("d".into()), batch_rows: 3, ..in_window(abc()) };
            let _ = decode_bytes("x.csv", text.as_bytes(), &request);
            let _ = decode_bytes("x.csv", text.as_bytes(), &Request { timestamp: None, window: None, ..request });
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_accounted_for(bytes in prop::collection::vec(any::<u8>(), 0..300), rows in 1_usize..5) {
        let request = Request { batch_rows: rows, max_row_bytes: 50, cluster: Some("b".into()), ..abc() };
        let _ = decode_bytes("x.csv", &bytes, &request);
    }

    #[test]
    fn anything_that_looks_like_csv_is_accounted_for(
        text in "([0-9a-z\u{e9}.]{0,3}[,\"\r\n]|2026-01-31T00:00:00Z,){0,80}",
        rows in 1_usize..5,
        limit in 1_usize..100,
    ) {
        let request = Request { batch_rows: rows, max_row_bytes: limit, ..in_window(abc()) };
        let _ = decode_bytes("x.csv", format!("t,a,b,c\n{text}").as_bytes(), &request);
        let _ = decode_bytes("x.csv", text.as_bytes(), &abc());
    }
}
