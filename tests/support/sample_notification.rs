//! Messages to send: a drift day as it opens, worsens, lasts and ends, and every edge that a payload has to survive.

use chrono::{DateTime, Utc};
use drift_check::decision::Verdict;
use drift_check::decision::signal::{SignalName, Transition};
use drift_check::notify::{Fact, FeatureLine, Links, Notification, Priority};

/// What a name or a text from outside may try.
pub const HOSTILE: &str = "<!channel> *x* ``` <script>alert(1)</script> _y_ ~z~ \u{202E}&amp;\r\nBcc: eve@example.com";

fn at(seconds: i64) -> DateTime<Utc> {
    // 2026-01-31 18:00 UTC.
    DateTime::from_timestamp(1_769_882_400 + seconds, 0).unwrap()
}

fn fact(label: &str, text: &str) -> Fact {
    Fact { label: label.to_owned(), text: text.to_owned() }
}

pub fn feature(name: &str, verdict: Verdict, change: &str) -> FeatureLine {
    FeatureLine { name: name.to_owned(), verdict, change: change.to_owned() }
}

/// Seven of sixteen features drifted.
pub fn opened() -> Notification {
    Notification {
        job: "ct-scan".to_owned(),
        environment: "prod".to_owned(),
        signal: SignalName::DataDrift,
        priority: Priority::P1,
        transition: Transition::Opened,
        since: at(0),
        window_start: Some(at(-86_400)),
        window_end: at(0),
        summary: "7 of 16 features drifted (43.8 %); the threshold is 30 %.".to_owned(),
        facts: vec![
            fact("Share of drifted features", "43.8 % (threshold 30 %; 95 % interval 23.1 to 66.8 %)"),
            fact("Rows", "1,204 in the window, 613 in the reference"),
            fact("Effective rows", "212 in the window, 598 in the reference"),
        ],
        features: vec![
            feature("eccentricity", Verdict::Broken, "no value in any row"),
            feature("glcm_contrast_mean", Verdict::Drift, "median 41.2 → 52.9 (+11.7, 1.2 standard deviations)"),
            feature("wavelet_L2_HH_energy", Verdict::Drift, "median 446 → 829 (+383, 0.8 standard deviations)"),
            feature("ggo_ratio", Verdict::Drift, "median 0.1 → 0.4 (+0.3, 0.9 standard deviations)"),
            feature("extent", Verdict::Drift, "`axial` 65.6 → 48.5 %, `sagittal` 10.8 → 14.1 %"),
        ],
        features_left_out: 2,
        notes: Vec::new(),
        links: Links {
            report: Some(
                "https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html".to_owned(),
            ),
            runbook: "https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md".to_owned(),
            logs: Some("https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&x=1".to_owned()),
        },
        command: "drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z".to_owned(),
        dedupe_key: "ct-scan/prod/24h/data-drift".to_owned(),
    }
}

/// Six hours later, more of them.
pub fn worsened() -> Notification {
    Notification {
        transition: Transition::Worsened,
        window_start: Some(at(6 * 3_600 - 86_400)),
        window_end: at(6 * 3_600),
        summary: "11 of 16 features drifted (68.8 %); the threshold is 30 %.".to_owned(),
        features_left_out: 6,
        notes: vec!["The state store could not be reached: this may be a repetition.".to_owned()],
        ..opened()
    }
}

/// A reminder.
pub fn ongoing() -> Notification {
    Notification { transition: Transition::Ongoing, window_start: None, window_end: at(86_400), ..opened() }
}

/// The end of another signal, of lower priority.
pub fn resolved() -> Notification {
    Notification {
        signal: SignalName::BrokenInput,
        priority: Priority::P2,
        transition: Transition::Resolved,
        window_end: at(86_400),
        summary: "No feature is broken any more.".to_owned(),
        facts: Vec::new(),
        features: Vec::new(),
        features_left_out: 0,
        links: Links { report: None, runbook: "docs/runbooks/broken-input.md".to_owned(), logs: None },
        ..opened()
    }
}

/// Everything that comes from outside tries to be something else.
pub fn hostile() -> Notification {
    Notification {
        links: Links {
            report: Some(format!("https://a.example/{HOSTILE}")),
            runbook: "javascript:alert(1)".to_owned(),
            logs: Some("https://a.example/|<!channel>".to_owned()),
        },
        ..told(HOSTILE)
    }
}

/// A notification in which everything that comes from outside is this.
pub fn told(text: &str) -> Notification {
    Notification {
        job: text.to_owned(),
        environment: text.to_owned(),
        summary: text.to_owned(),
        facts: vec![fact(text, text)],
        features: vec![feature(text, Verdict::Drift, text)],
        notes: vec![text.to_owned()],
        links: Links {
            report: Some(format!("https://a.example/{text}")),
            runbook: text.to_owned(),
            logs: Some(format!("https://a.example/?q={text}")),
        },
        command: text.to_owned(),
        dedupe_key: text.to_owned(),
        ..opened()
    }
}

/// 500 features, and nothing that is short.
pub fn endless() -> Notification {
    let long = |text: &str| text.repeat(2_000);
    Notification {
        summary: long("&<>🔴"),
        facts: vec![fact(&long("label "), &long("&text ")); 60],
        features: (0..500).map(|i| feature(&format!("{i}{}", long("_name`")), Verdict::Drift, &long("<&>"))).collect(),
        features_left_out: 400,
        notes: vec![long("note & "); 20],
        command: long("drift-check & "),
        dedupe_key: long("key"),
        links: Links {
            report: Some(format!("https://a.example/{}", long("x"))),
            runbook: long("y&"),
            logs: Some(format!("https://a.example/?{}", long("a&"))),
        },
        job: long("job"),
        environment: long("env"),
        ..opened()
    }
}
