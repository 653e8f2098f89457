//! What the doctor says: a line for each check, and the exit code of the worst.

use super::{Check, Status};
use crate::cli::Format;
use crate::error::{ExitCode, JobError};
use crate::job::{Invocation, Outcome};
use crate::report::{printable, to_json};

/// Without a configuration nothing runs; without bucket and store nothing is kept; without input nothing is checked; without a channel
/// nobody is told.
const WORST_FIRST: [ExitCode; 4] = [ExitCode::Config, ExitCode::StorageFailed, ExitCode::InputUnusable, ExitCode::Undelivered];

pub fn outcome(checks: &[Check], invocation: &Invocation) -> Result<Outcome, JobError> {
    let exit_code = worst(checks);
    let output = match invocation.options.format {
        Format::Text => text(checks, invocation.terminal.color),
        Format::Markdown => markdown(checks),
        Format::Json => {
            let count = |status| checks.iter().filter(|check| check.status == status).count();
            let shown = serde_json::json!({
                "schema_version": 1, "exit_code": exit_code as u8, "failed": count(Status::Fail), "warned": count(Status::Warn),
                "checks": checks,
            });
            to_json(&shown).map_err(|source| JobError::Encode { what: "diagnosis", source })?
        }
    };
    Ok(Outcome { exit_code, output })
}

fn worst(checks: &[Check]) -> ExitCode {
    let failed: Vec<ExitCode> = checks.iter().filter(|check| check.status == Status::Fail).map(|check| check.code).collect();
    let known = WORST_FIRST.into_iter().find(|code| failed.contains(code));
    known.or(failed.first().copied()).unwrap_or(ExitCode::Success)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "fail",
        Status::Skip => "skip",
    }
}

fn text(checks: &[Check], color: bool) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut lines: Vec<String> = checks.iter().map(|check| line(check, width, color)).collect();
    let [failed, warned] = [Status::Fail, Status::Warn].map(|status| checks.iter().filter(|check| check.status == status).count());
    lines.push(match (failed, warned) {
        (0, 0) => "\nNothing is wrong.".to_owned(),
        (0, some) => format!("\nNothing failed; {some} to look at."),
        (some, _) => format!("\n{some} of {} checks failed.", checks.len()),
    });
    lines.join("\n") + "\n"
}

fn line(check: &Check, width: usize, color: bool) -> String {
    let code = match check.status {
        Status::Ok => "32",
        Status::Warn => "33",
        Status::Fail => "1;31",
        Status::Skip => "2",
    };
    let word = format!("{:<4}", word(check.status));
    let word = if color { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word };
    let remedy = check.remedy.as_deref().map_or_else(String::new, |remedy| format!("; {}", printable(remedy)));
    format!("{word}  {:<width$}  {}{remedy}", printable(&check.name), printable(&check.seen))
}

fn markdown(checks: &[Check]) -> String {
    let mut lines = vec!["| | check | seen | remedy |".to_owned(), "|---|---|---|---|".to_owned()];
    // A pipe would end the cell, and a tag begin one of somebody else's.
    let cell = |text: &str| printable(text).replace('&', "&amp;").replace('|', "&#124;").replace('<', "&lt;");
    lines.extend(checks.iter().map(|check| {
        let remedy = check.remedy.as_deref().map_or_else(String::new, cell);
        format!("| {} | {} | {} | {remedy} |", word(check.status), cell(&check.name), cell(&check.seen))
    }));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_warnings_do_not() {
        let fail = |code| Check::fail("x", code, "seen", "");
        assert_eq!(worst(&[Check::ok("x", ""), Check::warn("x", "", ""), Check::skip("x", "")]), ExitCode::Success);
        let checks = [ExitCode::Undelivered, ExitCode::InputUnusable, ExitCode::StorageFailed].map(fail);
        assert_eq!(worst(&checks), ExitCode::StorageFailed);
        assert_eq!(worst(&[fail(ExitCode::Undelivered), fail(ExitCode::Config)]), ExitCode::Config);
        assert_eq!(worst(&[fail(ExitCode::Unexpected)]), ExitCode::Unexpected);
    }

    #[test]
    fn a_line_says_what_was_seen_and_what_to_do() {
        let check = Check::fail("bucket write", ExitCode::StorageFailed, "a\nb", "grant it");
        assert_eq!(line(&check, 14, false), "fail  bucket write    a b; grant it");
        assert_eq!(line(&Check::ok("clock", "right"), 5, true), "\u{1b}[32mok  \u{1b}[0m  clock  right");
        assert_eq!(markdown(&[Check::ok("a|b", "<x>")]).lines().last(), Some("| ok | a&#124;b | &lt;x> |  |"));
    }
}
