//! `drift-check backtest`: replays the rule over past windows. Reads the logs once, writes nothing to the bucket and changes no state.

mod inject;
mod known;
mod plan;
mod readings;
mod replay;
mod steps;

use std::fs;
use std::sync::Arc;

use super::current::{Current, Logs};
use super::measure::{Measured, measure};
use super::reference;
use super::shared::shared;
use super::{Invocation, Outcome, cluster, input, signals};
use crate::cli::{BacktestOptions, Format};
use crate::config::{Config, Effective};
use crate::decision::finding::Finding;
use crate::decision::rule::reach;
use crate::decision::signal::{SignalName, Telling, broken_input};
use crate::error::{ExitCode, JobError};
use crate::profile::ReferenceProfile;
use crate::report::assemble::{self, JudgedFeature};
use crate::report::backtest::summary::{Material, SignalSetting, summarize};
use crate::report::backtest::{Backtest, Injected, ReplayedFeature, ReplayedWindow, Setting, markdown, text};
use crate::report::{html, printable, to_json};
use crate::window::Window;
use known::Known;
use plan::Plan;
use readings::Watch;
use replay::Replay;

pub async fn backtest(
    config: &Config,
    effective: &Effective,
    invocation: &Invocation,
    options: BacktestOptions,
) -> Result<Outcome, JobError> {
    if invocation.options.as_of.is_some() {
        return Err(JobError::Usage("--as-of is for one check: a backtest has --from and --to".to_owned()));
    }
    if config.logs.timestamp.is_none() {
        let message = "a backtest needs the moment of every row: set logs.timestamp to the column that holds it";
        return Err(JobError::Input(message.to_owned()));
    }
    let plan = Plan::of(&options, config.window.length, invocation.now)?;
    let bucket = input::bucket(config)?;
    let place = reference::place(config, effective, &bucket)?;
    let reference = reference::load(config, &place, &invocation.progress).await?;
    let profile = reference.profile;
    let known = Known::read(config, options.known_drift.as_deref(), plan.range, &profile).await?;
    let (shift, injected) = inject::of(&options.inject, options.inject_at, &plan, &profile)?;
    cluster::only_local(config, "backtest")?;
    let logs = Logs::list(config, effective, &bucket, &invocation.progress).await?;

    let concurrency = logs.concurrency();
    let mut replay = Replay::new(&logs, Arc::clone(&profile), plan, shift, concurrency, config.logs.max_rejected_fraction);
    let mut run = Run {
        config,
        logs: &logs,
        profile: &profile,
        findings: reference.findings,
        watch: Watch::new(config).await,
        windows: Vec::new(),
    };
    run.all(&mut replay, &plan, invocation).await?;
    if replay.reading.rows_in_range == 0 && run.windows.iter().all(|window| window.rows == 0 && window.unusable.is_none()) {
        let Window { start, end } = plan.range;
        return Err(JobError::Input(format!(
            "no row of the logs at {} lies between {start} and {end}: correct --from and --to, logs.prefix or logs.date_pattern",
            logs.uri()
        )));
    }
    let mut notes = known.notes;
    notes.extend(remarks(&injected, &replay, config));
    let Run { windows, watch, .. } = run;
    let backtest = summarize(Material {
        setting: setting(config, &plan, &profile),
        policy: &config.policy,
        reading: replay.reading,
        windows,
        signals: replayed(config, &watch),
        not_replayed: watch.not_replayed(config),
        known: known.intervals,
        injected,
        notes,
    });
    if let Some(path) = &options.output {
        fs::write(path, html::backtest::render(&backtest)).map_err(|source| JobError::Write { path: path.clone(), source })?;
    }
    Ok(Outcome { exit_code: ExitCode::Success, output: print(&backtest, invocation, options.output.as_deref())? })
}

/// The windows of a backtest on their way.
struct Run<'a> {
    config: &'a Config,
    logs: &'a Logs<'a>,
    profile: &'a Arc<ReferenceProfile>,
    /// Of the reference.
    findings: Vec<Finding>,
    watch: Watch,
    windows: Vec<ReplayedWindow>,
}

impl<'a> Run<'a> {
    /// Reads group by group, and judges each window as soon as all of its rows are there: then its first hours are not needed any more.
    async fn all(&mut self, replay: &mut Replay<'a>, plan: &Plan, invocation: &Invocation) -> Result<(), JobError> {
        let groups = replay.groups();
        let bytes = groups.iter().flat_map(|group| &group.objects).map(|object| object.size_bytes).sum();
        let progress = invocation.progress.bytes("replaying the windows", bytes);
        let mut windows = plan.windows().peekable();
        for group in groups {
            replay.read(group.objects, &progress).await?;
            while let Some(window) = windows.next_if(|window| group.horizon.is_none_or(|horizon| window.end <= horizon)) {
                self.one(replay, window).await?;
                if let Some(next) = windows.peek() {
                    replay.forget_before(*next);
                }
            }
        }
        // Without any object.
        for window in windows {
            self.one(replay, window).await?;
        }
        Ok(())
    }

    async fn one(&mut self, replay: &mut Replay<'a>, window: Window) -> Result<(), JobError> {
        let replayed = match replay.window(window).await {
            Ok(current) => self.judge(replay, window, current).await?,
            Err(JobError::Logs(reason)) => unusable(self.config, window, reason),
            Err(error) => return Err(error),
        };
        self.windows.push(replayed);
        Ok(())
    }

    /// What `check` makes of a window.
    async fn judge(&mut self, replay: &mut Replay<'a>, window: Window, mut current: Current) -> Result<ReplayedWindow, JobError> {
        let (config, policy) = (self.config, &self.config.policy);
        let mut findings = self.findings.clone();
        let profile = shared(config, Arc::clone(self.profile), &mut current, self.logs, &mut findings).await?;
        let rows = current.account.rows_used;
        let Measured { features: judged, predictions, decision } = measure(&profile, &current.counts, rows, policy);
        let features = judged.iter().map(|judged| feature(config, judged)).collect();
        let section = assemble::decision(&decision, policy, &assemble::features(judged));
        let predictions = assemble::features(predictions);
        let signals = self.watch.read(config, self.logs, replay, &current, &decision, &predictions, window).await;
        Ok(ReplayedWindow { window, rows, decision: Some(section), unusable: None, features, signals })
    }
}

fn feature(config: &Config, judged: &JudgedFeature<'_>) -> ReplayedFeature {
    let JudgedFeature { name, measurement, judgement, .. } = judged;
    ReplayedFeature {
        name: (*name).clone(),
        verdict: judgement.verdict,
        reason: judgement.reason.clone(),
        q_value: judgement.q_value,
        psi_adjusted: measurement.psi.as_ref().map(|psi| psi.adjusted),
        effective_rows: measurement.effective.current,
        detectable_psi: judgement.detectable.map(|detectable| detectable.psi),
        detectable_sd: judgement.detectable.and_then(|detectable| detectable.shift),
        reach: reach(measurement, judgement, &config.policy),
    }
}

/// A window that a run would have ended at with an error: `broken-input` fires, and nothing else is read.
fn unusable(config: &Config, window: Window, reason: String) -> ReplayedWindow {
    let reading = broken_input(None, Some(&reason)).0;
    let signals =
        if config.signals.is_evaluated(SignalName::BrokenInput) { vec![(SignalName::BrokenInput, reading)] } else { Vec::new() };
    ReplayedWindow { window, rows: 0, decision: None, unusable: Some(reason), features: Vec::new(), signals }
}

fn setting(config: &Config, plan: &Plan, profile: &ReferenceProfile) -> Setting {
    let series = super::sections::series(config, Some(plan.range));
    let policy = &config.policy;
    Setting {
        job: series.job,
        environment: series.environment,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        from: plan.range.start,
        to: plan.range.end,
        every_s: plan.every.seconds(),
        window_s: plan.length.seconds(),
        rule: policy.rule,
        share: policy.share,
        alpha: policy.alpha,
        psi_drift: policy.psi_drift,
        profile_id: profile.id.clone(),
    }
}

/// The signals that were read, each by its own hysteresis and as if it told people.
fn replayed(config: &Config, watch: &Watch) -> Vec<SignalSetting> {
    let read = config.signals.evaluated().filter(|settings| watch.reads(settings.name));
    read.map(|settings| SignalSetting { name: settings.name, mode: settings.mode, rules: signals::rules(settings, Telling::Send) })
        .collect()
}

/// What a reader has to know to believe the numbers.
fn remarks(injected: &[Injected], replay: &Replay<'_>, config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let again = replay.read_again();
    if let Some(first) = again.first() {
        notes.push(format!(
            "{} of {} objects were read again for each of their windows, because their rows do not count the same in every window (values of \
             another type, out of order, or unreadable); the first is {}.",
            again.len(),
            replay.reading.objects,
            printable(first)
        ));
    }
    let confidence = config.prediction.confidence.as_deref();
    if !again.is_empty() && injected.iter().any(|injected| Some(injected.feature.as_str()) == confidence) {
        notes.push(
            "Confidences that low-confidence takes from before a window are not changed by --inject in objects that were read \
             again."
                .to_owned(),
        );
    }
    notes
}

fn print(backtest: &Backtest, invocation: &Invocation, written: Option<&str>) -> Result<String, JobError> {
    Ok(match invocation.options.format {
        Format::Text => {
            let terminal = invocation.terminal;
            text::render(
                backtest,
                &text::Options { color: terminal.color, width: terminal.width, location: written.map(str::to_owned) },
            )
        }
        Format::Markdown => markdown::render(backtest),
        Format::Json => to_json(backtest).map_err(|source| JobError::Encode { what: "backtest", source })?,
    })
}
