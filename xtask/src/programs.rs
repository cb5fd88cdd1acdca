//! What the tests run beside our own: Redis, PostgreSQL, and Schemathesis, a Python package.

use std::path::Path;

use crate::Outcome;
use crate::command::program;

/// A program that has to be installed.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Whether it is.
    is_there: fn() -> bool,
    debian: &'static [&'static str],
    others: &'static str,
}

pub(crate) const REDIS: Program = Program {
    name: "Redis",
    is_there: redis_is_there,
    debian: &["redis-server"],
    others: "Fedora          dnf install valkey\n  \
             Alpine          apk add redis\n  \
             macOS           brew install redis",
};

pub(crate) const POSTGRES: Program = Program {
    name: "PostgreSQL",
    is_there: postgres_is_there,
    debian: &["postgresql"],
    others: "Fedora          dnf install postgresql-server\n  \
             Alpine          apk add postgresql\n  \
             macOS           brew install postgresql@17",
};

pub(crate) const STRACE: Program = Program {
    name: "strace",
    is_there: strace_is_there,
    debian: &["strace"],
    others: "Fedora          dnf install strace\n  \
             Alpine          apk add strace",
};

pub(crate) const PYTHON: Program = Program {
    name: "Python with venv",
    is_there: python_is_there,
    debian: &["python3", "python3-venv"],
    others: "Fedora          dnf install python3\n  \
             Alpine          apk add python3\n  \
             macOS           brew install python",
};

/// Where Python's packages are, for tests alone; and which.
const PACKAGES: &str = "target/python";
const REQUIREMENTS: &str = "tests/requirements.txt";

/// Finds them, or installs them where the system's packages can be installed by whoever runs this.
pub(crate) fn require() -> Outcome {
    [REDIS, POSTGRES, PYTHON].iter().try_for_each(Program::require)?;
    // Elsewhere there is none, and what needs it is not compiled.
    if cfg!(target_os = "linux") {
        STRACE.require()?;
    }
    packages()
}

/// Installs Python's packages.
pub(crate) fn packages() -> Outcome {
    environment(PACKAGES, REQUIREMENTS)
}

impl Program {
    /// Finds it or installs it; or says how to.
    pub(crate) fn require(&self) -> Outcome {
        let Self { name, is_there, debian, others } = self;
        if is_there() {
            return Ok(());
        }
        let is_debian = program("apt-get", ["--version"]).works();
        if is_debian && program("test", ["-w", "/var/lib/dpkg"]).works() {
            // The list of packages may be none yet; what is installed all the same decides.
            let _ = program("apt-get", ["update", "-q"]).run();
            let install = ["install", "-q", "-y", "--no-install-recommends"];
            program("apt-get", install)
                .arguments(debian.iter().copied())
                .env("DEBIAN_FRONTEND", "noninteractive")
                .run()?;
            if is_there() {
                return Ok(());
            }
        }
        let debian = debian.join(" ");
        Err(format!(
            "no {name}: it is not on PATH, and the tests run it.\n\
             Install it:\n  Debian, Ubuntu  apt-get install {debian}\n  {others}"
        ))
    }
}

fn redis_is_there() -> bool {
    ["redis-server", "valkey-server"].iter().any(|name| program(name, ["--version"]).works())
}

/// Debian keeps it off PATH, in a folder a version.
fn postgres_is_there() -> bool {
    let folders = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    program("initdb", ["--version"]).works()
        || folders.into_iter().any(|folder| folder.path().join("bin/initdb").is_file())
}

fn strace_is_there() -> bool {
    program("strace", ["-V"]).works()
}

fn python_is_there() -> bool {
    program("python3", ["-c", "import ensurepip, venv"]).works()
}

/// Makes a virtual environment of Python's packages, unless it has just those.
pub(crate) fn environment(folder: &str, requirements: &str) -> Outcome {
    let wanted = std::fs::read_to_string(requirements)
        .map_err(|error| format!("{requirements}: {error}"))?;
    let installed = Path::new(folder).join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    program("python3", ["-m", "venv", "--clear", folder]).run()?;
    let pip = format!("{folder}/bin/pip");
    program(&pip, ["install", "-q", "--disable-pip-version-check", "-r", requirements]).run()?;
    std::fs::write(&installed, wanted).map_err(|error| format!("{}: {error}", installed.display()))
}
