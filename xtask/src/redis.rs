//! The Redis that tests start.

use crate::Outcome;
use crate::command::program;

/// Finds it, or installs it where the system's packages can be installed by whoever runs this.
pub(crate) fn require() -> Outcome {
    if is_there() {
        return Ok(());
    }
    let is_debian = program("apt-get", ["--version"]).works();
    if is_debian && program("test", ["-w", "/var/lib/dpkg"]).works() {
        // The list of packages may be none yet; what is installed all the same decides.
        let _ = program("apt-get", ["update", "-q"]).run();
        let install = ["install", "-q", "-y", "--no-install-recommends", "redis-server"];
        program("apt-get", install).env("DEBIAN_FRONTEND", "noninteractive").run()?;
        if is_there() {
            return Ok(());
        }
    }
    Err("no Redis: neither `redis-server` nor `valkey-server` is on PATH, and the tests start one of \
         their own.\nInstall one:\n  \
         Debian, Ubuntu  apt-get install redis-server\n  \
         Fedora          dnf install valkey\n  \
         Alpine          apk add redis\n  \
         macOS           brew install redis"
        .to_owned())
}

fn is_there() -> bool {
    ["redis-server", "valkey-server"].iter().any(|name| program(name, ["--version"]).works())
}
