//! What the command line says of itself: completion scripts, the man page, and the examples of every `--help`, each of them run.

use std::process::{Command, Stdio};

use crate::documents;
use crate::workspace::Workspace;

const BINARY: &str = env!("CARGO_BIN_EXE_drift-check");

fn printed(arguments: &[&str]) -> String {
    let ran = Workspace::new().run(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn bash_loads_its_script_and_completes_commands_and_options() {
    let workspace = Workspace::new();
    workspace.write("drift-check.bash", printed(&["completions", "bash"]));
    let completed = |words: &str, count: usize| {
        let script = format!(
            "set -u; source drift-check.bash; COMP_WORDS=({words}); COMP_CWORD={count}; COMPREPLY=(); \
             $(complete -p drift-check | sed 's/.*-F \\([^ ]*\\).*/\\1/') drift-check \"${{COMP_WORDS[{count}]}}\" \
             \"${{COMP_WORDS[{}]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            count - 1
        );
        let ran =
            Command::new("bash").args(["--norc", "--noprofile", "-c", &script]).current_dir(workspace.path("")).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed("drift-check doc", 1), ["doctor"]);
    assert_eq!(completed("drift-check doctor --send", 2), ["--send-test"]);
    assert_eq!(completed("drift-check completions ba", 2), ["bash"]);
}

#[test]
fn every_shell_and_the_page_have_every_command() {
    for kind in ["bash", "zsh", "fish", "elvish", "powershell", "man"] {
        let script = printed(&["completions", kind]);
        for command in ["check", "profile", "history", "doctor", "explain", "config", "completions"] {
            assert!(script.contains(command), "{kind}: {command}");
        }
    }
    let page = printed(&["completions", "man"]);
    assert!(page.contains(".TH drift-check 1") && page.contains(".SH \"DRIFT-CHECK EXPLAIN\""), "{page}");
    let unknown = Workspace::new().run(&["completions", "tcsh"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("possible values: bash, zsh"), "{}", unknown.stderr);
}

#[test]
fn every_script_and_the_page_are_in_a_release() {
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.github/scripts/build-static.sh")).unwrap();
    for kind in ["bash", "zsh", "fish", "elvish", "powershell", "man"] {
        assert!(script.contains(&format!("\"$binary\" completions {kind} >\"$OUT/$name/")), "{kind}");
    }
}

/// The commands under `Examples:`, without what is said of them, and what is to be run before them.
fn examples(help: &str) -> Vec<String> {
    let examples = help.split("Examples:\n").nth(1).unwrap_or_default();
    let lines = examples.lines().take_while(|line| !line.trim().is_empty());
    lines.map(|line| line.trim().split("  ").next().unwrap().to_owned()).collect()
}

/// A run of the program whose examples these are, in a folder with all that they name.
#[test]
fn every_example_of_every_help_works() {
    let workspace = documents::fixtures();
    let config = std::fs::read_to_string(workspace.path("config/local.toml")).unwrap();
    workspace.write("prod.toml", &config);
    let reference = std::fs::read_dir(workspace.path("fixtures/bucket/reference")).unwrap().map(|entry| entry.unwrap().path());
    let reference = reference.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "csv")).unwrap();
    let reference = std::fs::read(reference).unwrap();
    workspace.write("train.csv", &reference).write("today.csv", &reference);
    let folder = std::path::Path::new(BINARY).parent().unwrap().display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
    let run = |command: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-e", "-o", "pipefail", "-c", command]).current_dir(workspace.path("")).env_clear();
        let ran = shell.env("PATH", &path).stdin(Stdio::null()).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        (ran.status.code(), said)
    };
    // What `explain` tells of.
    assert_eq!(run("drift-check --config prod.toml --as-of 2026-02-01T00:00:00Z").0, Some(0));
    let commands = ["", "check", "profile", "backtest", "history", "doctor", "explain", "config", "completions"];
    let mut tried = 0;
    for command in commands {
        let help = workspace.run(&[command, "--help"].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>());
        assert_eq!(help.code, 0, "{command}: {}", help.stderr);
        let examples = examples(&help.stdout);
        assert!(examples.len() >= 3, "{command}: {}", help.stdout);
        for example in examples {
            let (code, said) = run(&example);
            assert_eq!(code, Some(0), "{example}: {said}");
            tried += 1;
        }
    }
    assert!(tried >= 28, "only {tried} examples were found");
    // The script that the help tells to source is one.
    assert_eq!(run("source drift-check.bash && complete -p drift-check").0, Some(0));
}

/// A command without a page of examples would be missed above.
#[test]
fn the_commands_of_the_help_are_those_that_are_tried() {
    let help = printed(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names.iter().filter(|name| **name != "help") {
        let help = printed(&[name, "--help"]);
        assert!(!examples(&help).is_empty(), "{name} has no examples");
    }
}
