//! The two forms of a message's text: HTML, by a template that escapes by default, and plain. Pure.

use askama::Template;

use super::super::words::{self, MOST_FEATURES, shown};
use super::super::{Notification, Priority};
use crate::decision::signal::Transition;

/// The most numbers that a message shows.
const MOST_FACTS: usize = 20;
const NAME_CHARS: usize = 200;
const TEXT_CHARS: usize = 1_000;
const SUMMARY_CHARS: usize = 3_000;

/// Everything that a message shows.
#[derive(Template)]
#[template(path = "message.html")]
pub(super) struct Page {
    title: String,
    headline: String,
    place: String,
    tone: &'static str,
    color: &'static str,
    summary: String,
    facts: Vec<(String, String)>,
    features: Vec<Line>,
    more_features: Option<String>,
    notes: Vec<String>,
    /// The one to begin with, where it can be followed.
    button: Option<Link>,
    links: Vec<Link>,
    command: String,
    window: String,
    since: Option<String>,
}

struct Line {
    name: String,
    verdict: String,
    change: String,
}

struct Link {
    label: &'static str,
    target: String,
    is_web: bool,
}

impl Page {
    pub fn new(notification: &Notification, may_be_repeated: bool) -> Self {
        let (tone, color) = match (notification.transition, notification.priority) {
            (Transition::Resolved, _) => ("resolved", "#067647"),
            (_, Priority::P1) => ("p1", "#b42318"),
            (_, Priority::P2) => ("p2", "#b54708"),
        };
        let facts = notification.facts.iter().take(MOST_FACTS);
        let features = notification.features.iter().take(MOST_FEATURES).map(|feature| Line {
            name: shown(&feature.name, NAME_CHARS),
            verdict: feature.verdict.to_string(),
            change: shown(&feature.change, TEXT_CHARS),
        });
        let links = words::links(notification).into_iter().map(|(label, target)| Link {
            label,
            target: shown(target, 2 * TEXT_CHARS),
            is_web: words::is_web(target) && words::units(target) <= 2 * TEXT_CHARS,
        });
        let (mut buttons, links): (Vec<Link>, Vec<Link>) = links.partition(|link| link.is_web && link.label == "Report");
        let mut notes = words::notes(notification, may_be_repeated);
        let left_out = notification.facts.len().saturating_sub(MOST_FACTS);
        if left_out > 0 {
            notes.push(format!("{left_out} more numbers are in the report."));
        }
        Self {
            title: subject(notification),
            headline: words::headline(notification),
            place: shown(&words::place(notification), NAME_CHARS),
            tone,
            color,
            summary: shown(&notification.summary, SUMMARY_CHARS),
            facts: facts.map(|fact| (shown(&fact.label, NAME_CHARS), shown(&fact.text, TEXT_CHARS))).collect(),
            features: features.collect(),
            more_features: words::more_features(notification),
            notes,
            button: buttons.pop(),
            links,
            command: shown(&notification.command, 4 * TEXT_CHARS),
            window: words::window(notification),
            since: words::since(notification),
        }
    }

    /// The page as HTML. Rendering into memory cannot fail; should it ever, there still is the plain text.
    pub fn html(&self) -> Option<String> {
        self.render().ok()
    }

    /// The same without mark-up.
    pub fn plain(&self) -> String {
        let mut text = format!("{}\n{}\n\n{}\n", self.headline, self.place, self.summary);
        let mut part = |title: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                text.push_str(&format!("\n{title}\n  {}\n", lines.join("\n  ")));
            }
        };
        part("Numbers", self.facts.iter().map(|(label, text)| format!("{label}: {text}")).collect());
        let features = self.features.iter().map(|line| format!("{} ({}): {}", line.name, line.verdict, line.change));
        part("Features", features.chain(self.more_features.clone()).collect());
        part("Remarks", self.notes.clone());
        part("Links", self.button.iter().chain(&self.links).map(|link| format!("{}: {}", link.label, link.target)).collect());
        part("Reproduce it", vec![self.command.clone()]);
        let when = std::iter::once(format!("Window {}", self.window)).chain(self.since.clone()).collect::<Vec<_>>().join("; ");
        text.push_str(&format!("\n{when}\n"));
        text
    }
}

/// One line of at most 120 characters; the part that tells most comes first.
pub(super) fn subject(notification: &Notification) -> String {
    shown(&format!("{}: {}", words::headline(notification), words::place(notification)), 120)
}
