//! Progress on a terminal: listing, reading, computing.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The progress of a run. Hidden when stderr is no terminal.
#[derive(Clone, Debug)]
pub struct Progress {
    bars: MultiProgress,
    visible: bool,
}

/// Nothing is shown of a step that is over before.
const REDRAW: Duration = Duration::from_millis(120);

impl Progress {
    pub fn new(bars: MultiProgress, visible: bool) -> Self {
        Self { bars, visible }
    }

    /// A step whose length is not known.
    pub fn step(&self, message: &'static str) -> Step {
        self.add(ProgressBar::no_length(), "{spinner:.cyan} {msg}", message)
    }

    /// A step over a number of bytes.
    pub fn bytes(&self, message: &'static str, total: u64) -> Step {
        let template = "{spinner:.cyan} {msg} {wide_bar:.cyan/dim} {bytes}/{total_bytes} {eta}";
        self.add(ProgressBar::new(total), template, message)
    }

    fn add(&self, bar: ProgressBar, template: &str, message: &'static str) -> Step {
        if !self.visible {
            return Step { bar: ProgressBar::hidden() };
        }
        let bar = self.bars.add(bar);
        // The templates are ours; were one malformed, the default style would show.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(message);
        bar.enable_steady_tick(REDRAW);
        Step { bar }
    }
}

/// One step; it disappears when it is over.
#[derive(Debug)]
pub struct Step {
    bar: ProgressBar,
}

impl Step {
    pub fn advance(&self, by: u64) {
        self.bar.inc(by);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
