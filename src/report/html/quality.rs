//! Below the pictures: what the data were like, what the signals said, and where all of it came from.

use super::feature::SideRow;
use super::header::Fact;
use crate::decision::finding::{Finding, Severity};
use crate::decision::signal::{SignalName, SignalReport, Transition};
use crate::report::story::{self, Words};
use crate::report::{FeatureReport, ObjectSection, Report, format_count, format_percent, format_value};

/// The state of the input.
pub struct QualityView {
    pub read: String,
    pub used: String,
    pub outside: String,
    pub rejected: String,
    /// What is wrong with the sum, if it does not add up.
    pub imbalance: Option<String>,
    pub findings: Vec<FindingGroup>,
    pub unusable: Vec<UnusableRow>,
    pub unusable_note: String,
    /// Whether the columns for it are worth their place.
    pub any_non_finite: bool,
    pub reference_objects: Vec<ObjectRow>,
    pub current_objects: Vec<ObjectRow>,
    pub skipped: String,
}

/// The findings of one severity.
pub struct FindingGroup {
    pub severity: Words,
    pub findings: Vec<FindingRow>,
}

/// One finding.
pub struct FindingRow {
    pub code: String,
    pub feature: Option<String>,
    pub object: Option<String>,
    pub message: String,
}

/// A feature with missing or non-finite values on either side.
pub struct UnusableRow {
    pub index: usize,
    pub name: String,
    pub missing: SideRow,
    pub non_finite: SideRow,
}

/// One object.
pub struct ObjectRow {
    pub uri: String,
    pub generation: String,
    pub size: String,
    pub rows: String,
}

/// More features than this are no table to read on a phone.
const MOST_UNUSABLE: usize = 60;

impl QualityView {
    pub fn new(report: &Report) -> Self {
        let current = &report.current;
        let explained = current.rows.saturating_add(current.rows_outside_window).saturating_add(current.rows_rejected);
        let affected: Vec<UnusableRow> =
            report.features.iter().enumerate().filter_map(|(index, feature)| unusable(feature, index)).collect();
        let without = report.features.len() - affected.len();
        Self {
            read: format_count(current.rows_read),
            used: format_count(current.rows),
            outside: format_count(current.rows_outside_window),
            rejected: format_count(current.rows_rejected),
            imbalance: (explained != current.rows_read).then(|| {
                format!("This does not add up: {} rows are unaccounted for.", format_count(explained.abs_diff(current.rows_read)))
            }),
            findings: [Severity::Error, Severity::Warning, Severity::Info]
                .into_iter()
                .filter_map(|level| group(report, level))
                .collect(),
            any_non_finite: report.features.iter().any(has_non_finite),
            unusable_note: unusable_note(affected.len(), without),
            unusable: affected.into_iter().take(MOST_UNUSABLE).collect(),
            reference_objects: report.reference.objects.iter().map(ObjectRow::new).collect(),
            current_objects: current.objects.iter().map(ObjectRow::new).collect(),
            skipped: format_count(current.objects_skipped),
        }
    }
}

fn has_non_finite(feature: &FeatureReport) -> bool {
    feature.reference.non_finite_fraction > 0.0 || feature.current.non_finite_fraction > 0.0
}

fn unusable_note(affected: usize, without: usize) -> String {
    let hidden = affected.saturating_sub(MOST_UNUSABLE);
    let hidden = if hidden > 0 { format!("{hidden} more features have some. ") } else { String::new() };
    match (affected, without) {
        (0, 0) => String::new(),
        (0, _) => "No feature has a missing or non-finite value on either side.".to_owned(),
        (_, 0) => hidden,
        (_, 1) => format!("{hidden}The other feature has none on either side."),
        (_, without) => format!("{hidden}The other {without} features have none on either side."),
    }
}

fn group(report: &Report, severity: Severity) -> Option<FindingGroup> {
    let row = |finding: &Finding| FindingRow {
        code: finding.code.to_string(),
        feature: finding.feature.as_ref().map(|name| story::visible(name.as_str())),
        object: finding.object.as_deref().map(story::visible),
        message: story::visible(&finding.message),
    };
    let findings: Vec<FindingRow> = report.findings.iter().filter(|finding| finding.severity == severity).map(row).collect();
    (!findings.is_empty()).then(|| FindingGroup { severity: story::severity_words(severity), findings })
}

fn unusable(feature: &FeatureReport, index: usize) -> Option<UnusableRow> {
    let (reference, current) = (&feature.reference, &feature.current);
    let fractions =
        [reference.missing_fraction, current.missing_fraction, reference.non_finite_fraction, current.non_finite_fraction];
    fractions.iter().any(|fraction| *fraction > 0.0).then(|| UnusableRow {
        index,
        name: story::visible(feature.name.as_str()),
        missing: SideRow {
            label: "missing",
            reference: format_percent(reference.missing_fraction),
            current: format_percent(current.missing_fraction),
        },
        non_finite: SideRow {
            label: "non-finite",
            reference: format_percent(reference.non_finite_fraction),
            current: format_percent(current.non_finite_fraction),
        },
    })
}

impl ObjectRow {
    fn new(object: &ObjectSection) -> Self {
        Self {
            uri: story::visible(&object.uri),
            generation: story::visible(&object.generation),
            size: format_count(object.size_bytes),
            rows: format_count(object.rows),
        }
    }
}

/// One signal.
pub struct SignalView {
    pub name: String,
    pub mode: String,
    pub state: Words,
    pub reason: String,
    /// Since when it is open; empty when it is not.
    pub since: String,
    /// Until when and why nobody is told; empty when nobody silenced it.
    pub silenced: String,
    pub value: String,
    pub threshold: String,
    pub n: String,
    pub interval: String,
    pub transition: String,
    pub deliveries: Vec<String>,
}

impl SignalView {
    pub fn new(signal: &SignalReport) -> Self {
        let show = |value: f64| match signal.name {
            SignalName::DataDrift | SignalName::Accuracy => format_percent(value),
            SignalName::Storage => format!("{} MB", format_value(value / 1e6)),
            SignalName::NoData => format!("{value:.1} h"),
            SignalName::LowConfidence | SignalName::PredictionDrift | SignalName::BrokenInput => format_value(value),
        };
        let or_dash = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), show);
        Self {
            name: signal.name.to_string(),
            mode: signal.mode.to_string(),
            state: story::signal_words(signal.state),
            reason: story::visible(&signal.reason),
            since: signal.since.map(story::moment).unwrap_or_default(),
            silenced: signal
                .silenced
                .as_ref()
                .map(|silence| format!("until {}: {}", story::moment(silence.until), story::visible(&silence.reason)))
                .unwrap_or_default(),
            value: or_dash(signal.value),
            threshold: or_dash(signal.threshold),
            n: format_count(signal.n),
            interval: signal.interval.map(|[low, high]| format!("{} to {}", show(low), show(high))).unwrap_or_default(),
            transition: match signal.transition {
                None => "not known: the state could not be read".to_owned(),
                Some(Transition::None) => "–".to_owned(),
                Some(transition) => transition.to_string(),
            },
            deliveries: signal.deliveries.iter().map(|sent| format!("{} {}", story::visible(&sent.channel), sent.status)).collect(),
        }
    }
}

/// Where the report came from.
pub struct ProvenanceView {
    /// Of drift-check.
    pub version: String,
    pub facts: Vec<Fact>,
    pub command: String,
}

impl ProvenanceView {
    pub fn new(report: &Report) -> Self {
        let run = &report.run;
        let fact = |label, value: &str, note: String| Fact { label, value: story::visible(value), note };
        let took = run.finished_at.signed_duration_since(run.started_at).num_milliseconds();
        let exact = |at: chrono::DateTime<chrono::Utc>| format!("{} UTC", at.format("%Y-%m-%d %H:%M:%S"));
        let timings = &run.timings;
        let parts = [
            ("reference", timings.reference_s),
            ("listing", timings.listing_s),
            ("reading", timings.reading_s),
            ("statistics", timings.statistics_s),
        ];
        let parts: Vec<String> = parts.iter().map(|(part, seconds)| format!("{part} {seconds:.2} s")).collect();
        let work = [("download", timings.download_s), ("decode", timings.decode_s), ("count", timings.count_s)];
        let work: Vec<String> = work.iter().map(|(part, seconds)| format!("{part} {seconds:.2} s")).collect();
        Self {
            version: story::visible(&run.version),
            facts: vec![
                fact("Run", &run.id, format!("attempt {}, started by {}", run.attempt, story::visible(&run.trigger))),
                fact("Started", &exact(run.started_at), String::new()),
                fact("Finished", &exact(run.finished_at), format!("{} ms later", format_count(took.unsigned_abs()))),
                fact("Time", &parts.join(", "), format!("reading, over all threads: {}", work.join(", "))),
                fact("drift-check", &run.version, format!("report schema {}", report.schema_version)),
                fact("Configuration", &run.config_digest, "digest".to_owned()),
                fact("Reference profile", &report.reference.profile_id, "digest".to_owned()),
            ],
            command: story::visible(&run.command),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::decision::Verdict;
    use crate::report::tests::{feature, report};

    #[test]
    fn the_features_with_unusable_values_are_shown_and_the_others_counted() {
        assert_eq!([unusable_note(0, 0), unusable_note(5, 0), unusable_note(60, 0)], ["", "", ""]);
        assert_eq!(unusable_note(0, 3), "No feature has a missing or non-finite value on either side.");
        assert_eq!(unusable_note(60, 1), "The other feature has none on either side.");
        assert_eq!(unusable_note(61, 2), "1 more features have some. The other 2 features have none on either side.");
        assert_eq!(unusable_note(63, 0), "3 more features have some. ");
    }

    #[test]
    fn a_value_that_is_missing_on_either_side_makes_a_row() {
        let of = |fractions: [f64; 4]| {
            let mut feature = feature("f", Verdict::Stable);
            [
                feature.reference.missing_fraction,
                feature.current.missing_fraction,
                feature.reference.non_finite_fraction,
                feature.current.non_finite_fraction,
            ] = fractions;
            (unusable(&feature, 7).is_some(), has_non_finite(&feature))
        };
        assert_eq!(
            [of([0.0; 4]), of([0.1, 0.0, 0.0, 0.0]), of([0.0, 0.1, 0.0, 0.0])],
            [(false, false), (true, false), (true, false)]
        );
        assert_eq!([of([0.0, 0.0, 0.1, 0.0]), of([0.0, 0.0, 0.0, 0.1])], [(true, true), (true, true)]);
    }

    #[test]
    fn rows_that_are_in_no_count_are_said() {
        let mut report = report();
        (report.current.rows_read, report.current.rows_outside_window, report.current.rows_rejected) = (1_500, 200, 100);
        let quality = QualityView::new(&report);
        assert_eq!(quality.imbalance.as_deref(), Some("This does not add up: 1,000 rows are unaccounted for."));
        report.current.rows_read = 500;
        assert_eq!(QualityView::new(&report).imbalance, None);
    }
}
