//! The table of what can fail and how it ends, as `docs/reliability.md` shows it.

use std::fmt::Write;
use std::path::Path;

/// A row, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Of a run.
    pub part: &'static str,
    pub fault: String,
    /// How the run ended, and what it left.
    pub outcome: String,
    /// Who was told, and what the log said.
    pub seen: String,
}

const PAGE: &str = "docs/reliability.md";
/// Set, it has the test write its part of the page instead of holding it against what was seen.
const WRITE: &str = "DRIFT_CHECK_WRITE_DOCS";

/// Holds a section of the page, between `<!-- NAME: written by TEST -->` and `<!-- /NAME -->`, against what was seen.
pub fn hold(name: &str, test: &str, outcomes: &[Outcome]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name}: written by {test} -->"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{PAGE} has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{PAGE} has no {end}"));
    let written = format!("{before}{begin}\n\n{}\n{end}{after}", markdown(outcomes));
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, written).unwrap();
        return;
    }
    let stale = page.lines().zip(written.lines()).find(|(stands, seen)| stands != seen);
    assert!(page == written, "{PAGE} does not tell what was seen: run this test with {WRITE}=1; first: {stale:#?}");
}

/// Faults of one part that end alike share a line.
fn markdown(outcomes: &[Outcome]) -> String {
    let mut lines: Vec<(Vec<&str>, &Outcome)> = Vec::new();
    for outcome in outcomes {
        let alike = |known: &Outcome| (known.part, &known.outcome, &known.seen) == (outcome.part, &outcome.outcome, &outcome.seen);
        match lines.iter_mut().find(|(_, known)| alike(known)) {
            Some((faults, _)) => faults.push(&outcome.fault),
            None => lines.push((vec![&outcome.fault], outcome)),
        }
    }
    let mut text = String::from("| part | fault | outcome | how it was seen to go |\n|---|---|---|---|\n");
    for (faults, Outcome { part, outcome, seen, .. }) in lines {
        let cells = [*part, &faults.join("; "), outcome, seen].map(|cell| cell.replace('|', "\\|"));
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
    writeln!(text, "\n{} faults.", outcomes.len()).unwrap();
    text
}
