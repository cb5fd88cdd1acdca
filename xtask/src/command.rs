//! Runs other programs, and prints each command line before it runs.

use crate::Outcome;
use std::fmt;
use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Command, Stdio};

/// A command line that has not run yet.
pub(crate) struct CommandLine {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

/// A line of cargo; arguments are separated by single spaces.
pub(crate) fn cargo(arguments: &str) -> CommandLine {
    program("cargo", arguments.split(' '))
}

/// A line of any other program.
pub(crate) fn program(
    program: &str,
    arguments: impl IntoIterator<Item = impl Into<String>>,
) -> CommandLine {
    CommandLine {
        program: program.to_owned(),
        arguments: arguments.into_iter().map(Into::into).collect(),
        environment: Vec::new(),
    }
}

impl CommandLine {
    /// Adds arguments.
    pub(crate) fn arguments(mut self, more: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable for this line only.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Prints the line, runs it with its output on the terminal, and fails when it does.
    pub(crate) fn run(self) -> Outcome {
        println!("$ {self}");
        let status = self.command().status().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(format!("`{self}` failed: {status}")) }
    }

    /// Prints the line, runs it, and returns what it wrote to standard output.
    pub(crate) fn output(self) -> Result<String, String> {
        println!("$ {self}");
        self.quiet_output()
    }

    /// The same for what only asks about the machine: the line is not printed.
    pub(crate) fn quiet_output(self) -> Result<String, String> {
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| self.not_started(&error))?;
        if !output.status.success() {
            return Err(format!("`{self}` failed: {}", output.status));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{self}` wrote bytes, not text"))
    }

    /// Prints the line, runs it, and hands over each line of its standard output as it comes.
    pub(crate) fn each_line(self, mut take: impl FnMut(&str)) -> Outcome {
        println!("$ {self}");
        let started = self.command().stdout(Stdio::piped()).spawn();
        let mut child = started.map_err(|error| self.not_started(&error))?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                take(&line.map_err(|error| format!("`{self}` cannot be read: {error}"))?);
            }
        }
        let status = child.wait().map_err(|error| format!("`{self}` is lost: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("`{self}` failed: {status}")) }
    }

    /// Whether the line runs and succeeds. Prints nothing: it asks what is installed.
    pub(crate) fn works(self) -> bool {
        self.command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // What `cargo xtask` says of xtask itself is not said to a cargo that it runs: some build scripts look
        // at it, and all that depends on them would be built anew whenever cargo is run by hand.
        let of_xtask =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(of_xtask) {
                command.env_remove(name);
            }
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    fn not_started(&self, error: &std::io::Error) -> String {
        if error.kind() == ErrorKind::NotFound {
            format!("`{self}` needs `{}`, which is not installed or not on PATH", self.program)
        } else {
            format!("`{self}` did not start: {error}")
        }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(formatter, "{name}=\"{value}\" ")?;
        }
        formatter.write_str(&self.program)?;
        for argument in &self.arguments {
            if argument.contains(' ') {
                write!(formatter, " \"{argument}\"")?;
            } else {
                write!(formatter, " {argument}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{cargo, program};

    #[test]
    fn a_line_prints_as_one_would_type_it() {
        let line = cargo("doc --no-deps").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(line.to_string(), "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps");
        assert_eq!(
            program("python3", ["-c", "print(1, 2)"]).to_string(),
            "python3 -c \"print(1, 2)\""
        );
    }

    #[test]
    fn what_is_said_of_xtask_is_not_said_to_what_it_runs() {
        // Cargo says it to this test, too.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let told = program("env", ["-u", "PATH"]).quiet_output().unwrap();
        assert!(!told.contains("CARGO_PKG_") && !told.contains("CARGO_MANIFEST_"), "{told}");
    }

    #[test]
    fn a_failure_names_the_line() {
        let nothing: [&str; 0] = [];
        let error = program("false", nothing).run().unwrap_err();
        assert!(error.contains("`false` failed"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let missing = || program("no-such-program", ["--version"]);
        assert!(!missing().works());
        let error = missing().output().unwrap_err();
        assert!(error.contains("needs `no-such-program`"), "{error}");
    }
}
