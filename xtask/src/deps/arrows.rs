//! The arrows between our own crates.

use serde_json::Value;
use std::path::Path;

/// One crate, the crates of ours it may use outside its tests, and what must never live in it.
struct Crate {
    name: &'static str,
    may_use: &'static [&'static str],
    never: &'static str,
}

const CRATES: &[Crate] = &[
    Crate {
        name: "promptops-types",
        may_use: &[],
        never: "it is what all others stand on: no I/O, no async runtime, no http",
    },
    Crate {
        name: "promptops-template",
        may_use: &["promptops-types"],
        never: "it renders and does no I/O",
    },
    Crate {
        name: "promptops-files",
        may_use: &["promptops-types", "promptops-template"],
        never: "it turns texts into prompts and back, and does no I/O",
    },
    Crate {
        name: "promptops-transport",
        may_use: &["promptops-types"],
        never: "it knows neither cache nor telemetry; bridges between them live in \
                promptops-client",
    },
    Crate {
        name: "promptops-cache",
        may_use: &["promptops-types"],
        never: "it knows neither transport nor telemetry; bridges between them live in \
                promptops-client",
    },
    Crate {
        name: "promptops-telemetry",
        may_use: &["promptops-types"],
        never: "it knows neither transport nor cache; bridges between them live in \
                promptops-client",
    },
    Crate {
        name: "promptops-registry",
        may_use: &["promptops-types", "promptops-template"],
        never: "it stores prompts and knows no HTTP",
    },
    Crate {
        name: "promptops-server",
        may_use: &["promptops-types", "promptops-template", "promptops-registry"],
        never: "it is HTTP over a registry and knows nothing of clients",
    },
    Crate {
        name: "promptops-client",
        may_use: &[
            "promptops-types",
            "promptops-template",
            "promptops-transport",
            "promptops-cache",
            "promptops-telemetry",
            "promptops-server",
        ],
        never: "it reaches a registry through the REST contract only, embedded or not",
    },
    Crate {
        name: "promptops-cli",
        may_use: &[
            "promptops-types",
            "promptops-template",
            "promptops-files",
            "promptops-registry",
            "promptops-server",
            "promptops-client",
        ],
        never: "it has no logic that a library user would want",
    },
    Crate {
        name: "promptops-python",
        may_use: &["promptops-types", "promptops-client", "promptops-cli"],
        never: "it converts and calls, and has no logic of its own",
    },
];

/// A crate under `crates/`, as cargo sees it.
#[derive(Debug, PartialEq)]
pub(super) struct Member {
    pub(super) name: String,
    /// The members of this workspace it uses, test-only ones left out.
    uses: Vec<String>,
}

/// The crates under `crates/`, from `cargo metadata --no-deps`.
pub(super) fn members(metadata: &Value) -> Result<Vec<Member>, String> {
    let unreadable = || "cargo metadata has changed its format; see deps/arrows.rs".to_owned();
    let packages = metadata["packages"].as_array().ok_or_else(unreadable)?;
    let root = metadata["workspace_root"].as_str().ok_or_else(unreadable)?;
    let crates = Path::new(root).join("crates");
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut members = Vec::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().ok_or_else(unreadable)?;
        if !Path::new(manifest).starts_with(&crates) {
            continue;
        }
        let name = package["name"].as_str().ok_or_else(unreadable)?;
        let uses = package["dependencies"]
            .as_array()
            .ok_or_else(unreadable)?
            .iter()
            .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|used| ours.contains(used))
            .map(str::to_owned)
            .collect();
        members.push(Member { name: name.to_owned(), uses });
    }
    Ok(members)
}

/// One message for every arrow that the table does not allow, and every crate it does not know.
pub(super) fn check(members: &[Member]) -> Vec<String> {
    let mut failures = Vec::new();
    for Member { name, uses } in members {
        let Some(known) = CRATES.iter().find(|known| known.name == name) else {
            failures.push(format!(
                "{name}: not in the table. Add it to CRATES in xtask/src/deps/arrows.rs, with the \
                 crates it may use and what must never live in it."
            ));
            continue;
        };
        for used in uses.iter().filter(|used| !known.may_use.contains(&used.as_str())) {
            failures.push(format!(
                "{name} -> {used}: not allowed, because {never}. Move the code that needs it to a \
                 crate that may use both, or make it a dev-dependency if only tests need it.",
                never = known.never
            ));
        }
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::{Member, check, members};
    use serde_json::{Value, json};

    fn package(name: &str, folder: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> = dependencies
            .iter()
            .map(|(name, kind)| json!({"name": name, "kind": kind, "optional": false}))
            .collect();
        json!({
            "name": name,
            "manifest_path": format!("/code/{folder}/Cargo.toml"),
            "dependencies": dependencies,
        })
    }

    fn failures(packages: &[Value]) -> Vec<String> {
        check(&members(&json!({"packages": packages, "workspace_root": "/code"})).unwrap())
    }

    #[test]
    fn allowed_arrows_and_packages_of_others_pass() {
        let found = failures(&[
            package("promptops-types", "crates/promptops-types", &[("serde", None)]),
            package(
                "promptops-template",
                "crates/promptops-template",
                &[("promptops-types", None)],
            ),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_arrow_is_named_with_the_reason_and_the_remedy() {
        let found = failures(&[
            package("promptops-transport", "crates/promptops-transport", &[]),
            package("promptops-cache", "crates/promptops-cache", &[("promptops-transport", None)]),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("promptops-cache -> promptops-transport"), "{}", found[0]);
        assert!(found[0].contains("knows neither transport nor telemetry"), "{}", found[0]);
        assert!(found[0].contains("dev-dependency"), "{}", found[0]);
    }

    #[test]
    fn build_dependencies_count_and_dev_dependencies_do_not() {
        let types = || package("promptops-types", "crates/promptops-types", &[]);
        let with = |kind| {
            package("promptops-types", "crates/promptops-types", &[("promptops-template", kind)])
        };
        let template = package("promptops-template", "crates/promptops-template", &[]);
        assert_eq!(failures(&[types(), template.clone()]).len(), 0);
        assert_eq!(failures(&[with(Some("dev")), template.clone()]).len(), 0);
        assert_eq!(failures(&[with(Some("build")), template]).len(), 1);
    }

    #[test]
    fn an_arrow_to_a_member_outside_crates_is_an_arrow() {
        let found = failures(&[
            package("promptops-types", "crates/promptops-types", &[("xtask", None)]),
            package("xtask", "xtask", &[("promptops-types", None)]),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("promptops-types -> xtask"), "{}", found[0]);
    }

    #[test]
    fn an_unknown_crate_says_where_the_table_is() {
        let found = failures(&[package("promptops-new", "crates/promptops-new", &[])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("CRATES in xtask/src/deps/arrows.rs"), "{}", found[0]);
    }

    #[test]
    fn members_outside_crates_are_not_checked() {
        let metadata = json!({
            "packages": [package("examples", "examples", &[("promptops-client", None)])],
            "workspace_root": "/code",
        });
        assert_eq!(members(&metadata).unwrap(), Vec::<Member>::new());
    }

    #[test]
    fn metadata_of_another_format_is_an_error() {
        assert!(members(&json!({})).is_err());
    }
}
