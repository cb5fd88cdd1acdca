use std::collections::BTreeSet;

use promptops_types::Timestamp;

use crate::{ApiKey, RateLimits, Receipt, RegistryError, Scope};

/// Who asks, what for, and which projects they may see. Every registry operation takes one, so no query
/// can forget it. A prompt in another project is answered exactly as one that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    actor: String,
    /// `None` means every project.
    projects: Option<BTreeSet<String>>,
    scopes: BTreeSet<Scope>,
    limits: RateLimits,
    expires_at: Option<Timestamp>,
    receipt: Option<Receipt>,
}

impl Access {
    /// Access to every project, as an embedded registry's own process has.
    pub fn full(actor: impl Into<String>) -> Self {
        Self {
            actor: actor.into(),
            projects: None,
            scopes: Scope::ALL.into(),
            limits: RateLimits::default(),
            expires_at: None,
            receipt: None,
        }
    }

    /// What a key allows.
    pub fn of_key(key: &ApiKey) -> Self {
        Self {
            actor: format!("key {} ({})", key.id, key.name),
            projects: key.projects.clone(),
            scopes: key.scopes.clone(),
            limits: key.limits,
            expires_at: key.expires_at,
            receipt: None,
        }
    }

    /// Access to some projects.
    pub fn projects<P: Into<String>>(
        actor: impl Into<String>,
        projects: impl IntoIterator<Item = P>,
    ) -> Self {
        let projects = Some(projects.into_iter().map(Into::into).collect());
        Self { projects, ..Self::full(actor) }
    }

    /// The same, for some scopes only.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes = scopes.into_iter().collect();
        self
    }

    /// The same, for one write that may be sent again: what it does is kept with the receipt.
    pub fn with_receipt(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }

    pub(crate) fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_ref()
    }

    /// Whether it has a scope. Who may write may read, too.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
            || (scope == Scope::Read && self.scopes.contains(&Scope::Write))
    }

    /// Refuses what needs another scope.
    ///
    /// # Errors
    /// [`RegistryError::ScopeMissing`].
    pub fn require(&self, scope: Scope) -> Result<(), RegistryError> {
        if self.has(scope) { Ok(()) } else { Err(RegistryError::ScopeMissing { scope }) }
    }

    pub(crate) fn limits(&self) -> RateLimits {
        self.limits
    }

    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    pub(crate) fn allowed_projects(&self) -> Option<&BTreeSet<String>> {
        self.projects.as_ref()
    }

    /// Whether it may see all of these projects.
    pub(crate) fn covers_projects(&self, projects: Option<&BTreeSet<String>>) -> bool {
        match (&self.projects, projects) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(projects)) => projects.is_subset(own),
        }
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
