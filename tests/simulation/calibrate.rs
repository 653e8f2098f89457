//! The long simulation: every scenario, as often as asked, into `docs/calibration.md`.
//!
//! `cargo run --release --example calibrate [-- --repetitions N --scenario NAME]`. Owns the command line only. A part of the scenarios
//! is printed instead: the page tells of all of them.

#![allow(clippy::indexing_slicing, reason = "a simulation that fails on a wrong index fails before anything is claimed")]

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use run::Laboratory;
use table::{Line, Tally};

mod encode;
mod population;
mod run;
mod scenario;
mod table;

/// The page, beside the sources that this example was built from.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/calibration.md");

/// Runs every scenario through the whole pipeline and writes docs/calibration.md.
#[derive(Parser)]
struct Arguments {
    /// How often each scenario is repeated; large windows less often
    #[arg(long, value_name = "N", default_value_t = 400)]
    repetitions: u32,
    /// Only the scenarios whose name contains this; the table is printed, not written
    #[arg(long, value_name = "NAME", default_value = "")]
    scenario: String,
    /// Only windows of at most this many rows
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    most_rows: usize,
}

fn main() -> Result<()> {
    let Arguments { repetitions, scenario, most_rows } = Arguments::parse();
    let mut settings = scenario::named(&scenario);
    for setting in &mut settings {
        setting.scenarios.retain(|scenario| scenario.window_rows <= most_rows);
    }
    settings.retain(|setting| !setting.scenarios.is_empty());
    ensure!(!settings.is_empty(), "no scenario's name contains `{scenario}`");
    let laboratory = Laboratory::open()?;
    let begun = Instant::now();
    let mut lines = Vec::new();
    for (number, setting) in settings.iter().enumerate() {
        let seen = laboratory.repeat(setting, repetitions)?;
        eprintln!("[{}/{}, {:.0} s]", number + 1, settings.len(), begun.elapsed().as_secs_f64());
        for (scenario, sightings) in setting.scenarios.iter().zip(seen) {
            let line = Line { setting, scenario, tally: Tally::of(&sightings) };
            eprintln!("  {}", line.summary());
            lines.push(line);
        }
    }
    let command = format!("cargo run --release --example calibrate -- --repetitions {repetitions}");
    if scenario.is_empty() && most_rows == usize::MAX {
        std::fs::write(PAGE, table::page(&lines, &command)).with_context(|| format!("writing {PAGE}"))?;
        eprintln!("{PAGE} is written");
    } else {
        print!("{}", table::page(&lines, &format!("{command} --scenario '{scenario}' --most-rows {most_rows}")));
    }
    Ok(())
}
