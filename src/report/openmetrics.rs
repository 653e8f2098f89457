//! Metrics as text: OpenMetrics 1.0, kept to what the older text format of Prometheus has too, because node_exporter reads that one. So
//! every metric is a gauge, sets of states and information included, and no sample has a time.

use chrono::{DateTime, Utc};

use super::metrics::{Family, LAST_SUCCESS, Sample, Unit};

/// The text, which ends in `# EOF`.
pub fn render(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, help, unit, samples } in families {
        text.push_str(&format!("# TYPE {name} gauge\n"));
        match unit {
            Some(Unit::Ratio) => text.push_str(&format!("# UNIT {name} ratio\n")),
            Some(Unit::Seconds) => text.push_str(&format!("# UNIT {name} seconds\n")),
            None => {}
        }
        text.push_str(&format!("# HELP {name} {help}\n"));
        for sample in samples {
            text.push_str(&format!("{} {:?}\n", series(name, sample), sample.value));
        }
    }
    text.push_str("# EOF\n");
    text
}

/// When a run last succeeded, as a text of ours says of the series that `families` would have; nothing where it says nothing that is a time.
pub fn last_success(text: &str, labels: &[(&'static str, String)]) -> Option<DateTime<Utc>> {
    let series = series(LAST_SUCCESS, &Sample { labels: labels.to_vec(), value: 0.0 });
    let value = text.lines().find_map(|line| line.strip_prefix(series.as_str())?.strip_prefix(' '))?;
    // Written by us as `1769882411.0`.
    let seconds = value.trim_end().strip_suffix(".0")?.parse().ok()?;
    DateTime::from_timestamp(seconds, 0)
}

fn series(name: &str, sample: &Sample) -> String {
    let labels: Vec<String> = sample.labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
    format!("{name}{{{}}}", labels.join(","))
}

/// A label's value between its quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::metrics::{Ended, JOB, Subject, of_failure};

    fn labels(job: &str) -> Vec<(&'static str, String)> {
        vec![(JOB, job.to_owned()), ("environment", "prod".to_owned())]
    }

    fn failure(job: &str, last_success: Option<DateTime<Utc>>) -> String {
        let subject = Subject { job: job.to_owned(), environment: "prod".to_owned(), version: "0.1.0".to_owned() };
        render(&of_failure(&subject, &Ended { exit_code: 4, duration_s: 1.25, last_success }))
    }

    #[test]
    fn a_failed_run_tells_how_it_ended_and_nothing_of_the_data() {
        insta::assert_snapshot!(failure("ct-scan", DateTime::from_timestamp(1_769_882_411, 0)), @r#"
        # TYPE drift_check_run_duration_seconds gauge
        # UNIT drift_check_run_duration_seconds seconds
        # HELP drift_check_run_duration_seconds How long the last run took.
        drift_check_run_duration_seconds{job_name="ct-scan",environment="prod"} 1.25
        # TYPE drift_check_last_run_exit_code gauge
        # HELP drift_check_last_run_exit_code Exit code of the last run; 0, 10 and 11 are runs that came to a verdict.
        drift_check_last_run_exit_code{job_name="ct-scan",environment="prod"} 4.0
        # TYPE drift_check_last_success_timestamp_seconds gauge
        # UNIT drift_check_last_success_timestamp_seconds seconds
        # HELP drift_check_last_success_timestamp_seconds When a run last came to its end without a failure, in Unix time.
        drift_check_last_success_timestamp_seconds{job_name="ct-scan",environment="prod"} 1769882411.0
        # TYPE drift_check_build_info gauge
        # HELP drift_check_build_info The program that wrote this; always 1.
        drift_check_build_info{job_name="ct-scan",environment="prod",version="0.1.0"} 1.0
        # EOF
        "#);
    }

    #[test]
    fn the_last_success_is_found_again_and_only_that_of_the_same_job() {
        let moment = DateTime::from_timestamp(1_769_882_411, 0);
        let text = failure("a", moment);
        assert_eq!(last_success(&text, &labels("a")), moment);
        assert_eq!(last_success(&text, &labels("b")), None);
        assert_eq!(last_success(&failure("a", None), &labels("a")), None);
        for other in ["", "# EOF\n", &text.replace(".0\n", "\n"), &text.replace("1769882411.0", "99999999999999999.0")] {
            assert_eq!(last_success(other, &labels("a")), None, "{other}");
        }
    }
}
