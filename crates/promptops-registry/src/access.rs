use std::collections::BTreeSet;

/// Who asks, and which projects they may see. Every registry operation takes one, so no query can
/// forget it. A prompt in another project is answered exactly as one that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    actor: String,
    /// `None` means every project.
    projects: Option<BTreeSet<String>>,
}

impl Access {
    /// Access to every project, as an embedded registry's own process has.
    pub fn full(actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), projects: None }
    }

    /// Access to some projects.
    pub fn projects<P: Into<String>>(
        actor: impl Into<String>,
        projects: impl IntoIterator<Item = P>,
    ) -> Self {
        Self { actor: actor.into(), projects: Some(projects.into_iter().map(Into::into).collect()) }
    }

    /// The name written into the audit trail.
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// Whether a project may be seen.
    pub fn allows(&self, project: &str) -> bool {
        self.projects.as_ref().is_none_or(|allowed| allowed.contains(project))
    }

    /// Those of the `wanted` projects that may be seen. `None` means every project.
    pub(crate) fn narrow(&self, wanted: Option<Vec<String>>) -> Option<Vec<String>> {
        match (wanted, &self.projects) {
            (Some(wanted), _) => {
                Some(wanted.into_iter().filter(|project| self.allows(project)).collect())
            }
            (None, Some(allowed)) => Some(allowed.iter().cloned().collect()),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_never_widens_beyond_what_is_allowed() {
        let some = Access::projects("key", ["a", "b"]);
        assert_eq!(some.narrow(None), Some(vec!["a".to_owned(), "b".to_owned()]));
        let wanted = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(some.narrow(wanted(&["a", "c"])), wanted(&["a"]));
        assert_eq!(some.narrow(wanted(&["c"])), wanted(&[]));
        assert_eq!(Access::full("me").narrow(wanted(&["c"])), wanted(&["c"]));
        assert_eq!(Access::full("me").narrow(None), None);
    }
}
