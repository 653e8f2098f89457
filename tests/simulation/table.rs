//! What was seen, counted, and held against the bars; the page that tells of it.

use std::fmt::Write;

use drift_check::statistic::interval::clopper_pearson;

use super::run::{SEED, Sighting};
use super::scenario::{Expectation, MOST_FALSE_ALARMS, Scenario, Setting};

/// One scenario's repetitions, counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    pub repetitions: u32,
    /// The data set drifted.
    pub alarms: u32,
    /// The data set was inconclusive.
    pub inconclusive: u32,
    /// The first feature was broken, and the data set did not drift.
    pub only_broken: u32,
    /// Relations between features changed.
    pub related: u32,
    /// The mean number of drifted features.
    pub drifted_features: f64,
    /// The mean effective rows of the window.
    pub effective_rows: f64,
}

/// Whether a bar holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Holds,
    /// The power is too low, but with the runs that say that they cannot tell it is not: unsure instead of wrong.
    Inconclusive,
    /// Even without an alarm the upper bound would be too high.
    TooFewRepetitions,
    Fails,
    /// Nothing is promised.
    None,
}

impl Tally {
    pub fn of(sightings: &[Sighting]) -> Self {
        let count = |seen: &dyn Fn(&Sighting) -> bool| sightings.iter().map(|sighting| u32::from(seen(sighting))).sum();
        let mean = |value: &dyn Fn(&Sighting) -> f64| sightings.iter().map(value).sum::<f64>() / sightings.len().max(1) as f64;
        Self {
            repetitions: count(&|_| true),
            alarms: count(&|sighting| sighting.verdict == "drift"),
            inconclusive: count(&|sighting| sighting.verdict == "inconclusive"),
            only_broken: count(&|sighting| sighting.first == "broken" && sighting.verdict != "drift"),
            related: count(&|sighting| sighting.related),
            drifted_features: mean(&|sighting| f64::from(sighting.drifted)),
            effective_rows: mean(&|sighting| sighting.effective_rows),
        }
    }

    /// A count as a share of the repetitions.
    pub fn share(&self, count: u32) -> f64 {
        f64::from(count) / f64::from(self.repetitions.max(1))
    }

    pub fn standing(&self, expectation: Expectation) -> Standing {
        match expectation {
            Expectation::Quiet if lower_bound(self.related, self.repetitions) > MOST_FALSE_ALARMS => Standing::Fails,
            Expectation::Quiet if upper_bound(self.alarms, self.repetitions) < MOST_FALSE_ALARMS => Standing::Holds,
            // One alarm of a few runs may be chance.
            Expectation::Quiet if upper_bound(0, self.repetitions) >= MOST_FALSE_ALARMS && self.alarms <= 1 => {
                Standing::TooFewRepetitions
            }
            Expectation::Quiet => Standing::Fails,
            Expectation::Alarm { least: None } => Standing::None,
            Expectation::Alarm { least: Some(least) } if self.share(self.alarms) >= least => Standing::Holds,
            Expectation::Alarm { least: Some(least) } if self.share(self.alarms + self.inconclusive) >= least => {
                Standing::Inconclusive
            }
            Expectation::Alarm { .. } => Standing::Fails,
            Expectation::Broken => holds(self.only_broken == self.repetitions),
            Expectation::Related { .. } if upper_bound(self.alarms, self.repetitions) >= MOST_FALSE_ALARMS => Standing::Fails,
            Expectation::Related { least: None } => Standing::None,
            Expectation::Related { least: Some(least) } if self.share(self.related) >= least => Standing::Holds,
            Expectation::Related { .. } => Standing::Fails,
        }
    }
}

fn holds(holds: bool) -> Standing {
    if holds { Standing::Holds } else { Standing::Fails }
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Inconclusive => "inconclusive instead",
            Self::TooFewRepetitions => "too few repetitions",
            Self::Fails => "**fails**",
            Self::None => "",
        }
    }
}

/// The lower bound of a rate, at one-sided 95 % confidence. In [0, 1]; 0 without repetitions.
fn lower_bound(count: u32, repetitions: u32) -> f64 {
    clopper_pearson(u64::from(count), u64::from(repetitions), 0.90).map_or(0.0, |interval| interval.low)
}

/// The upper bound of a rate, at one-sided 95 % confidence. In [0, 1]; 1 without repetitions.
pub fn upper_bound(count: u32, repetitions: u32) -> f64 {
    clopper_pearson(u64::from(count), u64::from(repetitions), 0.90).map_or(1.0, |interval| interval.high)
}

/// A scenario and what was seen of it.
pub struct Line<'a> {
    pub setting: &'a Setting,
    pub scenario: &'a Scenario,
    pub tally: Tally,
}

impl Line<'_> {
    pub fn standing(&self) -> Standing {
        self.tally.standing(self.scenario.expectation)
    }

    fn is_null(&self) -> bool {
        self.scenario.expectation == Expectation::Quiet
    }

    /// One line on what was seen, for people who wait.
    pub fn summary(&self) -> String {
        let Tally { repetitions, alarms, inconclusive, .. } = self.tally;
        let name = &self.scenario.name;
        format!("{name}: {alarms} alarms, {inconclusive} inconclusive of {repetitions}; {}", self.standing().word())
    }
}

/// The whole page. `command` is the one that made it.
pub fn page(lines: &[Line], command: &str) -> String {
    let mut page = format!(
        "# Calibration\n\n\
         How often the verdict on a data set of 16 features is drift, when nothing has changed and when something has. Each repetition draws a \
         new reference\nand a new window, writes them as CSV or Parquet, runs `drift-check profile` and `drift-check check` with the default \
         policy, and reads `report.json`.\nThe populations are in `tests/simulation/population.rs`, the scenarios in \
         `tests/simulation/scenario.rs`.\n\n\
         Made by `{command}` (seed {SEED}). The same command gives the same page.\n\n"
    );
    page.push_str(&bars(lines));
    let null: Vec<&Line> = lines.iter().filter(|line| line.is_null()).collect();
    let drift: Vec<&Line> = lines.iter().filter(|line| !line.is_null()).collect();
    if !null.is_empty() {
        page.push_str(&null_table(&null));
    }
    if !drift.is_empty() {
        page.push_str(&drift_table(&drift));
    }
    page
}

/// How many bars hold, and which do not.
fn bars(lines: &[Line]) -> String {
    let count = |standing: Standing| lines.iter().filter(|line| line.standing() == standing).count();
    let promised = lines.len() - count(Standing::None);
    let mut text = format!("{} of {promised} bars hold.", count(Standing::Holds));
    for (standing, words) in [
        (Standing::Inconclusive, "are missed by runs that say that they cannot tell"),
        (Standing::TooFewRepetitions, "have too few repetitions to tell"),
        (Standing::Fails, "fail"),
    ] {
        if count(standing) > 0 {
            let _ = write!(text, " {} {words}.", count(standing));
        }
    }
    text + "\n\n"
}

fn null_table(lines: &[&Line]) -> String {
    let mut text = format!(
        "## Nothing to be alarmed by\n\n\
         The bar: the alarm rate and its upper bound (Clopper–Pearson, one-sided 95 %) are below {}. `relations` is the share of runs with a\n\
         wrong remark on relations between features, of which there are up to 120 pairs; it may not be above the same limit with that confidence. `drifted features` is the mean of 16.\n\n\
         | rows | reference | window | repetitions | alarms | alarm rate | at most | inconclusive | relations | drifted features | effective rows | bar |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
        percent(MOST_FALSE_ALARMS)
    );
    for line in lines {
        let (tally, scenario) = (&line.tally, line.scenario);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.0} | {} |",
            line.setting.population,
            line.setting.reference_rows,
            scenario.window_rows,
            tally.repetitions,
            tally.alarms,
            percent(tally.share(tally.alarms)),
            percent(upper_bound(tally.alarms, tally.repetitions)),
            percent(tally.share(tally.inconclusive)),
            percent(tally.share(tally.related)),
            tally.drifted_features,
            tally.effective_rows,
            line.standing().word()
        );
    }
    text
}

fn drift_table(lines: &[&Line]) -> String {
    let mut text = String::from(
        "\n## Something to find\n\n\
         `found` is the share of runs in which the data set drifts; for a dead feature, in which that feature is broken and the data set does not\n\
         drift, because one of 16 is no more than 30 %; for a changed correlation, in which the report has the changed pairs (the data set must\n\
         not drift: every feature on its own is as before). Where nothing is promised, the bar is empty. \"Inconclusive instead\": the bar is missed by\n\
         runs that say that they cannot tell.\n\n\
         | rows | changed | reference | window | repetitions | found | inconclusive | stable | drifted features | effective rows | bar | |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for line in lines {
        let (tally, scenario) = (&line.tally, line.scenario);
        let (found, bar) = match scenario.expectation {
            Expectation::Broken => (tally.only_broken, "100 %".to_owned()),
            Expectation::Related { least } => {
                (tally.related, least.map_or_else(String::new, |least| format!("≥ {}", percent(least))))
            }
            Expectation::Alarm { least } => (tally.alarms, least.map_or_else(String::new, |least| format!("≥ {}", percent(least)))),
            Expectation::Quiet => continue,
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.0} | {bar} | {} |",
            line.setting.population,
            scenario.change,
            line.setting.reference_rows,
            scenario.window_rows,
            tally.repetitions,
            percent(tally.share(found)),
            percent(tally.share(tally.inconclusive)),
            percent(tally.share(tally.repetitions - tally.alarms - tally.inconclusive)),
            tally.drifted_features,
            tally.effective_rows,
            line.standing().word()
        );
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
