#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program prints")]

mod clock;
mod commands;
mod db;
mod failure;
mod folder;
mod interrupt;
mod output;
mod progress;
mod settings;
mod text_diff;
mod values;

use std::ffi::OsString;

use clap::Parser;

use crate::commands::Command;
use crate::failure::Failure;
use crate::output::{has_colours, tell};
use crate::settings::Global;

/// Prompts: versioned, labelled, reviewed as files, served.
#[derive(Debug, Parser)]
#[command(name = "promptops", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    global: Global,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 not allowed, \
                          5 unreachable, 6 conflict";

/// Runs the command with its arguments, the program's name first, and gives its exit code: 0 done, 1 failed,
/// 2 not understood, 3 not found, 4 not allowed, 5 unreachable, 6 conflict. What it prints goes to the
/// process's streams.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(told) => {
            // A help text is told this way too. If nobody reads it, there is nobody to tell.
            let _ = told.print();
            return u8::try_from(told.exit_code()).unwrap_or(2);
        }
    };
    let output = arguments.global.output();
    let Err(failure) = arguments.command.run(&arguments.global) else { return 0 };
    let told = if output.json {
        failure.json().map(|json| json.to_string())
    } else {
        failure.text(has_colours())
    };
    if let Some(told) = told {
        tell(&told);
    }
    failure.code()
}

/// Runs the asynchronous part of a command.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("no runtime: {error}"))?.block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
