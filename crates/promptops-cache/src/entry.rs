use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;

/// A decoded value of whatever type.
type Value = Arc<dyn Any + Send + Sync>;

/// What a registry answered, kept. A clone shares it, and what was decoded of it.
#[derive(Clone)]
pub struct Entry(Arc<Inner>);

struct Inner {
    kind: EntryKind,
    body: Bytes,
    value: OnceLock<Value>,
    weight: usize,
    etag: Option<String>,
    names: Option<Names>,
    cost: Duration,
}

/// What kind of answer an entry is, and so how long it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// Something that may change: the latest version, what a label points at, a list.
    Moving,
    /// A version that is frozen: it never changes.
    Frozen,
    /// That there is no such thing.
    Missing,
}

/// What a prompt is called, whatever it was asked for by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Its UUID.
    pub id: String,
    /// Its slug.
    pub slug: String,
    /// The version of the entry.
    pub version: String,
}

impl Entry {
    /// An answer as it came: `body` is what [`value`](Self::value) decodes.
    pub fn new(kind: EntryKind, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let weight = body.len();
        Self(Arc::new(Inner {
            kind,
            body,
            value: OnceLock::new(),
            weight,
            etag: None,
            names: None,
            cost: Duration::ZERO,
        }))
    }

    /// An answer that is decoded already, and holds `weight` bytes. It has no body: it is for caches
    /// in this process.
    pub fn decoded<T: Send + Sync + 'static>(
        kind: EntryKind,
        value: Arc<T>,
        weight: usize,
    ) -> Self {
        let decoded: Value = value;
        let mut entry = Self::new(kind, Bytes::new());
        entry.change(|inner| {
            inner.value = OnceLock::from(decoded);
            inner.weight = weight;
        });
        entry
    }

    fn change(&mut self, change: impl FnOnce(&mut Inner)) {
        // An entry in the making is not shared yet.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            change(inner);
        }
    }

    /// Adds the state of the thing that the registry gave. Before the entry is cloned.
    pub fn with_etag(mut self, etag: Option<String>) -> Self {
        self.change(|inner| inner.etag = etag);
        self
    }

    /// Adds what the prompt is called. Before the entry is cloned.
    pub fn with_names(mut self, names: Option<Names>) -> Self {
        self.change(|inner| inner.names = names);
        self
    }

    /// Adds how long it took to fetch. Before the entry is cloned.
    pub fn with_cost(mut self, cost: Duration) -> Self {
        self.change(|inner| inner.cost = cost);
        self
    }

    /// What kind of answer it is.
    pub fn kind(&self) -> EntryKind {
        self.0.kind
    }

    /// The answer as it came; empty where it was decoded already.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// The bytes it holds.
    pub fn weight(&self) -> usize {
        self.0.weight
    }

    /// The state of the thing, for a conditional request.
    pub fn etag(&self) -> Option<&str> {
        self.0.etag.as_deref()
    }

    /// What the prompt is called.
    pub fn names(&self) -> Option<&Names> {
        self.0.names.as_ref()
    }

    /// How long it took to fetch.
    pub fn cost(&self) -> Duration {
        self.0.cost
    }

    /// The decoded value, if it is of this type; decoded once, whoever asks.
    ///
    /// # Errors
    /// What `decode` gives.
    pub fn value<T: Send + Sync + 'static, E>(
        &self,
        decode: impl FnOnce(&Bytes) -> Result<T, E>,
    ) -> Result<Option<Arc<T>>, E> {
        if let Some(value) = self.0.value.get() {
            return Ok(Arc::clone(value).downcast().ok());
        }
        let decoded: Value = Arc::new(decode(&self.0.body)?);
        Ok(Arc::clone(self.0.value.get_or_init(|| decoded)).downcast().ok())
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Prompts are not printed.
        f.debug_struct("Entry")
            .field("kind", &self.0.kind)
            .field("weight", &self.0.weight)
            .field("etag", &self.0.etag)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_decoded_once_and_shared() {
        let entry = Entry::new(EntryKind::Moving, "7").with_etag(Some("e".to_owned()));
        let shared = entry.clone();
        let decode = |body: &Bytes| std::str::from_utf8(body).unwrap().parse::<u32>();
        let first = entry.value(decode).unwrap().unwrap();
        let never = |_: &Bytes| -> Result<u32, ()> { panic!("decoded twice") };
        assert!(Arc::ptr_eq(&first, &shared.value(never).unwrap().unwrap()));
        assert_eq!(entry.value(|_| Ok::<String, ()>(String::new())).unwrap(), None, "another type");
        assert_eq!((entry.etag(), entry.weight()), (Some("e"), 1));
    }

    #[test]
    fn a_body_that_cannot_be_decoded_says_so_each_time() {
        let entry = Entry::new(EntryKind::Moving, "x");
        let decode = |body: &Bytes| std::str::from_utf8(body).unwrap().parse::<u32>();
        assert!(entry.value(decode).is_err());
        assert!(entry.value(decode).is_err());
    }
}
