//! What every channel says in the same words, and how texts are kept within limits. Pure.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{Notification, Priority};
use crate::decision::signal::Transition;
use crate::report::printable;

/// What a message says that may be the second of its kind.
pub(super) const REPEATED: &str = "An earlier attempt to send this message ended without a receipt: it may be a repetition.";

/// The most features that a message shows; more are in the report.
pub(super) const MOST_FEATURES: usize = 5;

/// The most notes that a message shows, and the characters of each.
pub(super) const MOST_NOTES: usize = 5;
pub(super) const NOTE_CHARS: usize = 400;

/// A text from outside as a message may show it: on one line, nothing hidden in it, of at most so many UTF-16 units, which is how
/// services count characters; `…` stands where something is missing.
pub(super) fn shown(text: &str, limit: usize) -> String {
    clip(&printable(text), limit)
}

/// The beginning of a text, never half a character.
pub(super) fn clip(text: &str, limit: usize) -> String {
    if units(text) <= limit {
        return text.to_owned();
    }
    let mut room = limit.saturating_sub(1);
    let fits = |c: &char| {
        let left = room.checked_sub(c.len_utf16());
        room = left.unwrap_or(0);
        left.is_some()
    };
    let mut clipped: String = text.chars().take_while(fits).collect();
    clipped.push('…');
    clipped
}

/// The length of a text in UTF-16 units.
pub(super) fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// `ct-scan (prod)`
pub(super) fn place(notification: &Notification) -> String {
    format!("{} ({})", printable(&notification.job), printable(&notification.environment))
}

/// What happened, as the second half of "data-drift …".
pub(super) fn event(transition: Transition) -> &'static str {
    match transition {
        Transition::Opened => "opened",
        Transition::Worsened => "worsened",
        Transition::Ongoing => "still open",
        Transition::Resolved => "resolved",
        Transition::None => "unchanged",
    }
}

/// `P1 data-drift opened`
pub(super) fn headline(notification: &Notification) -> String {
    format!("{} {} {}", notification.priority, notification.signal, event(notification.transition))
}

/// A coloured sign that is seen before anything is read.
pub(super) fn sign(notification: &Notification) -> &'static str {
    match (notification.transition, notification.priority) {
        (Transition::Resolved, _) => "🟢",
        (_, Priority::P1) => "🔴",
        (_, Priority::P2) => "🟠",
    }
}

/// `2026-01-31 18:00 UTC`
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `2026-01-30 18:00 to 2026-01-31 18:00 UTC`
pub(super) fn window(notification: &Notification) -> String {
    let end = moment(notification.window_end);
    match notification.window_start {
        Some(start) => format!("{} to {end}", start.format("%Y-%m-%d %H:%M")),
        None => format!("up to {end}"),
    }
}

/// Since when it is open; nothing where the window itself opened it.
pub(super) fn since(notification: &Notification) -> Option<String> {
    let at = moment(notification.since);
    match notification.transition {
        Transition::Opened | Transition::None => None,
        Transition::Worsened | Transition::Ongoing => Some(format!("open since {at}")),
        Transition::Resolved => Some(format!("was open since {at}")),
    }
}

/// The remarks, the one on repetition first; what does not fit is counted.
pub(super) fn notes(notification: &Notification, may_be_repeated: bool) -> Vec<String> {
    let repeated = may_be_repeated.then(|| REPEATED.to_owned());
    let others = notification.notes.iter().take(MOST_NOTES).map(|note| shown(note, NOTE_CHARS));
    let mut notes: Vec<String> = repeated.into_iter().chain(others).collect();
    let left_out = notification.notes.len().saturating_sub(MOST_NOTES);
    if left_out > 0 {
        notes.push(format!("{left_out} more remarks are in the report."));
    }
    notes
}

/// How many drifted or broken features the message does not show.
pub(super) fn features_left_out(notification: &Notification) -> u64 {
    let unshown = notification.features.len().saturating_sub(MOST_FEATURES);
    u64::from(notification.features_left_out) + unshown as u64
}

/// "and 495 more, in the report", where there are more.
pub(super) fn more_features(notification: &Notification) -> Option<String> {
    let left_out = features_left_out(notification);
    (left_out > 0).then(|| format!("and {left_out} more, in the report"))
}

/// Where there is more: a label and an address or a path.
pub(super) fn links(notification: &Notification) -> Vec<(&'static str, &str)> {
    let links = &notification.links;
    let all = [("Report", links.report.as_deref()), ("Runbook", Some(links.runbook.as_str())), ("Logs", links.logs.as_deref())];
    all.into_iter().filter_map(|(label, link)| Some((label, link.filter(|link| !link.is_empty())?))).collect()
}

/// Whether a link can be followed from a message: an address of the web, complete and without anything that could end it early.
pub(super) fn is_web(link: &str) -> bool {
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let breaks = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '|' | '\\' | '`');
    rest.is_some_and(|rest| !rest.is_empty()) && !link.contains(breaks) && printable(link) == link
}

/// An identifier that may stand in a header: itself where it is plain and short, else the digest of it.
pub(super) fn token(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !id.is_empty()
        && id.len() <= 120
        && id.bytes().all(plain)
        && !id.starts_with('.')
        && !id.ends_with('.')
        && !id.contains("..")
    {
        id.to_owned()
    } else {
        digest(id)
    }
}

/// The SHA-256 of a text, in hexadecimal.
pub(super) fn digest(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_clipped_between_characters_and_says_so() {
        assert_eq!(clip("sphericity", 10), "sphericity");
        assert_eq!(clip("sphericity", 9), "spherici…");
        // An emoji is two units.
        assert_eq!(clip("a🔴b", 3), "a…");
        assert_eq!(clip("🔴🔴", 4), "🔴🔴");
        assert_eq!(clip("ab", 0), "…");
    }

    #[test]
    fn an_identifier_is_plain_or_becomes_so() {
        assert_eq!(token("0197-a.b_c"), "0197-a.b_c");
        // python3: hashlib.sha256(b"a b").hexdigest()
        assert_eq!(token("a b"), "c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65");
        for odd in ["", "a\r\nBcc: x", "a>b", "é", "a..b", ".a"] {
            assert_eq!(token(odd).len(), 64, "{odd}");
        }
    }

    #[test]
    fn a_link_is_an_address_of_the_web_or_no_link() {
        assert!(is_web("https://storage.cloud.google.com/b/reports/latest.html?a=1&b=2"));
        for other in ["", "docs/runbooks/x.md", "gs://b/o", "javascript:alert(1)", "https://", "https://a/|x>", "https://a b"] {
            assert!(!is_web(other), "{other}");
        }
    }
}
