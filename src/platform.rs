//! What the platform that runs the job tells through its environment: who started it, which execution and attempt it is.
//!
//! Reads a list of variables and does nothing else. Cloud Run's contract for jobs: `CLOUD_RUN_JOB`, `CLOUD_RUN_EXECUTION`,
//! `CLOUD_RUN_TASK_INDEX`, `CLOUD_RUN_TASK_ATTEMPT`; attempts count from 0.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The run as the platform sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// `cloud-run`, `github-actions` or `manual`.
    pub trigger: &'static str,
    /// The Cloud Run job.
    pub job: Option<String>,
    /// What all attempts of one run have in common.
    pub execution: Option<String>,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// 0 but for the further tasks of a job that was told to have several.
    pub task_index: u32,
    /// The Google Cloud project.
    pub project: Option<String>,
}

impl Platform {
    /// From the variables of the process. What is there and unreadable counts as not there.
    pub fn of(environment: &[(String, String)]) -> Self {
        let value = |name: &str| {
            let found = environment.iter().find(|(known, value)| known == name && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let number = |name: &str| value(name).and_then(|text| text.parse::<u32>().ok());
        let trigger = match () {
            () if value("CLOUD_RUN_JOB").is_some() => "cloud-run",
            () if value("GITHUB_ACTIONS").is_some() => "github-actions",
            () => "manual",
        };
        Self {
            trigger,
            job: value("CLOUD_RUN_JOB"),
            execution: value("CLOUD_RUN_EXECUTION"),
            attempt: number("CLOUD_RUN_TASK_ATTEMPT").map_or(1, |attempt| attempt.saturating_add(1)),
            task_index: number("CLOUD_RUN_TASK_INDEX").unwrap_or(0),
            project: value("GCP_PROJECT_ID").or_else(|| value("GOOGLE_CLOUD_PROJECT")),
        }
    }

    /// Where the log of the run can be read, on Google Cloud.
    pub fn logs_link(&self) -> Option<String> {
        let (project, execution) = (self.project.as_ref()?, self.execution.as_ref()?);
        // Both are names of letters, digits and `-`.
        let query = format!("labels.execution%3D%22{execution}%22");
        (self.trigger == "cloud-run")
            .then(|| format!("https://console.cloud.google.com/logs/query;query={query}?project={project}"))
    }

    /// Who runs, by OpenTelemetry's names for Cloud Run; its service.* are not the platform's to know.
    pub fn resource(&self) -> Vec<(&'static str, String)> {
        let Some(job) = self.job.as_ref().filter(|_| self.trigger == "cloud-run") else { return Vec::new() };
        let mut resource = vec![
            ("cloud.provider", "gcp".to_owned()),
            ("cloud.platform", "gcp_cloud_run".to_owned()),
            ("faas.name", job.clone()),
            ("gcp.cloud_run.job.task_index", self.task_index.to_string()),
        ];
        if let Some(execution) = &self.execution {
            resource.push(("gcp.cloud_run.job.execution", execution.clone()));
        }
        if let Some(project) = &self.project {
            resource.push(("cloud.account.id", project.clone()));
            // What Google's Telemetry API asks for.
            resource.push(("gcp.project_id", project.clone()));
        }
        resource
    }

    /// The fields that Cloud Logging files every line of a run under: its labels, and one trace for all lines of one run, whatever the
    /// attempt. Other readers find plain fields.
    pub fn log_fields(&self, run_id: &str) -> Map<String, Value> {
        let mut labels = Map::new();
        labels.insert("run_id".to_owned(), run_id.into());
        labels.insert("trigger".to_owned(), self.trigger.into());
        labels.insert("attempt".to_owned(), self.attempt.to_string().into());
        if let Some(execution) = &self.execution {
            labels.insert("execution".to_owned(), execution.as_str().into());
        }
        let mut fields = Map::new();
        fields.insert("logging.googleapis.com/labels".to_owned(), labels.into());
        if let Some(project) = &self.project {
            // A trace is named by 16 bytes in hexadecimal.
            let digest = Sha256::digest(run_id.as_bytes());
            let trace: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            fields.insert("logging.googleapis.com/trace".to_owned(), format!("projects/{project}/traces/{trace}").into());
        }
        fields
    }
}

/// What this binary was built for and this processor does not have. (The standard library's own question is answered when the binary is
/// built.)
pub fn missing_instructions() -> Option<&'static str> {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    if !raw_cpuid::CpuId::new().get_extended_feature_info().is_some_and(|features| features.has_avx2() && features.has_bmi2()) {
        return Some("AVX2");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Platform {
        Platform::of(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn a_retry_on_cloud_run_is_the_second_attempt_of_its_execution() {
        let platform = of(&[
            ("CLOUD_RUN_JOB", "drift-check"),
            ("CLOUD_RUN_EXECUTION", "drift-check-x7k2p"),
            ("CLOUD_RUN_TASK_ATTEMPT", "1"),
            ("CLOUD_RUN_TASK_INDEX", "0"),
            ("GCP_PROJECT_ID", "p"),
        ]);
        assert_eq!((platform.trigger, platform.attempt, platform.task_index), ("cloud-run", 2, 0));
        assert_eq!(platform.execution.as_deref(), Some("drift-check-x7k2p"));
        let resource = platform.resource();
        let value = |name: &str| resource.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!((value("faas.name"), value("cloud.platform")), (Some("drift-check"), Some("gcp_cloud_run")));
        assert_eq!((value("gcp.cloud_run.job.execution"), value("gcp.project_id")), (Some("drift-check-x7k2p"), Some("p")));
    }

    #[test]
    fn elsewhere_there_is_one_attempt_and_no_execution() {
        let platform = of(&[("CLOUD_RUN_EXECUTION", ""), ("GITHUB_ACTIONS", "true")]);
        assert_eq!((platform.trigger, platform.attempt, platform.execution), ("github-actions", 1, None));
        assert_eq!(of(&[]).trigger, "manual");
        assert_eq!(of(&[("GCP_PROJECT_ID", "p")]).resource(), []);
    }

    #[test]
    fn all_attempts_of_a_run_share_a_trace() {
        let fields = |attempt: &str| of(&[("CLOUD_RUN_TASK_ATTEMPT", attempt), ("GCP_PROJECT_ID", "p")]).log_fields("run");
        let (first, second) = (fields("0"), fields("1"));
        assert_eq!(first["logging.googleapis.com/trace"], second["logging.googleapis.com/trace"]);
        assert_ne!(first["logging.googleapis.com/labels"]["attempt"], second["logging.googleapis.com/labels"]["attempt"]);
        // python3: hashlib.sha256(b"run").hexdigest()[:32]
        let trace = first["logging.googleapis.com/trace"].as_str().unwrap();
        assert_eq!(trace, "projects/p/traces/acba25512100f80b56fc3ccd14c65be5");
    }
}
