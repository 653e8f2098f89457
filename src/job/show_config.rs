//! `drift-check config` and `drift-check completions`: the effective configuration, the schema of its file, and what the command line says
//! of itself.

use super::{Invocation, Outcome};
use crate::cli::{Format, completions};
use crate::config::{self, Effective};
use crate::error::{ExitCode, JobError};

pub fn schema() -> Result<Outcome, JobError> {
    Ok(Outcome { exit_code: ExitCode::Success, output: pretty(&config::schema())? })
}

pub fn completions(kind: completions::Kind) -> Result<Outcome, JobError> {
    let output = completions::render(kind).map_err(|source| JobError::Write { path: "the script".to_owned(), source })?;
    Ok(Outcome { exit_code: ExitCode::Success, output })
}

pub fn show(effective: &Effective, invocation: &Invocation) -> Result<Outcome, JobError> {
    let output = match invocation.options.format {
        Format::Text | Format::Markdown => effective.to_text(),
        Format::Json => pretty(&effective.to_json())?,
    };
    Ok(Outcome { exit_code: ExitCode::Success, output })
}

fn pretty(value: &serde_json::Value) -> Result<String, JobError> {
    let text = serde_json::to_string_pretty(value).map_err(|source| JobError::Encode { what: "configuration", source })?;
    Ok(text + "\n")
}
