//! Which populations are compared with which windows, how often, and what is promised of each.

use super::population::{Drift, Marginal, Population};

/// A reference and how it is profiled: every repetition draws a new one, because chance in the reference must count too.
pub struct Setting {
    /// What its rows are like, such as `correlated 0.8`.
    pub population: &'static str,
    pub rows_like: Population,
    pub reference_rows: usize,
    /// Whether the configuration names the study column.
    pub names_studies: bool,
    pub scenarios: Vec<Scenario>,
}

/// A window that is checked against the reference of its setting.
pub struct Scenario {
    /// Unique over all settings; seeds its random numbers.
    pub name: String,
    /// What is different in it, in words; `nothing` for a null scenario.
    pub change: String,
    pub window_rows: usize,
    pub drift: Drift,
    pub expectation: Expectation,
    /// Large windows are repeated less often.
    pub most_repetitions: u32,
}

/// What the report is to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expectation {
    /// The data set must not drift: its alarm rate stays below [`MOST_FALSE_ALARMS`].
    Quiet,
    /// The data set drifts. `least`: the power that is promised, where one is.
    Alarm { least: Option<f64> },
    /// The data set is quiet, because every feature is as before, and the changed relations are found; with what power, where that is
    /// promised.
    Related { least: Option<f64> },
    /// The first feature is broken, and the data set does not drift for that.
    Broken,
}

impl Expectation {
    fn is_promised(self) -> bool {
        !matches!(self, Self::Alarm { least: None } | Self::Related { least: None })
    }
}

/// The bar of every null scenario, for the alarm rate and for its 95 % upper bound.
pub const MOST_FALSE_ALARMS: f64 = 0.02;

const ROWS: [usize; 4] = [20, 73, 300, 2_000];
const MANY_ROWS: usize = 100_000;
/// Where the rows of a window are many, repetitions are few: with 149 of them and no alarm the upper bound is below the
/// bar, and one alarm more fails it.
const REPETITIONS_OF_MANY_ROWS: u32 = 150;
const REPETITIONS_OF_SOME_ROWS: u32 = 240;

const MANY_REFERENCE_ROWS: usize = 10_000;
const REFERENCES: [usize; 2] = [613, MANY_REFERENCE_ROWS];

const CORRELATED: Population = Population { correlation: 0.8, ..Population::PLAIN };
/// Ten measurements per study.
const STUDIES: Population = Population { study_rows: 10, study_share: 0.8, ..Population::PLAIN };
const CORRELATED_STUDIES: Population = Population { correlation: 0.8, ..STUDIES };
const MISSING: Population = Population { missing: 0.02, ..Population::PLAIN };
const CATEGORICAL: Population = Population { categorical: true, ..Population::PLAIN };

/// Name, rows, whether the study column is named in the configuration.
const POPULATIONS: [(&str, Population, bool); 15] = [
    ("independent", Population::PLAIN, false),
    ("correlated 0.8", CORRELATED, false),
    ("studies, column named", STUDIES, true),
    ("studies, column not named", STUDIES, false),
    ("correlated studies, column named", CORRELATED_STUDIES, true),
    ("correlated studies, column not named", CORRELATED_STUDIES, false),
    ("2 % missing", MISSING, false),
    ("ties", Population { marginal: Marginal::Rounded, ..Population::PLAIN }, false),
    ("correlated ties", Population { marginal: Marginal::Rounded, ..CORRELATED }, false),
    ("45 % zeros", Population { marginal: Marginal::ZeroInflated, ..Population::PLAIN }, false),
    ("student t, 2 df", Population { marginal: Marginal::StudentT, ..Population::PLAIN }, false),
    ("log-normal", Population { marginal: Marginal::Lognormal, ..Population::PLAIN }, false),
    ("6 categorical", CATEGORICAL, false),
    ("daily cycle in the traffic", Population { daily_traffic: true, ..Population::PLAIN }, false),
    ("daily cycle in the values", Population { daily_traffic: true, daily_swing: 0.5, ..Population::PLAIN }, false),
];

/// Every setting with all its scenarios.
pub fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for reference_rows in REFERENCES {
        for (population, rows_like, names_studies) in POPULATIONS {
            let mut setting = Setting { population, rows_like, reference_rows, names_studies, scenarios: Vec::new() };
            setting.add_null();
            setting.add_drift();
            // Against a large reference only what is promised: the rest is as with the small one, and takes hours.
            setting.scenarios.retain(|scenario| reference_rows != MANY_REFERENCE_ROWS || scenario.expectation.is_promised());
            settings.push(setting);
        }
    }
    settings
}

/// The scenarios whose name contains the text, in their settings.
pub fn named(part: &str) -> Vec<Setting> {
    let mut settings = settings();
    for setting in &mut settings {
        setting.scenarios.retain(|scenario| scenario.name.contains(part));
    }
    settings.retain(|setting| !setting.scenarios.is_empty());
    settings
}

impl Setting {
    fn add_null(&mut self) {
        for rows in ROWS.into_iter().chain([MANY_ROWS]) {
            self.add("nothing", Drift::None, rows, Expectation::Quiet);
        }
    }

    fn add_drift(&mut self) {
        match self.population {
            "independent" => {
                self.add_shifts();
                for rows in [300, 2_000] {
                    self.add("6 of 16: sd × 1.5", Drift::Spread(1.5), rows, Expectation::Alarm { least: None });
                }
                for rows in [73, 300, 2_000] {
                    self.add("1 of 16 dead", Drift::Dead, rows, Expectation::Broken);
                }
            }
            "correlated 0.8" => {
                self.add_shifts();
                for rows in ROWS {
                    let least = (rows >= 73).then_some(0.95);
                    self.add("correlation 0.8 to 0", Drift::Correlation(0.0), rows, Expectation::Related { least });
                }
            }
            "studies, column named" | "studies, column not named" => {
                for (shift, rows) in [(1.0, 73), (1.0, 300), (0.5, 2_000), (1.0, 2_000)] {
                    self.add(&shifted(shift), Drift::Shift(shift), rows, Expectation::Alarm { least: None });
                }
            }
            "2 % missing" => {
                for rows in [300, 2_000] {
                    self.add("6 of 16: 15 % missing", Drift::Missing(0.15), rows, Expectation::Alarm { least: None });
                }
            }
            "6 categorical" => {
                for rows in [300, 2_000] {
                    self.add("6 of 16: category mix", Drift::Mix, rows, Expectation::Alarm { least: None });
                }
            }
            _ => {}
        }
    }

    fn add_shifts(&mut self) {
        for shift in [0.35, 0.5, 1.0] {
            for rows in ROWS {
                let least = match (shift, rows) {
                    (1.0, 73) => Some(0.95),
                    (0.5, 300) => Some(0.90),
                    (0.5, 2_000) => Some(0.99),
                    _ => None,
                };
                self.add(&shifted(shift), Drift::Shift(shift), rows, Expectation::Alarm { least });
            }
        }
    }

    fn add(&mut self, change: &str, drift: Drift, window_rows: usize, expectation: Expectation) {
        self.scenarios.push(Scenario {
            name: format!("{}: {change}: {} -> {window_rows}", self.population, self.reference_rows),
            change: change.to_owned(),
            window_rows,
            drift,
            expectation,
            most_repetitions: match window_rows {
                MANY_ROWS => REPETITIONS_OF_MANY_ROWS,
                2_000 => REPETITIONS_OF_SOME_ROWS,
                _ => u32::MAX,
            },
        });
    }
}

fn shifted(shift: f64) -> String {
    format!("6 of 16: mean + {shift} sd")
}
