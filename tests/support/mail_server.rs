//! A real mail server for the tests: aiosmtpd, in a virtual environment under the target folder that is made once.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::authority::Leaf;

/// The version that the tests were written with.
const PACKAGE: &str = "aiosmtpd==1.4.6";

/// What a server is.
pub struct Kind<'a> {
    pub tls: &'static str,
    pub leaf: Option<&'a Leaf>,
    pub login: Option<[&'static str; 2]>,
    pub refused: &'static [&'static str],
    pub deferred: &'static [&'static str],
    pub trouble: &'static str,
}

impl Kind<'_> {
    pub fn open() -> Self {
        Self { tls: "none", leaf: None, login: None, refused: &[], deferred: &[], trouble: "" }
    }
}

/// A running server; it ends when it is dropped.
pub struct MailServer {
    child: Child,
    folder: TempDir,
    pub port: u16,
}

impl MailServer {
    pub fn start(kind: &Kind<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut options = json!({
            "folder": folder.path(), "tls": kind.tls, "login": kind.login, "refused": kind.refused, "deferred": kind.deferred,
            "trouble": kind.trouble,
        });
        if let Some(leaf) = kind.leaf {
            options["certificate"] = json!(file("certificate.pem", &leaf.certificate));
            options["key"] = json!(file("key.pem", &leaf.key));
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/mail_server.py");
        let mut command = Command::new(python());
        command.arg(script).arg(options.to_string()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the mail server did not start: {line}"));
        Self { child, folder, port }
    }

    /// What it has taken, in order.
    pub fn received(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
        // They are numbered.
        files.sort_by_key(|path| path.file_stem().unwrap().to_string_lossy().parse::<u32>().unwrap());
        files.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python that has the server. Where it cannot be had, the test that asked for it fails and says so.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let ready = target.join("smtp-venv");
        let python = ready.join("bin/python");
        if works(&python) {
            return python;
        }
        // Made aside and put in place whole: other test processes may be doing the same.
        let aside = target.join(format!("smtp-venv-{}", std::process::id()));
        run(Command::new("python3").args(["-m", "venv"]).arg(&aside));
        run(Command::new(aside.join("bin/python")).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PACKAGE,
        ]));
        let _ = std::fs::remove_dir_all(&ready);
        if std::fs::rename(&aside, &ready).is_err() {
            let _ = std::fs::remove_dir_all(&aside);
        }
        assert!(works(&python), "the mail server of the tests cannot be used: {PACKAGE} is not in {}", ready.display());
        python
    })
}

fn works(python: &Path) -> bool {
    python.is_file() && Command::new(python).args(["-c", "import aiosmtpd.smtp"]).status().is_ok_and(|status| status.success())
}

fn run(command: &mut Command) {
    let ran = command.output();
    let said = match &ran {
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    let succeeded = ran.is_ok_and(|output| output.status.success());
    assert!(
        succeeded,
        "the tests of email need {PACKAGE} in a virtual environment (Debian: python3-venv): {command:?} said {said}"
    );
}
