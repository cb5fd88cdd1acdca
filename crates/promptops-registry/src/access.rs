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

    /// The projects a list may show: those allowed, or `wanted` alone if it is allowed. `None`
    /// means every project.
    pub(crate) fn narrow(&self, wanted: Option<&str>) -> Option<Vec<String>> {
        match (wanted, &self.projects) {
            (Some(project), _) if self.allows(project) => Some(vec![project.to_owned()]),
            (Some(_), _) => Some(Vec::new()),
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
        assert_eq!(some.narrow(Some("a")), Some(vec!["a".to_owned()]));
        assert_eq!(some.narrow(Some("c")), Some(vec![]));
        assert_eq!(Access::full("me").narrow(None), None);
    }
}
