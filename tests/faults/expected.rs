//! What must come of a fault: the exit code, what is visible, who is told, what the log says.

use std::fmt;

/// What must come of a fault.
#[derive(Clone, Debug)]
pub struct Expected {
    pub code: i32,
    /// Whether the log says that something is tried again.
    pub again: bool,
    pub visible: Visible,
    pub told: Told,
    /// In the log: the object, and what to do.
    pub words: Vec<&'static str>,
}

/// What stands in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visible {
    Nothing,
    /// `report.html`, whole.
    Page,
    /// And `report.json`.
    Report,
    /// And `latest.json`.
    Latest,
    /// And `latest.html`.
    All,
}

/// What those who are to be told have heard after the run and after the rerun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Once, by the run with the fault.
    ByTheRun,
    /// Once, by the rerun.
    ByTheRerun,
    /// Once, by the rerun, which says that it may be a repetition: whether the run had come through could not be known.
    ByTheRerunInDoubt,
    /// More than once, and every repetition is known as one: it says so, or has the same key.
    Again,
    /// By the run with a word of doubt, and by the rerun, which remembers nothing of it.
    InDoubt,
    /// By the run; with a word of doubt, and again by the rerun, where a failing call has left no patience for the next one: how much it leaves is
    /// a matter of chance.
    ByTheRunPerhapsInDoubt,
    Otherwise,
}

impl Told {
    pub fn admits(self, seen: Self) -> bool {
        self == seen || (self == Self::ByTheRunPerhapsInDoubt && matches!(seen, Self::ByTheRun | Self::InDoubt))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ByTheRun => "told once, by this run",
            Self::ByTheRerun => "told once, by the rerun",
            Self::ByTheRerunInDoubt => "told once, by the rerun, with a word that it may be a repetition",
            Self::Again => "taken without a receipt, so told again, and known as a repetition",
            Self::InDoubt => "told with a word of doubt, and again by the rerun",
            Self::ByTheRunPerhapsInDoubt => {
                "told by this run; where no patience is left for the store, with a word of doubt, and again by the rerun"
            }
            Self::Otherwise => "otherwise",
        })
    }
}

impl Expected {
    fn new(code: i32, again: bool, visible: Visible, told: Told, words: &[&'static str]) -> Self {
        Self { code, again, visible, told, words: words.to_vec() }
    }

    /// The run does what it was to do.
    pub fn passes() -> Self {
        Self::new(0, false, Visible::All, Told::ByTheRun, &[])
    }

    /// It does so after it has tried again.
    pub fn recovers() -> Self {
        Self { again: true, ..Self::passes() }
    }

    /// Bucket or store failed for good, before anything could be seen.
    pub fn fails(words: &[&'static str]) -> Self {
        Self::new(5, false, Visible::Nothing, Told::ByTheRerun, words)
    }

    /// And it was tried again until patience ended.
    pub fn gives_up(words: &[&'static str]) -> Self {
        Self { again: true, ..Self::fails(words) }
    }

    /// What the run reads is of no use.
    pub fn is_unusable(words: &[&'static str]) -> Self {
        Self { code: 4, ..Self::fails(words) }
    }

    /// A message could not be delivered, and everything else was done.
    pub fn is_not_delivered(words: &[&'static str]) -> Self {
        Self::new(6, false, Visible::All, Told::ByTheRerun, words)
    }

    /// And it was tried again until patience ended.
    pub fn stays_undelivered(words: &[&'static str]) -> Self {
        Self { again: true, ..Self::is_not_delivered(words) }
    }

    pub fn showing(self, visible: Visible) -> Self {
        Self { visible, ..self }
    }

    pub fn told(self, told: Told) -> Self {
        Self { told, ..self }
    }

    /// The outcome in words.
    pub fn outcome(&self) -> String {
        let code = match self.code {
            0 => "exit 0",
            4 => "exit 4 (input unusable)",
            5 => "exit 5 (bucket or store failed)",
            6 => "exit 6 (not delivered)",
            other => panic!("no row ends with {other}"),
        };
        let tried = if self.again { "tried again, then " } else { "" };
        let visible = match self.visible {
            Visible::Nothing => "nothing visible",
            Visible::Page => "`report.html` visible",
            Visible::Report => "the report visible, `latest.*` not yet",
            Visible::Latest => "the report and `latest.json` visible",
            Visible::All => "the report visible",
        };
        format!("{tried}{code}; {visible}; a rerun completes")
    }

    /// How it was seen to go.
    pub fn seen(&self) -> String {
        // What holds a backtick stands between two of them.
        let code = |word: &&str| if word.contains('`') { format!("`` {word} ``") } else { format!("`{word}`") };
        let words: Vec<String> = self.words.iter().map(code).collect();
        let log = if words.is_empty() { String::new() } else { format!("; the log says {}", words.join(", ")) };
        format!("{}{log}", self.told)
    }
}
