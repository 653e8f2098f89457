//! What the program is made of: no unsafe code of ours, actions by their commits only, and every crate that is linked on the list that a
//! release comes with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A crate by name and version.
type Crate = (String, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All files of a folder of the repository with this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn no_code_of_ours_is_unsafe_and_nothing_can_allow_it() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    // Unlike `deny`, an attribute in the code cannot take it back.
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    assert!(!read(".cargo/config.toml").contains("cap-lints"));
    let words = ["{", "fn ", "impl ", "trait ", "extern "].map(|what| ["unsafe", what].join(" "));
    let mut seen = 0;
    for path in ["src", "tests", "fixtures"].iter().flat_map(|folder| files(folder, "rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            assert!(!words.iter().any(|word| line.contains(word)), "{}: {line}", path.display());
            assert!(!line.contains(concat!("allow(", "unsafe_code")), "{}: {line}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 200, "only {seen} sources found");
}

/// The lines of a workflow that use an action by anything but a commit with its version.
fn unpinned(workflow: &str) -> Vec<&str> {
    let is_pinned = |line: &&str| {
        let Some((_, action)) = line.split_once("uses:") else { return true };
        let (action, comment) = action.trim().split_once(" # ").unwrap_or((action.trim(), ""));
        let commit = action.split_once('@').map_or("", |(_, commit)| commit);
        let is_commit = commit.len() == 40 && commit.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        action.starts_with("./") || is_commit && comment.starts_with('v')
    };
    workflow.lines().filter(|line| !is_pinned(line)).collect()
}

#[test]
fn every_action_is_used_by_its_commit() {
    let mut used = 0;
    for path in files(".github/workflows", "yml") {
        let workflow = std::fs::read_to_string(&path).unwrap();
        assert_eq!(unpinned(&workflow), [""; 0], "{}", path.display());
        used += workflow.matches("uses:").count();
    }
    assert!(used >= 10, "only {used} found");
    for wrong in [
        "- uses: actions/checkout@v4",
        "- uses: actions/checkout@main # v4.2.2",
        "- uses: actions/checkout@11bd719 # v4.2.2",
        "- uses: actions/checkout",
        "- uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683",
        "- uses: docker://alpine:3",
    ] {
        assert_eq!(unpinned(wrong), [wrong]);
    }
}

/// The crates of Cargo.lock with their checksums, which those of other places than the registry lack.
fn locked() -> BTreeMap<Crate, String> {
    let lock: toml::Table = toml::from_str(&read("Cargo.lock")).unwrap();
    let text = |package: &toml::Value, key: &str| package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let crates = lock["package"].as_array().unwrap().iter();
    crates.map(|package| ((text(package, "name"), text(package, "version")), text(package, "checksum"))).collect()
}

#[test]
fn every_crate_is_of_the_registry_and_checked() {
    let unchecked: Vec<Crate> = locked().into_iter().filter(|(_, checksum)| checksum.len() != 64).map(|(name, _)| name).collect();
    assert_eq!(unchecked, [("drift-check".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
}

/// What cargo itself says is linked into a release.
fn linked() -> BTreeSet<Crate> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args([
        "tree",
        "--locked",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
        "--no-dedupe",
        "--features=spark",
    ]);
    let tree = command.arg("--target=x86_64-unknown-linux-musl").output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let lines = tree.lines().filter_map(|line| line.split_once(" v"));
    lines.map(|(name, rest)| (name.to_owned(), rest.split(' ').next().unwrap().to_owned())).collect()
}

#[test]
fn every_crate_that_is_linked_is_on_the_list_of_a_release() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list/sbom.json");
    let made = Command::new(root().join(".github/scripts/sbom.sh")).env("OUT", &file).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let list: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!((&list["bomFormat"], &list["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));

    let locked = locked();
    let own = (env!("CARGO_PKG_NAME").to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let mut listed = BTreeSet::from([own.clone()]);
    let mut references = BTreeSet::from([format!("pkg:cargo/{}@{}", own.0, own.1)]);
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned();
    for component in list["components"].as_array().unwrap() {
        let (name, version) = (text(&component["name"]), text(&component["version"]));
        let purl = format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"));
        assert_eq!((text(&component["purl"]), text(&component["bom-ref"])), (purl.clone(), purl.clone()));
        let licence = text(&component["licenses"][0]["expression"]);
        assert!(!licence.is_empty() && !licence.contains('/'), "{name}: {licence}");
        let checksum = text(&component["hashes"][0]["content"]);
        assert_eq!(locked.get(&(name.clone(), version.clone())), Some(&checksum), "{name}");
        assert!(references.insert(purl) && listed.insert((name, version)), "{component} stands twice");
    }
    let linked = linked();
    assert!(linked.len() > 200 && linked == listed, "{:?}", linked.symmetric_difference(&listed).collect::<Vec<_>>());
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    for (name, dependency) in manifest["dependencies"].as_table().unwrap() {
        // What is optional is in a release, or for `tests/fuzz/run` alone.
        let is_linked = dependency.get("optional").is_none() || name == "apache-spark-connect";
        assert_eq!(listed.iter().any(|(listed, _)| listed == name), is_linked, "{name}");
    }

    // What depends on what is complete too: everything is reached from the program.
    let dependencies = list["dependencies"].as_array().unwrap();
    let needs = |name: &str| dependencies.iter().find(|entry| entry["ref"] == name).unwrap()["dependsOn"].as_array().unwrap();
    let mut reached = BTreeSet::new();
    let mut next = vec![format!("pkg:cargo/{}@{}", own.0, own.1)];
    while let Some(name) = next.pop() {
        next.extend(needs(&name).iter().map(text).filter(|need| !reached.contains(need)));
        reached.insert(name);
    }
    assert_eq!(reached, references);
}
