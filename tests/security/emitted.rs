//! Everything that runs have emitted, and the search for secrets in it: as they are, percent-encoded, in base64.

use std::path::Path;

use crate::storage_server::objects::base64;
use crate::workspace::{Ran, Workspace};

/// What was emitted, each with where it was found.
#[derive(Default)]
pub struct Emitted(Vec<(String, String)>);

impl Emitted {
    pub fn add(&mut self, place: &str, bytes: &[u8]) {
        self.0.push((place.to_owned(), String::from_utf8_lossy(bytes).into_owned()));
    }

    pub fn ran(&mut self, what: &str, ran: &Ran) {
        self.add(&format!("stdout of {what}"), ran.stdout.as_bytes());
        self.add(&format!("stderr of {what}"), ran.stderr.as_bytes());
    }

    /// Every file of a workspace but those that were made for the run: reports, cache, the state store with its journal.
    pub fn files(&mut self, workspace: &Workspace, but: impl Fn(&str) -> bool) {
        for name in workspace.files("").iter().filter(|name| !but(name)) {
            self.add(name, &std::fs::read(workspace.path(name)).unwrap());
        }
    }

    pub fn holds(&self, part: &str) -> bool {
        self.0.iter().any(|(_, text)| text.contains(part))
    }

    /// Fails with the place of the first secret that is found.
    pub fn assert_holds_none_of(&self, secrets: &[(&str, String)]) {
        assert!(self.0.iter().any(|(_, text)| text.len() > 1_000), "nothing was emitted");
        for (name, secret) in secrets {
            let forms = forms(secret);
            for (place, text) in &self.0 {
                if let Some(form) = forms.iter().find(|form| text.contains(form.as_str())) {
                    let at = text.find(form.as_str()).unwrap();
                    let around: String = text[..at].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
                    panic!("{name} is in {place}, as {form}, after: {around}");
                }
            }
        }
    }
}

/// A secret in the ways that it could be written.
fn forms(secret: &str) -> Vec<String> {
    assert!(secret.len() >= 9, "{secret} could be there by chance");
    let mut forms = vec![secret.to_owned(), percent(secret), secret.escape_default().to_string()];
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(secret.as_bytes());
        // Neither what holds bits of what stands before it, nor of what comes after.
        let text = base64(&bytes);
        let own = &text[[0, 2, 3][before]..bytes.len() * 8 / 6];
        forms.extend([own.to_owned(), own.replace('+', "-").replace('/', "_")]);
    }
    forms
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The command line of a running process.
pub fn command_line(process: u32) -> Vec<u8> {
    std::fs::read(Path::new("/proc").join(process.to_string()).join("cmdline")).unwrap()
}

#[test]
fn a_secret_would_be_found_however_it_is_written() {
    let secret = "hook secret/9000=";
    for text in [
        "GET /hook secret/9000= ".to_owned(),
        "GET /hook%20secret%2F9000%3D".to_owned(),
        base64(b"hook secret/9000="),
        base64(b"\0user\0hook secret/9000="),
        base64(b"drift:hook secret/9000=;"),
        base64(b"name:hook secret/9000=.").replace('+', "-").replace('/', "_"),
    ] {
        let mut emitted = Emitted::default();
        emitted.add("here", format!("{}{text}", " ".repeat(1_000)).as_bytes());
        let search = || emitted.assert_holds_none_of(&[("the secret", secret.to_owned())]);
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(search)).is_err(), "{text}");
        emitted.assert_holds_none_of(&[("another", "another/secret".to_owned())]);
    }
}
