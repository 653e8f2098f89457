//! The page as a reader sees it: opened in headless Chromium on a phone and on a desktop, light and dark, and measured there.
//!
//! The report is put unchanged, policy included, into a frame of the width under test: Chromium has no window narrower than 500
//! pixels. Needs `chromium`, `chromium-browser` or `google-chrome` on the PATH; without one, these tests say by name that they could not
//! run, and fail in CI.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use drift_check::report::{Report, html};
use serde_json::Value;

use crate::sample_report as sample;

const PHONE: u32 = 360;
const DESKTOP: u32 = 1280;

/// Long enough for a loaded machine; Chromium takes about two seconds.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy)]
enum Scheme {
    Light,
    Dark,
}

/// The browser, or `None` after saying by name which test could not run.
fn browser(test: &str) -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "browser::{test} needs one of {names:?} on the PATH");
        eprintln!("NOT RUN: browser::{test} needs one of {names:?} on the PATH");
    }
    found
}

/// Opens the page and measures it.
fn measure(browser: &PathBuf, name: &str, page: &str, width: u32, scheme: Scheme) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let script = include_str!("support/measure.js");
    // In a text area a page is text until it ends; no report holds that end tag unescaped.
    let page = page.replace('&', "&amp;").replace('<', "&lt;");
    let frame = format!("<iframe style=\"border:0;width:{width}px;height:2000px\"></iframe>");
    let around = format!("<!doctype html><textarea id=report>{page}</textarea>{frame}<script>{script}</script>");
    let file = folder.path().join("around.html");
    std::fs::write(&file, around).unwrap();
    let output = folder.path().join("dom.html");
    let scheme = match scheme {
        Scheme::Dark => 0,
        Scheme::Light => 1,
    };
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .args(["--hide-scrollbars", "--window-size=1400,2100", "--dump-dom"])
        .arg(format!("file://{}", file.display()))
        .stdout(Stdio::from(File::create(&output).unwrap()))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the browser did not end within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let dom = std::fs::read_to_string(&output).unwrap();
    let measured = dom.split_once("<pre id=\"measured\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (json, _) = measured.unwrap_or_else(|| panic!("{name}: the page was not measured"));
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    serde_json::from_str(&json).unwrap()
}

/// What holds for every report on every screen.
fn assert_sound(seen: &Value, name: &str, width: u32) {
    assert_eq!(seen["width"], width, "{name}: {seen}");
    assert_eq!(seen["scroll_width"], width, "{name} scrolls sideways: {seen}");
    for nothing in ["overflowing", "faint", "colliding", "dangling", "duplicate_ids"] {
        assert_eq!(seen[nothing], Value::Array(Vec::new()), "{name} at {width}: {nothing}");
    }
    assert_eq!(seen["hostile"], false, "{name}: a script ran");
    assert_eq!(seen["scripts"], 0, "{name}: there is a script");
    assert_eq!(seen["verdict_icon"], true, "{name}");
}

fn names(report: &Report) -> Vec<String> {
    report.features.iter().map(|feature| feature.name.to_string()).collect()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_reader_sees_the_verdict_what_changed_and_a_picture_of_every_feature() {
    let Some(browser) = browser("a_reader_sees_the_verdict_what_changed_and_a_picture_of_every_feature") else { return };
    let report = sample::drift_day();
    let page = html::render(&report);
    let mut backgrounds = Vec::new();
    for (width, scheme) in [(PHONE, Scheme::Light), (PHONE, Scheme::Dark), (DESKTOP, Scheme::Light), (DESKTOP, Scheme::Dark)] {
        let seen = measure(&browser, "drift day", &page, width, scheme);
        assert_sound(&seen, "drift day", width);
        assert_eq!(seen["verdict"], "Drift");
        assert_eq!(seen["verdict_in_sight"], true);
        assert_eq!(strings(&seen["features"]), names(&report), "worst first, as the report orders them");
        assert_eq!(strings(&seen["changed"]), names(&report)[..7]);
        let pictures = seen["pictures"].as_array().unwrap();
        assert_eq!(pictures.len(), report.features.len());
        for size in pictures {
            let (wide, high) = (size[0].as_f64().unwrap(), size[1].as_f64().unwrap());
            assert!(wide > 80.0 && high > 50.0, "a picture of {wide} by {high} at {width}");
        }
        assert_eq!(seen["trend_points"], 7);
        assert_eq!(seen["strip_rows"], 11, "the data set and the ten features that were not stable in some window");
        backgrounds.push(seen["background"].as_str().unwrap().to_owned());
    }
    assert_eq!(backgrounds[0], backgrounds[2]);
    assert_eq!(backgrounds[1], backgrounds[3]);
    assert_ne!(backgrounds[0], backgrounds[1], "light and dark differ");
}

#[test]
fn no_script_in_a_name_runs_with_or_without_the_policy() {
    let Some(browser) = browser("no_script_in_a_name_runs_with_or_without_the_policy") else { return };
    let page = html::render(&sample::hostile_day());
    let policy = page.split_once("<meta http-equiv=").and_then(|(_, rest)| rest.split_once('>')).unwrap().0;
    let without = page.replace(&format!("<meta http-equiv={policy}>"), "");
    assert!(!without.contains("Content-Security-Policy"));
    for page in [page, without] {
        for width in [PHONE, DESKTOP] {
            assert_sound(&measure(&browser, "hostile day", &page, width, Scheme::Light), "hostile day", width);
        }
    }
}

#[test]
fn every_edge_fits_a_phone() {
    let Some(browser) = browser("every_edge_fits_a_phone") else { return };
    for (name, report, verdict) in [
        ("no data", sample::no_data(), "No data"),
        ("stable day", sample::stable_day(), "Stable"),
        ("inconclusive day", sample::inconclusive_day(), "Inconclusive"),
        ("nothing at all", sample::nothing_at_all(), "Stable"),
        ("all none", sample::all_none(), "Drift"),
        ("not finite", sample::not_finite(), "Drift"),
        ("500 features", sample::wide(500), "Stable"),
    ] {
        let seen = measure(&browser, name, &html::render(&report), PHONE, Scheme::Dark);
        assert_sound(&seen, name, PHONE);
        assert_eq!(seen["verdict"], verdict, "{name}");
        let meter = seen["meter"].as_str().unwrap();
        assert_eq!(meter.contains("Not known"), name == "no data", "{name}: nothing compared is not a share of 0 %: {meter}");
        assert_eq!(strings(&seen["features"]).len(), report.features.len(), "{name}");
    }
}
