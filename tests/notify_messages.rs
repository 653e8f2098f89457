//! What each channel sends: the payloads, and that they stay within their limits and mean what they say whatever stands in them.

use std::time::Duration;

use bytes::Bytes;
use drift_check::decision::Verdict;
use drift_check::decision::signal::Transition;
use drift_check::notify::email::{Email, Settings, Tls};
use drift_check::notify::{Address, Channel, Envelope, Fact, FeatureLine, Http, Links, Notification, pagerduty, slack, webhook};
use proptest::prelude::*;
use serde_json::Value;

use crate::sample_notification as sample;

fn envelope() -> Envelope {
    Envelope { message_id: "0197-slack-opened".to_owned(), may_be_repeated: false, report: None }
}

fn email() -> Channel {
    let settings = Settings {
        smtp: "smtp.example:587".to_owned(),
        tls: Tls::Starttls,
        from: "drift-check <drift@example.com>".to_owned(),
        to: vec!["a@b.example".to_owned(), "On call <c@d.example>".to_owned()],
        login: None,
        authorities: None,
        attach_report: true,
        timeout: Duration::from_secs(3),
    };
    Channel::Email(Box::new(Email::new(&settings).unwrap()))
}

/// The message as a dry run shows it: headers, and both texts before they are encoded.
fn mail(notification: &Notification, envelope: &Envelope) -> String {
    let shown = email().preview(notification, envelope);
    let lines = shown.lines().map(|line| if line.starts_with("Date: ") { "Date: [now]" } else { line.trim_end() });
    lines.collect::<Vec<_>>().join("\n")
}

/// Headers and plain text only.
fn plain_mail(notification: &Notification, envelope: &Envelope) -> String {
    mail(notification, envelope).split("\n--- text/html ---").next().unwrap().to_owned()
}

/// A message of Block Kit, read as a person would.
fn laid_out(payload: &Value) -> String {
    let mut lines = vec![format!("text: {}", payload["text"].as_str().unwrap())];
    for block in payload["blocks"].as_array().unwrap() {
        let kind = block["type"].as_str().unwrap();
        let texts =
            [&block["text"]].into_iter().filter(|text| !text.is_null()).chain(block["fields"].as_array().into_iter().flatten());
        let texts = texts.chain(block["elements"].as_array().into_iter().flatten());
        lines.extend(texts.map(|text| format!("{kind} ({}):\n{}", text["type"].as_str().unwrap(), text["text"].as_str().unwrap())));
    }
    lines.join("\n\n")
}

#[test]
fn slack_opened() {
    insta::assert_snapshot!(laid_out(&slack::payload(&sample::opened(), false)), @r#"
    text: P1 data-drift opened · ct-scan (prod): 7 of 16 features drifted (43.8 %); the threshold is 30 %.

    header (plain_text):
    🔴 P1 data-drift opened · ct-scan (prod)

    section (plain_text):
    7 of 16 features drifted (43.8 %); the threshold is 30 %.

    section (mrkdwn):
    *Share of drifted features*
    43.8 % (threshold 30 %; 95 % interval 23.1 to 66.8 %)

    section (mrkdwn):
    *Rows*
    1,204 in the window, 613 in the reference

    section (mrkdwn):
    *Effective rows*
    212 in the window, 598 in the reference

    section (mrkdwn):
    *Features*
    • `eccentricity` broken · no value in any row
    • `glcm_contrast_mean` drift · median 41.2 → 52.9 (+11.7, 1.2 standard deviations)
    • `wavelet_L2_HH_energy` drift · median 446 → 829 (+383, 0.8 standard deviations)
    • `ggo_ratio` drift · median 0.1 → 0.4 (+0.3, 0.9 standard deviations)
    • `extent` drift · ˋaxialˋ 65.6 → 48.5 %, ˋsagittalˋ 10.8 → 14.1 %
    and 2 more, in the report

    section (mrkdwn):
    <https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html|Report>  ·  <https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md|Runbook>  ·  <https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&amp;x=1|Logs>

    section (mrkdwn):
    *Reproduce it*
    ```drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z```

    context (mrkdwn):
    Window 2026-01-30 18:00 to 2026-01-31 18:00 UTC
    "#);
}

#[test]
fn slack_worsened_and_perhaps_repeated() {
    insta::assert_snapshot!(laid_out(&slack::payload(&sample::worsened(), true)), @r#"
    text: P1 data-drift worsened · ct-scan (prod): 11 of 16 features drifted (68.8 %); the threshold is 30 %. (May be a repetition.)

    header (plain_text):
    🔴 P1 data-drift worsened · ct-scan (prod)

    section (plain_text):
    11 of 16 features drifted (68.8 %); the threshold is 30 %.

    section (mrkdwn):
    *Share of drifted features*
    43.8 % (threshold 30 %; 95 % interval 23.1 to 66.8 %)

    section (mrkdwn):
    *Rows*
    1,204 in the window, 613 in the reference

    section (mrkdwn):
    *Effective rows*
    212 in the window, 598 in the reference

    section (mrkdwn):
    *Features*
    • `eccentricity` broken · no value in any row
    • `glcm_contrast_mean` drift · median 41.2 → 52.9 (+11.7, 1.2 standard deviations)
    • `wavelet_L2_HH_energy` drift · median 446 → 829 (+383, 0.8 standard deviations)
    • `ggo_ratio` drift · median 0.1 → 0.4 (+0.3, 0.9 standard deviations)
    • `extent` drift · ˋaxialˋ 65.6 → 48.5 %, ˋsagittalˋ 10.8 → 14.1 %
    and 6 more, in the report

    section (mrkdwn):
    • An earlier attempt to send this message ended without a receipt: it may be a repetition.
    • The state store could not be reached: this may be a repetition.

    section (mrkdwn):
    <https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html|Report>  ·  <https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md|Runbook>  ·  <https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&amp;x=1|Logs>

    section (mrkdwn):
    *Reproduce it*
    ```drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z```

    context (mrkdwn):
    Window 2026-01-31 00:00 to 2026-02-01 00:00 UTC · open since 2026-01-31 18:00 UTC
    "#);
}

#[test]
fn slack_ongoing_and_resolved() {
    insta::assert_snapshot!(laid_out(&slack::payload(&sample::ongoing(), false)), @r#"
    text: P1 data-drift still open · ct-scan (prod): 7 of 16 features drifted (43.8 %); the threshold is 30 %.

    header (plain_text):
    🔴 P1 data-drift still open · ct-scan (prod)

    section (plain_text):
    7 of 16 features drifted (43.8 %); the threshold is 30 %.

    section (mrkdwn):
    *Share of drifted features*
    43.8 % (threshold 30 %; 95 % interval 23.1 to 66.8 %)

    section (mrkdwn):
    *Rows*
    1,204 in the window, 613 in the reference

    section (mrkdwn):
    *Effective rows*
    212 in the window, 598 in the reference

    section (mrkdwn):
    *Features*
    • `eccentricity` broken · no value in any row
    • `glcm_contrast_mean` drift · median 41.2 → 52.9 (+11.7, 1.2 standard deviations)
    • `wavelet_L2_HH_energy` drift · median 446 → 829 (+383, 0.8 standard deviations)
    • `ggo_ratio` drift · median 0.1 → 0.4 (+0.3, 0.9 standard deviations)
    • `extent` drift · ˋaxialˋ 65.6 → 48.5 %, ˋsagittalˋ 10.8 → 14.1 %
    and 2 more, in the report

    section (mrkdwn):
    <https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html|Report>  ·  <https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md|Runbook>  ·  <https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&amp;x=1|Logs>

    section (mrkdwn):
    *Reproduce it*
    ```drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z```

    context (mrkdwn):
    Window up to 2026-02-01 18:00 UTC · open since 2026-01-31 18:00 UTC
    "#);
    insta::assert_snapshot!(laid_out(&slack::payload(&sample::resolved(), false)), @r#"
    text: P2 broken-input resolved · ct-scan (prod): No feature is broken any more.

    header (plain_text):
    🟢 P2 broken-input resolved · ct-scan (prod)

    section (plain_text):
    No feature is broken any more.

    section (mrkdwn):
    Runbook: `docs/runbooks/broken-input.md`

    section (mrkdwn):
    *Reproduce it*
    ```drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z```

    context (mrkdwn):
    Window 2026-01-30 18:00 to 2026-02-01 18:00 UTC · was open since 2026-01-31 18:00 UTC
    "#);
}

#[test]
fn slack_hostile() {
    insta::assert_snapshot!(laid_out(&slack::payload(&sample::hostile(), false)), @r#"
    text: P1 data-drift opened · &lt;!channel&gt; ∗x∗ ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; ˍyˍ ∼z∼ �&amp;amp;  Bcc: eve@example.com (&lt;!channel&gt; ∗x∗ ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; ˍyˍ ∼z∼ �&amp;amp;  Bcc: eve@example.com): &lt;!channel&gt; ∗x∗ ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; ˍyˍ ∼z∼ �&amp;amp;  Bcc: eve@example.com

    header (plain_text):
    🔴 P1 data-drift opened · <!channel> *x* ``` <script>alert(1)</script> _y_ ~z~ �&amp;  Bcc: eve@example.com (<!channel> *x* ``` <script>alert(1)</scr…

    section (plain_text):
    <!channel> *x* ``` <script>alert(1)</script> _y_ ~z~ �&amp;  Bcc: eve@example.com

    section (mrkdwn):
    *&lt;!channel&gt; ∗x∗ ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; ˍyˍ ∼z∼ �&amp;amp;  Bcc: eve@example.com*
    &lt;!channel&gt; ∗x∗ ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; ˍyˍ ∼z∼ �&amp;amp;  Bcc: eve@example.com

    section (mrkdwn):
    *Features*
    • `&lt;!channel&gt; *x* ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; _y_ ~z~ �&amp;amp;  Bcc: eve@example.com` drift · &lt;!channel&gt; ∗x∗ ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; ˍyˍ ∼z∼ �&amp;amp;  Bcc: eve@example.com
    and 2 more, in the report

    section (mrkdwn):
    • &lt;!channel&gt; ∗x∗ ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; ˍyˍ ∼z∼ �&amp;amp;  Bcc: eve@example.com

    section (mrkdwn):
    Report: `https://a.example/&lt;!channel&gt; *x* ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; _y_ ~z~ �&amp;amp;  Bcc: eve@example.com`  ·  Runbook: `javascript:alert(1)`  ·  Logs: `https://a.example/|&lt;!channel&gt;`

    section (mrkdwn):
    *Reproduce it*
    ```&lt;!channel&gt; *x* ˋˋˋ &lt;script&gt;alert(1)&lt;/script&gt; _y_ ~z~ �&amp;amp;  Bcc: eve@example.com```

    context (mrkdwn):
    Window 2026-01-30 18:00 to 2026-01-31 18:00 UTC
    "#);
}

#[test]
fn slack_blocks_are_what_slack_documents() {
    insta::assert_json_snapshot!(slack::payload(&sample::resolved(), false), @r#"
    {
      "blocks": [
        {
          "text": {
            "emoji": false,
            "text": "🟢 P2 broken-input resolved · ct-scan (prod)",
            "type": "plain_text"
          },
          "type": "header"
        },
        {
          "text": {
            "emoji": false,
            "text": "No feature is broken any more.",
            "type": "plain_text"
          },
          "type": "section"
        },
        {
          "text": {
            "text": "Runbook: `docs/runbooks/broken-input.md`",
            "type": "mrkdwn",
            "verbatim": true
          },
          "type": "section"
        },
        {
          "text": {
            "text": "*Reproduce it*\n```drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z```",
            "type": "mrkdwn",
            "verbatim": true
          },
          "type": "section"
        },
        {
          "elements": [
            {
              "text": "Window 2026-01-30 18:00 to 2026-02-01 18:00 UTC · was open since 2026-01-31 18:00 UTC",
              "type": "mrkdwn",
              "verbatim": true
            }
          ],
          "type": "context"
        }
      ],
      "text": "P2 broken-input resolved · ct-scan (prod): No feature is broken any more."
    }
    "#);
}

#[test]
fn pagerduty_opened() {
    insta::assert_json_snapshot!(pagerduty::payload(&sample::opened(), "KEY"), @r#"
    {
      "client": "drift-check",
      "dedup_key": "ct-scan/prod/24h/data-drift",
      "event_action": "trigger",
      "links": [
        {
          "href": "https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html",
          "text": "Report"
        },
        {
          "href": "https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md",
          "text": "Runbook"
        },
        {
          "href": "https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&x=1",
          "text": "Logs"
        }
      ],
      "payload": {
        "class": "data-drift",
        "component": "ct-scan",
        "custom_details": {
          "Effective rows": "212 in the window, 598 in the reference",
          "Rows": "1,204 in the window, 613 in the reference",
          "Share of drifted features": "43.8 % (threshold 30 %; 95 % interval 23.1 to 66.8 %)",
          "command": "drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z",
          "features": "eccentricity: broken, no value in any row\nglcm_contrast_mean: drift, median 41.2 → 52.9 (+11.7, 1.2 standard deviations)\nwavelet_L2_HH_energy: drift, median 446 → 829 (+383, 0.8 standard deviations)\nggo_ratio: drift, median 0.1 → 0.4 (+0.3, 0.9 standard deviations)\nextent: drift, `axial` 65.6 → 48.5 %, `sagittal` 10.8 → 14.1 %\nand 2 more, in the report",
          "logs": "https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&x=1",
          "open since": "2026-01-31 18:00 UTC",
          "report": "https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html",
          "runbook": "https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md",
          "window": "2026-01-30 18:00 to 2026-01-31 18:00 UTC"
        },
        "group": "prod",
        "severity": "critical",
        "source": "prod/ct-scan",
        "summary": "P1 data-drift opened · ct-scan (prod): 7 of 16 features drifted (43.8 %); the threshold is 30 %.",
        "timestamp": "2026-01-31T18:00:00Z"
      },
      "routing_key": "KEY"
    }
    "#);
}

#[test]
fn pagerduty_worsened_and_ongoing_are_triggers_of_the_same_incident_and_resolved_ends_it() {
    let of = |notification: &Notification| pagerduty::payload(notification, "KEY");
    for notification in [sample::worsened(), sample::ongoing()] {
        let event = of(&notification);
        assert_eq!((&event["event_action"], &event["dedup_key"]), (&"trigger".into(), &of(&sample::opened())["dedup_key"]));
    }
    insta::assert_json_snapshot!(of(&sample::resolved()), @r#"
    {
      "client": "drift-check",
      "dedup_key": "ct-scan/prod/24h/data-drift",
      "event_action": "resolve",
      "routing_key": "KEY"
    }
    "#);
}

#[test]
fn webhook_opened() {
    let opened = Notification { facts: Vec::new(), features: Vec::new(), ..sample::opened() };
    insta::assert_json_snapshot!(webhook::payload(&opened, &envelope(), false), @r#"
    {
      "command": "drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z",
      "dedupe_key": "ct-scan/prod/24h/data-drift",
      "environment": "prod",
      "facts": [],
      "features": [],
      "features_left_out": 2,
      "job": "ct-scan",
      "links": {
        "logs": "https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&x=1",
        "report": "https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html",
        "runbook": "https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md"
      },
      "may_be_repeated": false,
      "message_id": "0197-slack-opened",
      "notes": [],
      "priority": "P1",
      "signal": "data-drift",
      "since": "2026-01-31T18:00:00Z",
      "summary": "7 of 16 features drifted (43.8 %); the threshold is 30 %.",
      "transition": "opened",
      "version": 1,
      "window_end": "2026-01-31T18:00:00Z",
      "window_start": "2026-01-30T18:00:00Z"
    }
    "#);
}

#[test]
fn email_opened() {
    insta::assert_snapshot!(mail(&sample::opened(), &envelope()));
}

#[test]
fn email_worsened_and_perhaps_repeated() {
    let envelope = Envelope { may_be_repeated: true, report: Some(Bytes::from_static(b"<!doctype html>")), ..envelope() };
    insta::assert_snapshot!(plain_mail(&sample::worsened(), &envelope), @r#"
    SMTP smtp.example:587
    From: drift-check <drift@example.com>
    Subject: P1 data-drift worsened: ct-scan (prod)
    Date: [now]
    Message-ID: <0197-slack-opened@example.com>
    References: <incident-9783a961fc722f0fbcad31862e4f88fb@example.com>
    In-Reply-To: <incident-9783a961fc722f0fbcad31862e4f88fb@example.com>
    To: a@b.example, "On call" <c@d.example>
    Auto-Submitted: auto-generated
    MIME-Version: 1.0

    --- text/plain ---
    P1 data-drift worsened
    ct-scan (prod)

    11 of 16 features drifted (68.8 %); the threshold is 30 %.

    Numbers
      Share of drifted features: 43.8 % (threshold 30 %; 95 % interval 23.1 to 66.8 %)
      Rows: 1,204 in the window, 613 in the reference
      Effective rows: 212 in the window, 598 in the reference

    Features
      eccentricity (broken): no value in any row
      glcm_contrast_mean (drift): median 41.2 → 52.9 (+11.7, 1.2 standard deviations)
      wavelet_L2_HH_energy (drift): median 446 → 829 (+383, 0.8 standard deviations)
      ggo_ratio (drift): median 0.1 → 0.4 (+0.3, 0.9 standard deviations)
      extent (drift): `axial` 65.6 → 48.5 %, `sagittal` 10.8 → 14.1 %
      and 6 more, in the report

    Remarks
      An earlier attempt to send this message ended without a receipt: it may be a repetition.
      The state store could not be reached: this may be a repetition.

    Links
      Report: https://storage.cloud.google.com/ct-scan-drift/reports/ct-scan/2026/01/31/180000Z-24h/report.html
      Runbook: https://github.com/example/drift-check/blob/main/docs/runbooks/data-drift.md
      Logs: https://console.cloud.google.com/logs/query;query=run_id%3Dabc?project=p&x=1

    Reproduce it
      drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z

    Window 2026-01-31 00:00 to 2026-02-01 00:00 UTC; open since 2026-01-31 18:00 UTC
    "#);
    assert!(mail(&sample::worsened(), &envelope).ends_with("--- report.html, 15 bytes, attached ---"));
}

#[test]
fn email_resolved() {
    insta::assert_snapshot!(plain_mail(&sample::resolved(), &envelope()), @r#"
    SMTP smtp.example:587
    From: drift-check <drift@example.com>
    Subject: P2 broken-input resolved: ct-scan (prod)
    Date: [now]
    Message-ID: <0197-slack-opened@example.com>
    References: <incident-9783a961fc722f0fbcad31862e4f88fb@example.com>
    In-Reply-To: <incident-9783a961fc722f0fbcad31862e4f88fb@example.com>
    To: a@b.example, "On call" <c@d.example>
    Auto-Submitted: auto-generated
    MIME-Version: 1.0

    --- text/plain ---
    P2 broken-input resolved
    ct-scan (prod)

    No feature is broken any more.

    Links
      Runbook: docs/runbooks/broken-input.md

    Reproduce it
      drift-check --config config/production.toml --window 24h --as-of 2026-01-31T18:00:00Z

    Window 2026-01-30 18:00 to 2026-02-01 18:00 UTC; was open since 2026-01-31 18:00 UTC
    "#);
}

#[test]
fn email_hostile() {
    let shown = mail(&sample::hostile(), &Envelope { message_id: sample::HOSTILE.to_owned(), ..envelope() });
    let (headers, html) = (shown.split("\n--- text/plain").next().unwrap(), shown.split("--- text/html ---").nth(1).unwrap());
    insta::assert_snapshot!(headers, @r#"
    SMTP smtp.example:587
    From: drift-check <drift@example.com>
    Subject: P1 data-drift opened: <!channel> *x* ``` <script>alert(1)</script>
     _y_ ~z~ =?utf-8?b?77+9JmFtcDs=?=  Bcc: eve@example.com (<!channel>
     =?utf-8?b?Kngq4oCm?=
    Date: [now]
    Message-ID: <681f4eec7a12da02b7c78d4b88caa94916eba50bdc0d101cc5f98e4f28073b2d@example.com>
    References: <incident-8e1620515e21324a6231d667eb5d36dd@example.com>
    To: a@b.example, "On call" <c@d.example>
    Auto-Submitted: auto-generated
    MIME-Version: 1.0
    "#);
    assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    for mark_up in ["<script", "<!channel", "javascript:alert(1)\"", "\u{202E}"] {
        assert!(!html.contains(mark_up), "{mark_up}");
    }
    for remote in ["<img", "<link", "<script", "url(", "@import", "src="] {
        assert!(!html.contains(remote), "the message loads something: {remote}");
    }
}

#[test]
fn what_is_left_out_is_said() {
    let endless = sample::endless();
    let slack = laid_out(&slack::payload(&endless, false));
    let event = pagerduty::payload(&endless, "KEY").to_string();
    for message in [slack, event, plain_mail(&endless, &envelope())] {
        // 500 features, of which five are shown, and 400 that were left out before.
        assert!(message.contains("and 895 more, in the report"), "{message}");
        assert!(message.contains("15 more remarks are in the report"));
        assert!(message.contains('…'));
    }
}

#[test]
fn every_field_of_the_webhook_is_documented() {
    let document = include_str!("../docs/notifications.md");
    let payload = webhook::payload(&sample::opened(), &envelope(), false);
    for field in payload.as_object().unwrap().keys() {
        assert!(document.contains(&format!("\"{field}\": ")), "{field}");
    }
}

#[test]
fn a_message_of_the_outbox_reads_back_and_a_newer_one_is_refused() {
    for notification in [sample::opened(), sample::hostile()] {
        let mut json = serde_json::to_value(&notification).unwrap();
        assert_eq!(serde_json::from_value::<Notification>(json.clone()).unwrap(), notification);
        json["severity"] = "new".into();
        assert!(serde_json::from_value::<Notification>(json).is_err());
    }
}

#[test]
fn a_preview_shows_all_but_the_secrets() {
    let http = Http::new(Duration::from_secs(1), None).unwrap();
    let address = Address::parse("https://hooks.slack.com/services/T000SECRET/B000/hunter2").unwrap();
    let slack = Channel::Slack(slack::Slack::new(address, "env:SLACK_WEBHOOK", http));
    let preview = slack.preview(&sample::opened(), &envelope());
    assert!(preview.starts_with("POST https://hooks.slack.com/[redacted]\n"), "{preview}");
    assert!(preview.contains("7 of 16 features drifted"));
    assert_eq!(slack.receiver(), "Slack (env:SLACK_WEBHOOK)");
    assert_eq!(email().receiver(), "a@b.example, c@d.example through smtp.example:587");
    let debug = format!("{slack:?}");
    for secret in ["T000SECRET", "hunter2"] {
        assert!(!preview.contains(secret) && !debug.contains(secret));
    }
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Every limit of Block Kit that a message of ours can reach, and that data make no mark-up.
pub fn assert_block_kit(payload: &Value) {
    let text = |value: &Value| value["text"].as_str().unwrap().to_owned();
    let mut mrkdwn = vec![text(payload)];
    assert!((1..=4_000).contains(&units(&mrkdwn[0])));
    let blocks = payload["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()));
    let mut object = |value: &Value, limit: usize| {
        assert!((1..=limit).contains(&units(&text(value))), "{} units of {limit}", units(&text(value)));
        match value["type"].as_str().unwrap() {
            "mrkdwn" => {
                assert_eq!(value["verbatim"], true);
                mrkdwn.push(text(value));
            }
            "plain_text" => assert_eq!(value["emoji"], false),
            other => panic!("{other} is no text object"),
        }
    };
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => {
                assert_eq!(block["text"]["type"], "plain_text");
                object(&block["text"], 150);
            }
            "section" if block["fields"].is_array() => {
                let fields = block["fields"].as_array().unwrap();
                assert!((1..=10).contains(&fields.len()));
                for field in fields {
                    object(field, 2_000);
                }
            }
            "section" => object(&block["text"], 3_000),
            "context" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=10).contains(&elements.len()));
                for element in elements {
                    object(element, 3_000);
                }
            }
            other => panic!("{other} is no block of ours"),
        }
    }
    for text in mrkdwn {
        for (_, rest) in text.match_indices('<').map(|(at, _)| text.split_at(at)) {
            assert!(rest.starts_with("<https://") || rest.starts_with("<http://"), "mark-up from data: {rest}");
        }
        assert_eq!(text.matches('<').count(), text.matches('>').count());
    }
}

/// The limits of PagerDuty's Events API v2.
pub fn assert_event(event: &Value) {
    assert!((1..=255).contains(&units(event["dedup_key"].as_str().unwrap())));
    assert!(event.to_string().len() <= 512 * 1_024);
    match event["event_action"].as_str().unwrap() {
        "resolve" => assert_eq!(event["payload"], Value::Null),
        "trigger" => {
            assert!((1..=1_024).contains(&units(event["payload"]["summary"].as_str().unwrap())));
            assert!(["critical", "error", "warning", "info"].contains(&event["payload"]["severity"].as_str().unwrap()));
            assert!(!event["payload"]["source"].as_str().unwrap().is_empty());
            for link in event["links"].as_array().unwrap() {
                assert!(link["href"].as_str().unwrap().starts_with("http"), "{link}");
            }
        }
        other => panic!("{other} is no action of ours"),
    }
}

/// Texts that are long, odd, or both.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,60}",
        "[`*_~<>&!@#|🔴é\u{202E}\u{0}\n ]{0,40}",
        ("[a-z_&<`🔴]{1,8}", 0_usize..900).prop_map(|(part, times)| part.repeat(times)),
        Just(sample::HOSTILE.to_owned()),
    ]
}

fn notification() -> impl Strategy<Value = Notification> {
    let transitions = [Transition::Opened, Transition::Worsened, Transition::Ongoing, Transition::Resolved, Transition::None];
    let verdicts = prop_oneof![Just(Verdict::Broken), Just(Verdict::Drift)];
    let fact = (text(), text()).prop_map(|(label, text)| Fact { label, text });
    let feature = (text(), verdicts, text()).prop_map(|(name, verdict, change)| FeatureLine { name, verdict, change });
    let links = (proptest::option::of(text()), text(), proptest::option::of(text()), any::<bool>());
    let links = links.prop_map(|(report, runbook, logs, web)| {
        let web = |link: String| if web { format!("https://a.example/{link}") } else { link };
        Links { report: report.map(web), runbook: web(runbook), logs: logs.map(web) }
    });
    let lists =
        (proptest::collection::vec(fact, 0..45), proptest::collection::vec(feature, 0..8), proptest::collection::vec(text(), 0..8));
    let texts = (text(), text(), text(), text(), text());
    (texts, lists, links, proptest::sample::select(transitions.to_vec()), any::<u32>()).prop_map(
        |((job, environment, summary, command, dedupe_key), (facts, features, notes), links, transition, features_left_out)| {
            let base = sample::opened();
            Notification {
                job,
                environment,
                summary,
                command,
                dedupe_key,
                facts,
                features,
                notes,
                links,
                transition,
                features_left_out,
                ..base
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_within_its_limits(notification in notification(), repeated: bool) {
        assert_block_kit(&slack::payload(&notification, repeated));
        assert_event(&pagerduty::payload(&notification, "KEY"));
        let shown = mail(&notification, &Envelope { may_be_repeated: repeated, ..envelope() });
        let headers = shown.split("--- text/plain ---").next().unwrap();
        let names = headers.lines().skip(1).filter(|line| !line.is_empty() && !line.starts_with([' ', '\t']));
        let names: Vec<&str> = names.filter_map(|line| line.split(':').next()).collect();
        let known = ["From", "To", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "Auto-Submitted", "MIME-Version"];
        prop_assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    }
}

#[test]
fn the_edges_are_within_the_limits() {
    for notification in [sample::hostile(), sample::endless(), sample::opened(), sample::resolved()] {
        for repeated in [false, true] {
            assert_block_kit(&slack::payload(&notification, repeated));
        }
        assert_event(&pagerduty::payload(&notification, "KEY"));
    }
}
