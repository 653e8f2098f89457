//! `drift-check explain FEATURE`: everything about one feature in one run, of its report, of past runs, and of the rows, read once more.
//! Writes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::check::open_for_reading;
use super::current::Logs;
use super::{Invocation, Outcome, cluster, input, publish, reference, sections};
use crate::bucket::{Bucket, BucketError};
use crate::cli::Format;
use crate::config::{Config, Effective, alike};
use crate::error::{ExitCode, JobError, with_causes};
use crate::feature::{FeatureKind, FeatureName};
use crate::ingest::sink::groups::{Group, Groups, Labelled, Question, Value};
use crate::profile::{FeatureCounts, FeatureProfile};
use crate::report::explanation::{self, By, Counted, Dimension, Explanation, Gained, GapSection};
use crate::report::{FeatureReport, PastRun, Report, SidesSection, format_count, markdown, printable, stored, text, to_json};
use crate::statistic::concentration::Tally;
use crate::statistic::ks::Gap;
use crate::store::StoreError;
use crate::window::Window;

pub async fn explain(config: &Config, effective: &Effective, invocation: &Invocation, name: &str) -> Result<Outcome, JobError> {
    let bucket = input::bucket(config)?;
    let (mut report, report_uri) = read_report(config, invocation, &bucket).await?;
    let feature = find(&report, name)?;
    let mut notes = Vec::new();
    match past_runs(config, &report).await {
        Ok(stored) => report.run.history = explanation::history(&report, stored),
        Err(error) => notes.push(format!(
            "Past runs are those of the report only, because the state store could not be read: {}.",
            with_causes(&error)
        )),
    }
    let cells = explanation::cells(&feature);
    let gained = explanation::gained_fractions(&cells);
    let profile = profile(config, effective, invocation, &bucket, &report, &feature, &mut notes).await;
    let rows = Rows { config, effective, invocation, bucket: &bucket, report: &report, feature: &feature };
    let (concentration, gap) = rows.read_again(gained, profile, &mut notes).await;
    let explanation = Explanation {
        schema_version: explanation::EXPLANATION_VERSION,
        job: report.run.job.clone(),
        environment: report.run.environment.clone(),
        report_uri,
        run_id: report.run.id.clone(),
        window: report.window.clone(),
        is_prediction: report.predictions.iter().any(|prediction| prediction.name == feature.name),
        since: explanation::since(&report, &feature),
        trend: explanation::trend(&report, &feature),
        gap: gap.or_else(|| explanation::gap_of(feature.histogram.as_ref()?)),
        cells,
        gained,
        concentration,
        notes,
        feature,
    };
    let output = match invocation.options.format {
        Format::Text => text::explanation::render(&explanation, invocation.terminal.color, invocation.terminal.width),
        Format::Markdown => markdown::explanation::render(&explanation),
        Format::Json => to_json(&explanation).map_err(|source| JobError::Encode { what: "explanation", source })?,
    };
    Ok(Outcome { exit_code: ExitCode::Success, output })
}

/// The report of the window that `--as-of` names, or the latest, and where it is.
async fn read_report(config: &Config, invocation: &Invocation, bucket: &Bucket) -> Result<(Report, String), JobError> {
    let folder = format!("{}{}/", config.report.prefix, config.job.name);
    let key = match invocation.options.as_of {
        Some(end) => {
            let window = config.logs.timestamp.as_ref().map(|_| Window::ending_at(end, config.window.length));
            format!("{}report.json", publish::folder(config, window, end))
        }
        None => format!("{folder}latest.json"),
    };
    let uri = bucket.uri(&key);
    let bytes = match bucket.get(&key).await {
        Ok(Some(stored)) => stored.bytes,
        Err(error @ BucketError::TooLarge { .. }) => return Err(JobError::Input(format!("{error}: it is no report"))),
        Ok(None) => return Err(no_report(bucket, &folder, &uri, invocation.options.as_of).await),
        Err(error) => return Err(error.into()),
    };
    if let Some(found) = stored::newer(&bytes) {
        return Err(JobError::Input(format!(
            "{uri} is of schema version {found}, newer than this drift-check: use the newer program"
        )));
    }
    let report = serde_json::from_slice(&bytes)
        .map_err(|error| JobError::Input(format!("{uri} is no report of drift-check ({error}): run `drift-check check` again")))?;
    Ok((report, uri))
}

/// Reports that are named where another was asked for.
const REPORTS_NAMED: usize = 3;

/// Says what there is instead.
async fn no_report(bucket: &Bucket, folder: &str, uri: &str, asked: Option<DateTime<Utc>>) -> JobError {
    let Some(asked) = asked else {
        return JobError::Input(format!(
            "there is no run to explain, no {uri}: run `drift-check check` with the same settings first"
        ));
    };
    let listed = bucket.list(folder).await.unwrap_or_default();
    let end = |key: &str| {
        let place = key.strip_prefix(folder)?.strip_suffix("/report.json")?;
        let (moment, length) = place.rsplit_once('-')?;
        let end = chrono::NaiveDateTime::parse_from_str(moment, "%Y/%m/%d/%H%M%SZ").ok()?.and_utc();
        Some((end, length.to_owned()))
    };
    let mut ends: Vec<(DateTime<Utc>, String)> = listed.iter().filter_map(|object| end(&object.key)).collect();
    ends.sort_by_key(|(end, _)| (*end - asked).abs());
    let near: Vec<String> = ends
        .iter()
        .take(REPORTS_NAMED)
        .map(|(end, length)| format!("--as-of {} --window {length}", end.format("%FT%TZ")))
        .collect();
    let near =
        if near.is_empty() { "there is none of this job".to_owned() } else { format!("the nearest are {}", near.join(", ")) };
    JobError::Input(format!("there is no report at {uri}; {near}"))
}

/// Names less alike than this are not meant.
const ALIKE: f64 = 0.7;

fn find(report: &Report, name: &str) -> Result<FeatureReport, JobError> {
    let known = || report.features.iter().chain(&report.predictions);
    if let Some(feature) = known().find(|feature| feature.name.as_str() == name) {
        return Ok(feature.clone());
    }
    let hint = match alike(name, known().map(|feature| feature.name.as_str()), ALIKE) {
        Some(meant) => format!("did you mean `{}`?", printable(meant)),
        None => format!("it has {}", known().map(|feature| printable(feature.name.as_str())).collect::<Vec<_>>().join(", ")),
    };
    Err(JobError::Usage(format!("`{}` is not in the report: {hint}", printable(name))))
}

/// What the store knows of the windows before.
async fn past_runs(config: &Config, report: &Report) -> Result<Vec<PastRun>, StoreError> {
    let Some(end) = report.window.end else { return Ok(Vec::new()) };
    let store = open_for_reading(config).await?;
    let window = Window::ending_at(end, config.window.length);
    store.past_runs(sections::series(config, Some(window)), end, config.report.trend_windows).await
}

/// The feature in the reference, where that still is the one that the report compared with.
async fn profile(
    config: &Config,
    effective: &Effective,
    invocation: &Invocation,
    bucket: &Bucket,
    report: &Report,
    feature: &FeatureReport,
    notes: &mut Vec<String>,
) -> Option<FeatureProfile> {
    let loaded = async {
        let place = reference::place(config, effective, bucket)?;
        reference::load(config, &place, &invocation.progress).await
    };
    match loaded.await {
        Ok(reference) if reference.profile.id == report.reference.profile_id => {
            reference.profile.feature(feature.name.as_str()).cloned()
        }
        Ok(_) => {
            notes.push(
                "The reference has changed since this run: where the distributions are farthest apart is told by the report alone."
                    .to_owned(),
            );
            None
        }
        Err(error) => {
            let why = with_causes(&error);
            notes.push(format!("The reference could not be read, so that the report alone tells of it: {why}."));
            None
        }
    }
}

/// The rows of the window, read once more.
struct Rows<'a> {
    config: &'a Config,
    effective: &'a Effective,
    invocation: &'a Invocation,
    bucket: &'a Bucket,
    report: &'a Report,
    feature: &'a FeatureReport,
}

impl Rows<'_> {
    /// Where the shift is concentrated, and where the distributions are farthest apart; empty where the rows are gone, with a note.
    async fn read_again(
        &self,
        gained: Option<SidesSection>,
        profile: Option<FeatureProfile>,
        notes: &mut Vec<String>,
    ) -> (Vec<Dimension>, Option<GapSection>) {
        let nothing = (Vec::new(), None);
        let known = match &profile {
            Some(FeatureProfile::Categorical { categories, .. }) => {
                Some(categories.names().iter().cloned().collect::<BTreeSet<_>>())
            }
            _ => None,
        };
        let Some((gained, cells)) = gained.zip(Gained::of(self.feature, known)) else {
            notes.push("There is no PSI of this feature in the report, so that no shift can be split.".to_owned());
            return nothing;
        };
        let question: Question = Arc::new(move |value| match value {
            Value::Number(number) => cells.number(number),
            Value::Label(label) => cells.label(label),
            Value::Nothing => cells.nothing(),
        });
        let (groups, rows) = match self.split(question, profile.clone()).await {
            Ok(read) => read,
            Err(error) => {
                let why = with_causes(&error);
                notes.push(format!("The rows could not be read again, so that no class, hour or cluster can be named: {why}."));
                return nothing;
            }
        };
        let then = self.report.current.rows;
        if rows == 0 {
            notes.push("The rows of the window are gone from the logs: no class, hour or cluster can be named.".to_owned());
            return nothing;
        }
        if rows != then {
            notes.push(format!(
                "The window held {} rows when it was checked and holds {} now: the groups are of what is there now.",
                format_count(then),
                format_count(rows)
            ));
        }
        let gap = profile.zip(groups.counts.clone()).filter(|_| rows == then).and_then(|(profile, mut counts)| {
            match (&profile, &mut counts) {
                (FeatureProfile::Numeric { grid, reference, .. }, FeatureCounts::Numeric(current)) => {
                    current.spread();
                    Gap::largest(grid, reference, current).map(GapSection::from)
                }
                _ => None,
            }
        });
        (self.dimensions(&groups, gained.reference, notes), gap)
    }

    /// The columns beside the feature.
    fn columns(&self) -> Vec<(By, String)> {
        let class = self.config.prediction.class.clone().map(|column| (By::Class, column));
        let cluster = self.config.logs.cluster.clone().map(|column| (By::Cluster, column));
        class.into_iter().chain(cluster).filter(|(_, column)| column != self.feature.name.as_str()).collect()
    }

    async fn split(&self, question: Question, profile: Option<FeatureProfile>) -> Result<(Groups, u64), JobError> {
        let Self { config, effective, invocation, bucket, report, feature } = self;
        cluster::only_local(config, "explain")?;
        let logs = Logs::list(config, effective, bucket, &invocation.progress).await?;
        let mut columns = vec![(feature.name.clone(), feature.kind)];
        columns.extend(self.columns().into_iter().map(|(_, column)| (FeatureName::new(column), FeatureKind::Categorical)));
        let sink = Groups::new(question, columns.len() - 1, profile);
        let window = report.window.start.zip(report.window.end).map(|(start, end)| Window { start, end });
        let (groups, account) = logs.read(columns, window, sink, &invocation.progress).await?;
        Ok((groups, account.rows_used))
    }

    fn dimensions(&self, groups: &Groups, reference: f64, notes: &mut Vec<String>) -> Vec<Dimension> {
        let effect = self.feature.design_effect.current;
        let labelled = |(by, column): &(By, String), labelled: &Labelled| {
            let named = labelled.groups.iter().map(|(label, group)| counted(label.clone(), group));
            let rest = [("(no label)", &labelled.unlabelled), ("(all others)", &labelled.left_out)];
            let rest = rest.into_iter().filter(|(_, group)| group.rows > 0).map(|(name, group)| counted(name.to_owned(), group));
            explanation::dimension(*by, column, named.chain(rest).collect(), reference, effect)
        };
        let mut dimensions = Vec::new();
        for (column, labels) in self.columns().iter().zip(&groups.columns) {
            if labels.groups.is_empty() {
                notes.push(format!("No row of the window has a value in the column `{}`.", printable(&column.1)));
            } else {
                dimensions.push(labelled(column, labels));
            }
        }
        if let Some(column) = self.config.logs.timestamp.as_deref().filter(|_| groups.hours.iter().any(|hour| hour.rows > 0)) {
            let hours = groups.hours.iter().enumerate().filter(|(_, hour)| hour.rows > 0);
            let hours = hours.map(|(hour, group)| counted(format!("{hour:02}:00 UTC"), group)).collect();
            // After the class: the order in which a reader asks.
            let place = dimensions.iter().take_while(|dimension| dimension.by == By::Class).count();
            dimensions.insert(place, explanation::dimension(By::Hour, column, hours, reference, effect));
        }
        dimensions
    }
}

fn counted(group: String, counts: &Group) -> Counted {
    let mean = (counts.numbers > 0).then(|| counts.sum / counts.numbers as f64).filter(|mean| mean.is_finite());
    Counted { group, tally: Tally { rows: counts.rows, moved: counts.yes }, mean }
}
