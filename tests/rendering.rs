//! What the three renderings show, and that no name, label or message can break out of any of them.

use drift_check::report::text::TextOptions;
use drift_check::report::{Report, html, markdown, text};

use crate::sample_report as sample;

fn plain(report: &Report, width: u16, verbose: bool) -> String {
    let report_location = Some("gs://ct-scan-drift-logs/reports/ct-scan/2026/01/31/180000Z-24h/report.html".to_owned());
    text::render(report, TextOptions { color: false, width, verbose, report_location })
}

/// Every report that has to be survived.
fn every_report() -> Vec<(&'static str, Report)> {
    vec![
        ("drift day", sample::drift_day()),
        ("hostile day", sample::hostile_day()),
        ("no data", sample::no_data()),
        ("stable day", sample::stable_day()),
        ("inconclusive day", sample::inconclusive_day()),
        ("nothing at all", sample::nothing_at_all()),
        ("all none", sample::all_none()),
        ("spike", sample::spike()),
        ("not finite", sample::not_finite()),
        ("500 features", sample::wide(500)),
    ]
}

#[test]
fn the_text_of_a_drift_day_at_80_columns() {
    insta::assert_snapshot!(plain(&sample::drift_day(), 80, false));
}

#[test]
fn the_text_of_a_drift_day_at_120_columns_verbose() {
    insta::assert_snapshot!(plain(&sample::drift_day(), 120, true));
}

#[test]
fn the_text_of_500_features_folds_the_stable_ones() {
    insta::assert_snapshot!(plain(&sample::wide(500), 100, false));
}

#[test]
fn the_text_of_a_window_without_rows() {
    insta::assert_snapshot!(plain(&sample::no_data(), 80, false));
}

#[test]
fn the_markdown_of_a_drift_day() {
    insta::assert_snapshot!(markdown::render(&sample::drift_day()));
}

#[test]
fn the_markdown_of_a_report_without_anything() {
    insta::assert_snapshot!(markdown::render(&sample::nothing_at_all()));
}

#[test]
fn every_report_renders_the_same_bytes_twice_and_says_its_conclusion() {
    for (name, report) in every_report() {
        let conclusion = &report.decision.conclusion;
        let page = html::render(&report);
        assert_eq!(page, html::render(&report), "{name}");
        assert!(!page.contains(" d=\"NaN") && !page.contains("MNaN") && !page.contains(":NaN") && !page.contains("inf%"), "{name}");
        assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "{name}");
        if name != "hostile day" {
            assert!(page.contains(conclusion.as_str()), "{name}");
            assert!(joined(&plain(&report, 80, false)).contains(conclusion.as_str()), "{name}");
            assert!(markdown::render(&report).contains(conclusion.split(':').next().unwrap()), "{name}");
        }
    }
}

/// The text without its line breaks.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

#[test]
fn a_page_of_16_features_is_under_1_mb() {
    assert!(html::render(&sample::drift_day()).len() < 1_000_000);
    assert!(html::render(&sample::hostile_day()).len() < 1_000_000);
}

#[test]
fn the_page_loads_nothing_and_forbids_to() {
    for (name, report) in every_report() {
        let page = html::render(&report);
        let policy =
            r#"<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:;"#;
        assert!(page.contains(policy), "{name}");
        for loader in [
            "<script",
            "<iframe",
            "<object",
            "<embed",
            "<img",
            "<base",
            "@import",
            "@font-face",
            "url(",
            " src=",
            "srcset",
            "javascript:",
        ] {
            let found = page.find(loader).map(|at| page.chars().skip(page[..at].chars().count()).take(60).collect::<String>());
            // A hostile name may say anything as text: what counts is that it is none of our markup.
            let text_only = name == "hostile day" && matches!(loader, " src=" | "url(" | "javascript:");
            assert!(found.is_none() || text_only, "{name}: {found:?}");
        }
        for part in page.split("href=\"").skip(1) {
            let target = part.split('"').next().unwrap();
            assert!(target.starts_with('#') || target == "data:,", "{name}: a link to {target}");
        }
    }
}

#[test]
fn no_name_becomes_markup_in_the_page() {
    let page = html::render(&sample::hostile_day());
    let tags: Vec<&str> = page.split('<').skip(1).map(|tag| tag.split(['>', ' ']).next().unwrap()).collect();
    for tag in tags {
        assert!(!matches!(tag, "script" | "/script" | "img"), "<{tag}>");
    }
    assert_eq!(page.matches("</title></svg>").count(), 0);
    assert_eq!(page.matches("<style>").count(), 1);
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(!page.contains('\u{1b}') && !page.contains('\u{202E}') && !page.contains('\u{7}'));
    assert!(page.contains("&#60;script&#62;window.hostile=1;alert(1)&#60;/script&#62;"));
}

#[test]
fn no_name_steers_a_terminal() {
    for width in [20, 80, 120, 400] {
        for color in [false, true] {
            let options = TextOptions { color, width, verbose: true, report_location: Some("gs://b/\u{1b}[2J".to_owned()) };
            let shown = text::render(&sample::hostile_day(), options);
            let mut rest = shown.as_str();
            while let Some(at) = rest.find('\u{1b}') {
                assert!(color, "{shown}");
                let code = rest[at + 1..].split('m').next().unwrap();
                assert!(matches!(code, "[0" | "[2" | "[32" | "[33" | "[1;31"), "{code:?}");
                rest = &rest[at + 1..];
            }
            assert!(shown.chars().all(|c| c == '\n' || c == '\u{1b}' || !c.is_control()));
            assert!(!shown.contains('\u{202E}'));
        }
    }
}

#[test]
fn the_table_fits_its_terminal_and_no_line_ends_in_a_space() {
    for (name, report) in every_report() {
        for width in [80, 100, 120, 160] {
            let shown = plain(&report, width, true);
            for line in shown.lines() {
                assert_eq!(line, line.trim_end(), "{name}");
                // A word longer than the line (an address, a hostile name) is not cut.
                let unbreakable = !line.trim().contains(' ') || line.starts_with("Report: ");
                assert!(unbreakable || line.chars().count() <= usize::from(width), "{name} at {width}: {line:?}");
            }
        }
    }
}

#[test]
fn no_name_becomes_markup_in_markdown() {
    let shown = markdown::render(&sample::hostile_day());
    let code_line = |line: &&str| !line.starts_with("Reproduce with ");
    for line in shown.lines().filter(code_line) {
        if line.starts_with('|') {
            assert_eq!(line.matches('|').count(), 8, "{line}");
        }
        let text = line.replace("<details><summary>", "").replace("</summary>", "").replace("</details>", "");
        assert!(!text.contains('<') && !text.contains("](") && !text.contains("://"), "{line}");
    }
    assert_eq!(shown.lines().filter(|line| line.starts_with('#')).count(), 3);
}

#[test]
fn the_text_says_the_conclusion_and_the_report_last() {
    let shown = plain(&sample::drift_day(), 120, false);
    let last: Vec<&str> = shown.lines().rev().take(2).collect();
    assert!(last[0].starts_with("Report: gs://"), "{shown}");
    assert!(last[1].starts_with("Drift: 7 of 16 features"), "{shown}");
}

#[test]
fn the_page_tells_since_when_and_what_moved() {
    let page = html::render(&sample::drift_day());
    assert!(
        page.contains("since\u{a0}the\u{a0}window to <span class=\"whole\">2026-01-30\u{a0}18:00\u{a0}UTC</span> (5\u{a0}windows)")
    );
    assert!(page.contains("new\u{a0}in\u{a0}this\u{a0}window"));
    assert!(page.contains("(1.22 reference sd)"));
    assert!(
        page.contains("Drift since the window to 2026-01-31 12:00 UTC (2 windows); stable in the window to 2026-01-31 06:00 UTC")
    );
}
