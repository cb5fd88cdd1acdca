#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program prints")]

mod backup;
mod db;
mod serve;
mod transfer;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

/// Prompts: versioned, labelled, served.
#[derive(Debug, Parser)]
#[command(name = "promptops", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a registry over HTTP.
    Serve(serve::Serve),
    /// Copies a registry's file, while a server may be using it.
    Backup(backup::Backup),
    /// Makes a registry from a backup.
    Restore(backup::Restore),
    /// Writes everything that a registry holds to a file.
    Export(transfer::Export),
    /// Fills an empty registry from such a file.
    Import(transfer::Import),
}

/// Runs the command with its arguments, the program's name first, and gives its exit code: 0 done, 1 failed, 2
/// not understood. What it prints goes to the process's streams.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(told) => {
            // A help text is told this way too. If nobody reads it, there is nobody to tell.
            let _ = told.print();
            return u8::try_from(told.exit_code()).unwrap_or(2);
        }
    };
    let outcome = match arguments.command {
        Command::Serve(serve) => serve.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Export(export) => export.run(),
        Command::Import(import) => import.run(),
    };
    match outcome {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("error: {message}");
            1
        }
    }
}

/// What runs the asynchronous part.
fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("no runtime: {error}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
