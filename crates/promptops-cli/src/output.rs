//! What a command writes: its result to standard output, as text or as JSON; everything else to standard
//! error.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use promptops_client::Timestamp;
use serde::Serialize;

use crate::failure::Failure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const CHANGED: Style = AnsiColor::Yellow.on_default();
pub(crate) const PLACE: Style = AnsiColor::Cyan.on_default();
pub(crate) const STRONG: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// When there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    // On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Where a command writes, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

impl Output {
    /// Settles for the whole process when there are colours.
    pub(crate) fn new(json: bool, quiet: bool, color: Color) -> Self {
        let choice = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        choice.write_global();
        Self { json, quiet }
    }

    /// A result for programs, one JSON document.
    pub(crate) fn data(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
        self.text(&(text + "\n"))
    }

    /// One of many results for programs, on a line of its own.
    pub(crate) fn data_line(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| error.to_string())?;
        self.text(&(text + "\n"))
    }

    /// A result for people, as it is. Colours in it are left out where there are none.
    #[expect(clippy::unused_self, reason = "that colours are settled is what it says")]
    pub(crate) fn text(self, text: &str) -> Result<(), Failure> {
        let mut out = AutoStream::auto(io::stdout().lock());
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// A result for people, a line.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        self.text(&format!("{text}\n"))
    }

    /// A result for programs byte for byte, for people too: what a file or a prompt says.
    #[expect(clippy::unused_self, reason = "as its fellows")]
    pub(crate) fn raw(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// What people may want to know beside the result, on standard error.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            tell(text);
        }
    }

    /// Rows below headings, which are in bold; nothing for no rows.
    pub(crate) fn table(self, headings: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings.iter().copied());
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let shown = table.to_string();
        let mut lines = shown.lines().map(str::trim_end);
        let heading = lines.next().unwrap_or_default();
        let mut text = format!("{STRONG}{heading}{STRONG:#}\n");
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.text(&text)
    }
}

/// Writes to standard error. Who closed it wants to know nothing.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(AutoStream::auto(io::stderr().lock()), "{text}");
}

/// Whether standard error shows colours.
pub(crate) fn has_colours() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Whether somebody can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A moment for people: to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// A unified diff in colours.
pub(crate) fn coloured_diff(unified: &str) -> String {
    let mut text = String::with_capacity(unified.len() + 256);
    for line in unified.split_inclusive('\n') {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => STRONG,
            [b'+', ..] => GOOD,
            [b'-', ..] => BAD,
            [b'@', b'@', ..] => PLACE,
            _ => Style::new(),
        };
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        text += &format!("{style}{line}{style:#}{end}");
    }
    text
}
