//! The servers that tests start: Redis and PostgreSQL.

use crate::Outcome;
use crate::command::program;

/// One that has to be installed.
struct Server {
    name: &'static str,
    /// Whether it is.
    is_there: fn() -> bool,
    debian: &'static str,
    others: &'static str,
}

const REDIS: Server = Server {
    name: "Redis",
    is_there: redis_is_there,
    debian: "redis-server",
    others: "Fedora          dnf install valkey\n  \
             Alpine          apk add redis\n  \
             macOS           brew install redis",
};

const POSTGRES: Server = Server {
    name: "PostgreSQL",
    is_there: postgres_is_there,
    debian: "postgresql",
    others: "Fedora          dnf install postgresql-server\n  \
             Alpine          apk add postgresql\n  \
             macOS           brew install postgresql@17",
};

/// Finds them, or installs them where the system's packages can be installed by whoever runs this.
pub(crate) fn require() -> Outcome {
    [REDIS, POSTGRES].iter().try_for_each(Server::require)
}

impl Server {
    fn require(&self) -> Outcome {
        let Self { name, is_there, debian, others } = self;
        if is_there() {
            return Ok(());
        }
        let is_debian = program("apt-get", ["--version"]).works();
        if is_debian && program("test", ["-w", "/var/lib/dpkg"]).works() {
            // The list of packages may be none yet; what is installed all the same decides.
            let _ = program("apt-get", ["update", "-q"]).run();
            let install = ["install", "-q", "-y", "--no-install-recommends", debian];
            program("apt-get", install).env("DEBIAN_FRONTEND", "noninteractive").run()?;
            if is_there() {
                return Ok(());
            }
        }
        Err(format!(
            "no {name}: its server is not on PATH, and the tests start one of their own.\n\
             Install one:\n  Debian, Ubuntu  apt-get install {debian}\n  {others}"
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
