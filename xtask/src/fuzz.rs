//! `cargo xtask fuzz SECONDS`: each target of `tests/fuzz` for so long.

use std::fs;

use crate::command::{cargo, program};
use crate::{Outcome, read};

const FOLDER: &str = "tests/fuzz";
const MANIFEST: &str = "tests/fuzz/Cargo.toml";

/// What is found new is kept here, not among the seeds, which stay small.
const FOUND: &str = "tests/fuzz/target/corpus";

pub(crate) fn run(seconds: u32) -> Outcome {
    require()?;
    let failed: Vec<String> =
        targets()?.iter().filter_map(|target| fuzz(target, seconds).err()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\nWhat broke it is in {FOLDER}/artifacts: make it smaller with `cargo +nightly fuzz tmin`, and \
         keep it as a named test beside the code.",
        failed.join("\n")
    ))
}

/// Words that a target's input is made of.
fn dictionary(target: &str) -> Option<&'static str> {
    Some(match target {
        "simple_template" | "jinja_template" => "templates",
        "prompt_file" | "foreign_prompt" => "prompts",
        "query_string" | "cursor" | "signature" => "requests",
        "error_body" | "retry_after" => "answers",
        _ => return None,
    })
}

fn fuzz(target: &str, seconds: u32) -> Outcome {
    let found = format!("{FOUND}/{target}");
    fs::create_dir_all(&found).map_err(|error| format!("cannot make {found}: {error}"))?;
    let run = format!(
        "+nightly fuzz run --fuzz-dir {FOLDER} {target} {found} {FOLDER}/corpus/{target} --"
    );
    let limits =
        format!("-max_total_time={seconds} -timeout=10 -rss_limit_mb=2048 -print_final_stats=1");
    let words = dictionary(target).map(|name| format!("-dict={FOLDER}/dictionaries/{name}.dict"));
    cargo(&format!("{run} {limits}")).arguments(words).run()
}

/// The names of the targets, as their manifest has them.
fn targets() -> Result<Vec<String>, String> {
    Ok(named(&read(MANIFEST)?))
}

fn named(manifest: &str) -> Vec<String> {
    let names = manifest.split("[[bin]]\nname = \"").skip(1);
    names.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned()).collect()
}

fn require() -> Outcome {
    if !program("rustc", ["+nightly", "--version"]).works() {
        return Err("fuzzing needs a nightly compiler: rustup toolchain install nightly".to_owned());
    }
    if !cargo("fuzz --version").works() {
        return Err("cargo-fuzz is not there: cargo install --locked cargo-fuzz".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FOLDER, MANIFEST, dictionary, named};
    use crate::read;

    #[test]
    fn the_manifest_names_the_targets() {
        let manifest = "[package]\nname = \"fuzz\"\n\n[[bin]]\nname = \"cursor\"\npath = \"c.rs\"\n\n\
                        [[bin]]\nname = \"signature\"\n";
        assert_eq!(named(manifest), ["cursor", "signature"]);
    }

    #[test]
    fn dictionaries_are_there() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let targets = named(&read(format!("{root}/{MANIFEST}")).unwrap());
        let dictionaries: Vec<_> = targets.iter().filter_map(|name| dictionary(name)).collect();
        assert_eq!(dictionaries.len(), targets.len() - 1, "all but `cache_value`");
        for name in dictionaries {
            assert!(read(format!("{root}/{FOLDER}/dictionaries/{name}.dict")).is_ok(), "{name}");
        }
    }
}
