//! The verdict on data whose truth is known, through the whole pipeline: the short form of what `calibrate` does at length.

pub mod encode;
pub mod population;
mod run;
mod scenario;
mod table;

use run::Laboratory;
use table::Tally;

/// Repetitions of a scenario here; the long run takes 400 and more.
const REPETITIONS: u32 = 20;

/// More alarms than these a rate of 2 % gives in one of 2,000 such runs: scipy.stats.binom.sf(3, 20, 0.02) = 6.0e-4.
const MOST_FALSE_ALARMS: u32 = 3;

/// The scenarios of a population and the reference of 613 rows that are named by what changes and by the window's rows.
fn tallies<const N: usize>(population: &str, wanted: [(&str, usize); N]) -> [Tally; N] {
    let mut setting = scenario::settings().into_iter().find(|setting| setting.population == population).unwrap();
    assert_eq!(setting.reference_rows, 613);
    setting.scenarios.retain(|scenario| wanted.contains(&(scenario.change.as_str(), scenario.window_rows)));
    let seen = Laboratory::open().unwrap().repeat(&setting, REPETITIONS).unwrap();
    wanted.map(|(change, rows)| {
        let mut scenarios = setting.scenarios.iter().zip(&seen);
        let found = scenarios.find(|(scenario, _)| (scenario.change.as_str(), scenario.window_rows) == (change, rows));
        let tally = Tally::of(found.unwrap_or_else(|| panic!("{population}: no {change} at {rows} rows")).1);
        assert_eq!(tally.repetitions, REPETITIONS);
        tally
    })
}

fn assert_quiet(tallies: &[Tally]) {
    assert!(tallies.iter().all(|tally| tally.alarms <= MOST_FALSE_ALARMS), "{tallies:?}");
}

#[test]
fn plain_rows_alarm_when_their_mean_or_spread_changes_and_only_then() {
    let [small, ordinary, one, half, spread, dead] = tallies(
        "independent",
        [
            ("nothing", 20),
            ("nothing", 73),
            ("6 of 16: mean + 1 sd", 73),
            ("6 of 16: mean + 0.5 sd", 300),
            ("6 of 16: sd × 1.5", 2_000),
            ("1 of 16 dead", 73),
        ],
    );
    assert_quiet(&[small, ordinary]);
    // With the powers that the long run promises, one run in 2,000 finds fewer: scipy.stats.binom.cdf(14, 20, 0.95) = 3.3e-4,
    // cdf(12, 20, 0.9) = 4.2e-4. Nothing is promised of a change of spread.
    assert!(one.alarms >= 15, "{one:?}");
    assert!(half.alarms >= 13, "{half:?}");
    assert!(spread.alarms >= 13, "{spread:?}");
    assert_eq!((dead.only_broken, dead.alarms), (REPETITIONS, 0), "{dead:?}");
}

#[test]
fn features_that_move_together_do_not_alarm_together() {
    let [quiet, one, correlation] =
        tallies("correlated 0.8", [("nothing", 73), ("6 of 16: mean + 1 sd", 73), ("correlation 0.8 to 0", 300)]);
    // Every feature on its own is as before: the data set has not drifted.
    assert_quiet(&[quiet.clone(), correlation.clone()]);
    // Their relations are found, and nothing is said of relations where none changed.
    assert!(correlation.related >= 15 && quiet.related <= MOST_FALSE_ALARMS, "{correlation:?} {quiet:?}");
    assert!(one.alarms >= 15, "{one:?}");
}

#[test]
fn values_that_begin_to_be_missing_are_found() {
    let [quiet, missing] = tallies("2 % missing", [("nothing", 73), ("6 of 16: 15 % missing", 300)]);
    assert_quiet(&[quiet]);
    assert!(missing.alarms >= 13, "{missing:?}");
}

#[test]
fn categories_in_another_mix_are_found() {
    let [quiet, mix] = tallies("6 categorical", [("nothing", 73), ("6 of 16: category mix", 300)]);
    assert_quiet(&[quiet]);
    assert!(mix.alarms >= 13, "{mix:?}");
}

#[test]
fn tied_values_do_not_alarm() {
    assert_quiet(&tallies("ties", [("nothing", 73)]));
    assert_quiet(&tallies("45 % zeros", [("nothing", 73)]));
}

#[test]
fn ten_measurements_of_a_study_are_not_ten_rows() {
    assert_quiet(&tallies("studies, column named", [("nothing", 73), ("nothing", 300)]));
    assert_quiet(&tallies("studies, column not named", [("nothing", 73), ("nothing", 300)]));
    assert_quiet(&tallies("correlated studies, column named", [("nothing", 300)]));
}

#[test]
fn a_run_is_repeated_exactly() {
    let setting = &scenario::named("2 % missing: nothing: 613 -> 73")[0];
    let laboratory = Laboratory::open().unwrap();
    assert_eq!(laboratory.repeat(setting, 3).unwrap(), laboratory.repeat(setting, 3).unwrap());
}

#[test]
fn scenarios_have_names_of_their_own() {
    let mut names: Vec<String> =
        scenario::settings().into_iter().flat_map(|setting| setting.scenarios).map(|scenario| scenario.name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_page_tells_of_every_scenario() {
    let settings = scenario::settings();
    let tally = Tally {
        repetitions: 400,
        alarms: 2,
        inconclusive: 1,
        only_broken: 400,
        related: 0,
        drifted_features: 0.5,
        effective_rows: 73.0,
    };
    let lines: Vec<table::Line> = settings
        .iter()
        .flat_map(|setting| setting.scenarios.iter().map(move |scenario| (setting, scenario)))
        .map(|(setting, scenario)| table::Line { setting, scenario, tally: tally.clone() })
        .collect();
    let page = table::page(&lines, "command");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| rows")).count();
    assert_eq!(rows, lines.len());
    assert!(lines[0].summary().ends_with("2 alarms, 1 inconclusive of 400; holds"), "{}", lines[0].summary());
}
