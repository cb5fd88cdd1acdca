//! The command `promptops`.

use std::process::ExitCode;

fn main() -> ExitCode {
    promptops_cli::run(std::env::args_os()).into()
}
