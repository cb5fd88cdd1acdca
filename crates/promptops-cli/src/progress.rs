//! How far long work has come: a bar on a terminal, lines elsewhere, nothing where nobody wants to know.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{Output, tell};

/// Work that is shorter is not told of in lines.
const LONG: u64 = 100;

/// How many lines tell of long work.
const LINES: u64 = 10;

/// Progress of work on a known number of things.
pub(crate) struct Progress {
    bar: ProgressBar,
    verb: &'static str,
    /// Where nobody sees a bar.
    in_lines: bool,
}

impl Progress {
    pub(crate) fn new(output: Output, verb: &'static str, total: usize) -> Self {
        let total = total as u64;
        let is_seen = std::io::stderr().is_terminal();
        let has_bar = is_seen && !output.quiet && total > 1;
        let target =
            if has_bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = "{prefix} {wide_bar} {pos}/{len} {per_sec} {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(verb);
        Self { bar, verb, in_lines: !is_seen && !output.quiet && total >= LONG }
    }

    /// One more is done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if self.in_lines && (done == total || done.is_multiple_of((total / LINES).max(1))) {
            tell(&format!("{} {done} of {total}", self.verb));
        }
    }

    /// Something to read while the bar is there.
    pub(crate) fn tell(&self, text: &str) {
        self.bar.suspend(|| tell(text));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
