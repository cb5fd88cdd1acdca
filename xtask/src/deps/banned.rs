//! The packages that a crate stays free of when its default features are off.

/// A crate and the packages that must not be in its tree.
pub(super) struct Rule {
    pub(super) package: &'static str,
    without: &'static [&'static str],
    why: &'static str,
    instead: &'static str,
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        package: "promptops-types",
        without: &["tokio", "hyper", "axum", "http"],
        why: "data models do no I/O and pick no runtime",
        instead: "move the code that needs it to the crate that does the I/O",
    },
    Rule {
        package: "promptops-template",
        without: &["minijinja", "tokio"],
        why: "plain templates render with no engine and no runtime",
        instead: "put it behind the feature for that format",
    },
    Rule {
        package: "promptops-transport",
        without: &["hyper", "hyper-util", "rustls", "reqwest"],
        why: "whoever brings a transport of their own builds no HTTP stack of ours",
        instead: "make it optional, behind the feature of the transport that needs it",
    },
    Rule {
        package: "promptops-cache",
        without: &["lru", "redis", "deadpool-redis"],
        why: "whoever brings a cache of their own builds none of ours",
        instead: "make it optional, behind the feature of the backend that needs it",
    },
    Rule {
        package: "promptops-telemetry",
        without: &["opentelemetry", "opentelemetry_sdk"],
        why: "whoever brings a sink of their own builds no OpenTelemetry",
        instead: "make it optional, behind the feature of the adapter that needs it",
    },
    Rule {
        package: "promptops-client",
        without: &["axum", "rusqlite", "hyper"],
        why: "a client that only talks to a server holds no server and no database",
        instead: "make it optional, behind `embedded` or the feature of the transport",
    },
];

impl Rule {
    pub(super) fn tree_line(&self) -> String {
        format!("tree -p {} --no-default-features -e normal --prefix none", self.package)
    }

    /// One message for every banned package in what `cargo tree --prefix none` wrote.
    pub(super) fn check(&self, tree: &str) -> Vec<String> {
        let names: Vec<&str> =
            tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        self.without
            .iter()
            .filter(|banned| names.contains(banned))
            .map(|banned| {
                format!(
                    "{package} -> {banned}: not allowed with --no-default-features, because {why}. \
                     To fix it, {instead}. Who brings it: cargo tree -p {package} \
                     --no-default-features -e normal -i {banned}",
                    package = self.package,
                    why = self.why,
                    instead = self.instead
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn a_banned_package_deep_in_the_tree_is_found_by_its_whole_name() {
        let rule = RULES.iter().find(|rule| rule.package == "promptops-types").unwrap();
        let clean = "promptops-types v0.1.0 (/code/crates/promptops-types)\nhttpdate v1.0.3\n";
        assert_eq!(rule.check(clean), Vec::<String>::new());
        let found = rule.check(&format!("{clean}http v1.5.0\nhttp v1.5.0 (*)\n"));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("promptops-types -> http:"), "{}", found[0]);
        assert!(found[0].contains("-i http"), "{}", found[0]);
    }
}
