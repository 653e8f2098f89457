//! What the three renderings show, and that no name, label or message can break out of any of them.

use crate::sample_report as sample;

#[test]
fn show() {
    let dir = std::env::var("SHOW").unwrap_or_default();
    if dir.is_empty() {
        return;
    }
    use drift_check::report::{html, markdown, text};
    for (name, r) in [
        ("drift", sample::drift_day()),
        ("hostile", sample::hostile_day()),
        ("no_data", sample::no_data()),
        ("nothing", sample::nothing_at_all()),
        ("none", sample::all_none()),
        ("inc", sample::inconclusive_day()),
        ("stable", sample::stable_day()),
        ("wide", sample::wide(500)),
    ] {
        std::fs::write(format!("{dir}/{name}.html"), html::render(&r)).unwrap();
        std::fs::write(format!("{dir}/{name}.md"), markdown::render(&r)).unwrap();
        for width in [80, 120] {
            let options = text::TextOptions {
                color: true,
                width,
                verbose: false,
                report_location: Some("gs://b/reports/x/report.html".into()),
            };
            std::fs::write(format!("{dir}/{name}.{width}.txt"), text::render(&r, options)).unwrap();
        }
    }
}
