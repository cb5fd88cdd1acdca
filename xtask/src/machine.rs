//! Where and with what something was measured, in one line that stands beside the figures.

use std::fs;

use crate::command::program;
use crate::read;

/// Day, cores, processor, system and compiler.
pub(crate) fn line() -> Result<String, String> {
    let day = answer("date", &["-u", "+%-d %B %Y"])?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let system = answer("uname", &["-sm"])?;
    let release = answer("uname", &["-r"])?;
    // Only what the kernel's own numbers are: the rest names a builder.
    let release = release.split('-').next().unwrap_or_default();
    let compiler = answer("rustc", &["--version"])?;
    let compiler = compiler.split(" (").next().unwrap_or_default();
    Ok(format!("{day}, {cores} cores{}, {system} {release}, {compiler}", processor()))
}

/// Versions of packages, as `Cargo.lock` has them.
pub(crate) fn versions(packages: &[&str]) -> Result<String, String> {
    let lock = read("Cargo.lock")?;
    let versions: Result<Vec<_>, _> = packages.iter().map(|name| version(&lock, name)).collect();
    Ok(versions?.join(", "))
}

fn version(lock: &str, package: &str) -> Result<String, String> {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let after = lock.split(&entry).nth(1);
    let version = after.and_then(|after| after.split('"').next());
    version
        .map(|version| format!("{package} {version}"))
        .ok_or_else(|| format!("Cargo.lock has no {package}"))
}

/// The processor's name, with a comma before it; nothing where the system does not tell.
fn processor() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    name.map(|name| format!(" ({})", name.trim())).unwrap_or_default()
}

fn answer(name: &str, arguments: &[&str]) -> Result<String, String> {
    Ok(program(name, arguments.iter().copied()).quiet_output()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_found_by_its_whole_name() {
        let lock = "[[package]]\nname = \"lru-slab\"\nversion = \"0.1.2\"\n\n\
                    [[package]]\nname = \"lru\"\nversion = \"0.19.1\"\n";
        assert_eq!(version(lock, "lru").unwrap(), "lru 0.19.1");
        assert!(version(lock, "moka").unwrap_err().contains("moka"));
    }
}
