//! What goes to stderr: sentences on a terminal, one JSON object a line in Google Cloud Logging's fields otherwise.
//!
//! Names of objects and columns are in what is said: nothing in them steers a terminal, or whatever reads the log.

use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use indicatif::MultiProgress;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::report::{escaped_json, printable};

/// How much is logged, and how.
#[derive(Clone, Debug)]
pub struct LogOptions {
    pub quiet: bool,
    pub verbose: u8,
    /// Whether stderr is a terminal.
    pub terminal: bool,
    pub color: bool,
    /// Fields of every JSON line, such as labels and trace.
    pub fields: Map<String, Value>,
}

/// Installs the logger of the process. `bars` are the progress bars that lines on a terminal must not tear; `clock` gives the time.
pub fn install(options: LogOptions, bars: MultiProgress, clock: fn() -> DateTime<Utc>) {
    let level = match (options.quiet, options.verbose, options.terminal) {
        (true, _, _) => LevelFilter::ERROR,
        // On a terminal the result is the message; in a log the steps are wanted too.
        (false, 0, true) => LevelFilter::WARN,
        (false, 0, false) | (false, 1, _) => LevelFilter::INFO,
        (false, _, _) => LevelFilter::DEBUG,
    };
    let format = Format { terminal: options.terminal, color: options.color, common: options.fields, clock };
    // What the libraries have to say comes back as errors, and is said once, by us. Only who asks for everything hears them too.
    let libraries = if level == LevelFilter::DEBUG { level } else { LevelFilter::OFF };
    let ours = Targets::new().with_default(libraries).with_target("drift_check", level);
    let builder = tracing_subscriber::fmt().with_max_level(level).event_format(format).with_writer(AboveBars { bars });
    // Only the first call in a process can succeed; the logger that is there is as good.
    let _ = builder.finish().with(ours).try_init();
}

struct Format {
    terminal: bool,
    color: bool,
    common: Map<String, Value>,
    clock: fn() -> DateTime<Utc>,
}

/// The message and the fields of an event.
#[derive(Default)]
struct Collected {
    message: String,
    fields: Map<String, Value>,
}

impl Visit for Collected {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => drop(self.fields.insert(name.to_owned(), value.into())),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'a> FormatFields<'a> + 'static> FormatEvent<S, N> for Format {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut collected = Collected::default();
        event.record(&mut collected);
        let Collected { message, mut fields } = collected;
        if self.terminal {
            let (word, code) = word(*event.metadata().level());
            let message = harmless(&message);
            return if self.color {
                writeln!(writer, "\x1b[{code}m{word}\x1b[0m: {message}")
            } else {
                writeln!(writer, "{word}: {message}")
            };
        }
        fields.extend(self.common.clone());
        fields.insert("severity".to_owned(), severity(*event.metadata().level()).into());
        fields.insert("time".to_owned(), (self.clock)().to_rfc3339_opts(SecondsFormat::Micros, true).into());
        fields.insert("message".to_owned(), message.into());
        writeln!(writer, "{}", escaped_json(Value::Object(fields).to_string()))
    }
}

/// A message as a terminal may get it: no line after its first can pass for another message.
fn harmless(message: &str) -> String {
    let shown = message.lines().map(|line| if line.trim().is_empty() { String::new() } else { printable(line) });
    shown.collect::<Vec<_>>().join("\n  ")
}

/// The severities of Cloud Logging.
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// The word and the ANSI colour of a level.
fn word(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("error", "1;31"),
        Level::WARN => ("warning", "1;33"),
        Level::INFO => ("info", "1;34"),
        Level::DEBUG | Level::TRACE => ("debug", "2"),
    }
}

/// Writes lines above the progress bars.
#[derive(Clone)]
struct AboveBars {
    bars: MultiProgress,
}

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for AboveBars {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_steers_a_terminal() {
        let message = "cannot read a\u{1b}[31m\u{9b}2J\u{202E}b.csv\r\nerror: all is well\n\nlast";
        let shown = "cannot read a\u{FFFD}[31m\u{FFFD}2J\u{FFFD}b.csv\n  error: all is well\n  \n  last";
        assert_eq!(harmless(message), shown);
        assert_eq!(harmless(""), "");
    }
}
