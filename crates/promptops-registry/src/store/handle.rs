use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use promptops_types::{AuditEntry, Label, Timestamp, Version};
use tokio::sync::watch;

use super::{
    Applied, AuditQuery, Decide, ListPage, ListQuery, Located, Module, NamedPrompt, Pick, Project,
    Receipted, Record, Records, Reference, Store, StoreError, StoredVersion, Target,
};
use crate::store::Each;
use crate::usage::{TopPrompt, UsageBatch, UsageQuery, UsageRow};
use crate::{ApiKey, KeyHash, RegistryError};

type Boxed<'a, T, E = StoreError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// The object-safe form of [`Store`].
trait DynStore: std::fmt::Debug + Send + Sync {
    fn find<'a>(&'a self, reference: &'a Reference, pick: &'a Pick) -> Boxed<'a, Located>;
    fn numbers<'a>(&'a self, prompt_id: &'a str, limit: u64) -> Boxed<'a, Vec<Version>>;
    fn versions<'a>(
        &'a self,
        prompt_id: &'a str,
        before: Option<u64>,
        limit: u64,
    ) -> Boxed<'a, Vec<(u64, StoredVersion)>>;
    fn labels<'a>(&'a self, prompt_id: &'a str) -> Boxed<'a, Vec<Label>>;
    fn list<'a>(&'a self, query: &'a ListQuery) -> Boxed<'a, ListPage>;
    fn similar<'a>(
        &'a self,
        projects: Option<&'a [String]>,
        text: &'a str,
        limit: u64,
    ) -> Boxed<'a, Vec<NamedPrompt>>;
    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Boxed<'a, Vec<AuditEntry>>;
    fn projects(&self) -> Boxed<'_, Vec<Project>>;
    fn modules<'a>(&'a self, project: &'a str) -> Boxed<'a, Vec<Module>>;
    fn change(&self, target: Target, decide: Decide) -> Boxed<'_, Applied, RegistryError>;
    fn key<'a>(&'a self, hash: &'a KeyHash) -> Boxed<'a, Option<ApiKey>>;
    fn watch(&self) -> watch::Receiver<u64>;
    fn key_by_id<'a>(&'a self, id: &'a str) -> Boxed<'a, Option<ApiKey>>;
    fn keys<'a>(
        &'a self,
        after: Option<(Timestamp, &'a str)>,
        limit: u64,
    ) -> Boxed<'a, Vec<ApiKey>>;
    fn add_key<'a>(&'a self, hash: &'a KeyHash, key: &'a ApiKey) -> Boxed<'a, ()>;
    fn revoke_key<'a>(&'a self, id: &'a str, at: Timestamp) -> Boxed<'a, ()>;
    fn use_once<'a>(
        &'a self,
        token: &'a [u8; 32],
        until: Timestamp,
        now: Timestamp,
    ) -> Boxed<'a, bool>;
    fn receipt<'a>(&'a self, id: &'a [u8; 32]) -> Boxed<'a, Option<Receipted>>;
    fn answered<'a>(
        &'a self,
        id: &'a [u8; 32],
        status: u16,
        etag: Option<&'a str>,
        answer: &'a [u8],
    ) -> Boxed<'a, ()>;
    fn log_usage<'a>(&'a self, batch: &'a UsageBatch) -> Boxed<'a, bool>;
    fn usage<'a>(&'a self, query: &'a UsageQuery, each: Each<'a, UsageRow>) -> Boxed<'a, ()>;
    fn top_prompts<'a>(&'a self, query: &'a UsageQuery, limit: u64) -> Boxed<'a, Vec<TopPrompt>>;
    fn forget_usage(&self, before: Timestamp) -> Boxed<'_, u64>;
    fn export<'a>(&'a self, each: Each<'a, Record>) -> Boxed<'a, ()>;
    fn import(&self, records: Records) -> Boxed<'_, u64>;
}

impl<S: Store> DynStore for S {
    fn find<'a>(&'a self, reference: &'a Reference, pick: &'a Pick) -> Boxed<'a, Located> {
        Box::pin(Store::find(self, reference, pick))
    }

    fn numbers<'a>(&'a self, prompt_id: &'a str, limit: u64) -> Boxed<'a, Vec<Version>> {
        Box::pin(Store::numbers(self, prompt_id, limit))
    }

    fn versions<'a>(
        &'a self,
        prompt_id: &'a str,
        before: Option<u64>,
        limit: u64,
    ) -> Boxed<'a, Vec<(u64, StoredVersion)>> {
        Box::pin(Store::versions(self, prompt_id, before, limit))
    }

    fn labels<'a>(&'a self, prompt_id: &'a str) -> Boxed<'a, Vec<Label>> {
        Box::pin(Store::labels(self, prompt_id))
    }

    fn list<'a>(&'a self, query: &'a ListQuery) -> Boxed<'a, ListPage> {
        Box::pin(Store::list(self, query))
    }

    fn similar<'a>(
        &'a self,
        projects: Option<&'a [String]>,
        text: &'a str,
        limit: u64,
    ) -> Boxed<'a, Vec<NamedPrompt>> {
        Box::pin(Store::similar(self, projects, text, limit))
    }

    fn audit<'a>(&'a self, query: &'a AuditQuery) -> Boxed<'a, Vec<AuditEntry>> {
        Box::pin(Store::audit(self, query))
    }

    fn projects(&self) -> Boxed<'_, Vec<Project>> {
        Box::pin(Store::projects(self))
    }

    fn modules<'a>(&'a self, project: &'a str) -> Boxed<'a, Vec<Module>> {
        Box::pin(Store::modules(self, project))
    }

    fn change(&self, target: Target, decide: Decide) -> Boxed<'_, Applied, RegistryError> {
        Box::pin(Store::change(self, target, decide))
    }

    fn key<'a>(&'a self, hash: &'a KeyHash) -> Boxed<'a, Option<ApiKey>> {
        Box::pin(Store::key(self, hash))
    }

    fn watch(&self) -> watch::Receiver<u64> {
        Store::watch(self)
    }

    fn key_by_id<'a>(&'a self, id: &'a str) -> Boxed<'a, Option<ApiKey>> {
        Box::pin(Store::key_by_id(self, id))
    }

    fn keys<'a>(
        &'a self,
        after: Option<(Timestamp, &'a str)>,
        limit: u64,
    ) -> Boxed<'a, Vec<ApiKey>> {
        Box::pin(Store::keys(self, after, limit))
    }

    fn add_key<'a>(&'a self, hash: &'a KeyHash, key: &'a ApiKey) -> Boxed<'a, ()> {
        Box::pin(Store::add_key(self, hash, key))
    }

    fn revoke_key<'a>(&'a self, id: &'a str, at: Timestamp) -> Boxed<'a, ()> {
        Box::pin(Store::revoke_key(self, id, at))
    }

    fn use_once<'a>(
        &'a self,
        token: &'a [u8; 32],
        until: Timestamp,
        now: Timestamp,
    ) -> Boxed<'a, bool> {
        Box::pin(Store::use_once(self, token, until, now))
    }

    fn receipt<'a>(&'a self, id: &'a [u8; 32]) -> Boxed<'a, Option<Receipted>> {
        Box::pin(Store::receipt(self, id))
    }

    fn answered<'a>(
        &'a self,
        id: &'a [u8; 32],
        status: u16,
        etag: Option<&'a str>,
        answer: &'a [u8],
    ) -> Boxed<'a, ()> {
        Box::pin(Store::answered(self, id, status, etag, answer))
    }

    fn log_usage<'a>(&'a self, batch: &'a UsageBatch) -> Boxed<'a, bool> {
        Box::pin(Store::log_usage(self, batch))
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery, each: Each<'a, UsageRow>) -> Boxed<'a, ()> {
        Box::pin(Store::usage(self, query, each))
    }

    fn top_prompts<'a>(&'a self, query: &'a UsageQuery, limit: u64) -> Boxed<'a, Vec<TopPrompt>> {
        Box::pin(Store::top_prompts(self, query, limit))
    }

    fn forget_usage(&self, before: Timestamp) -> Boxed<'_, u64> {
        Box::pin(Store::forget_usage(self, before))
    }

    fn export<'a>(&'a self, each: Each<'a, Record>) -> Boxed<'a, ()> {
        Box::pin(Store::export(self, each))
    }

    fn import(&self, records: Records) -> Boxed<'_, u64> {
        Box::pin(Store::import(self, records))
    }
}

/// Any store behind one type; a clone shares it.
#[derive(Debug, Clone)]
pub struct SharedStore(Arc<dyn DynStore>);

impl SharedStore {
    /// Wraps a store.
    pub fn new(store: impl Store) -> Self {
        Self(Arc::new(store))
    }
}

impl Store for SharedStore {
    async fn find(&self, reference: &Reference, pick: &Pick) -> Result<Located, StoreError> {
        self.0.find(reference, pick).await
    }

    async fn numbers(&self, prompt_id: &str, limit: u64) -> Result<Vec<Version>, StoreError> {
        self.0.numbers(prompt_id, limit).await
    }

    async fn versions(
        &self,
        prompt_id: &str,
        before: Option<u64>,
        limit: u64,
    ) -> Result<Vec<(u64, StoredVersion)>, StoreError> {
        self.0.versions(prompt_id, before, limit).await
    }

    async fn labels(&self, prompt_id: &str) -> Result<Vec<Label>, StoreError> {
        self.0.labels(prompt_id).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.0.list(query).await
    }

    async fn similar(
        &self,
        projects: Option<&[String]>,
        text: &str,
        limit: u64,
    ) -> Result<Vec<NamedPrompt>, StoreError> {
        self.0.similar(projects, text, limit).await
    }

    async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        self.0.audit(query).await
    }

    async fn projects(&self) -> Result<Vec<Project>, StoreError> {
        self.0.projects().await
    }

    async fn modules(&self, project: &str) -> Result<Vec<Module>, StoreError> {
        self.0.modules(project).await
    }

    async fn change(&self, target: Target, decide: Decide) -> Result<Applied, RegistryError> {
        self.0.change(target, decide).await
    }

    async fn key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, StoreError> {
        self.0.key(hash).await
    }

    fn watch(&self) -> watch::Receiver<u64> {
        self.0.watch()
    }

    async fn key_by_id(&self, id: &str) -> Result<Option<ApiKey>, StoreError> {
        self.0.key_by_id(id).await
    }

    async fn keys(
        &self,
        after: Option<(Timestamp, &str)>,
        limit: u64,
    ) -> Result<Vec<ApiKey>, StoreError> {
        self.0.keys(after, limit).await
    }

    async fn add_key(&self, hash: &KeyHash, key: &ApiKey) -> Result<(), StoreError> {
        self.0.add_key(hash, key).await
    }

    async fn revoke_key(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        self.0.revoke_key(id, at).await
    }

    async fn use_once(
        &self,
        token: &[u8; 32],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.0.use_once(token, until, now).await
    }

    async fn receipt(&self, id: &[u8; 32]) -> Result<Option<Receipted>, StoreError> {
        self.0.receipt(id).await
    }

    async fn answered(
        &self,
        id: &[u8; 32],
        status: u16,
        etag: Option<&str>,
        answer: &[u8],
    ) -> Result<(), StoreError> {
        self.0.answered(id, status, etag, answer).await
    }

    async fn log_usage(&self, batch: &UsageBatch) -> Result<bool, StoreError> {
        self.0.log_usage(batch).await
    }

    async fn usage(&self, query: &UsageQuery, each: Each<'_, UsageRow>) -> Result<(), StoreError> {
        self.0.usage(query, each).await
    }

    async fn top_prompts(
        &self,
        query: &UsageQuery,
        limit: u64,
    ) -> Result<Vec<TopPrompt>, StoreError> {
        self.0.top_prompts(query, limit).await
    }

    async fn forget_usage(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.0.forget_usage(before).await
    }

    async fn export(&self, each: Each<'_, Record>) -> Result<(), StoreError> {
        self.0.export(each).await
    }

    async fn import(&self, records: Records) -> Result<u64, StoreError> {
        self.0.import(records).await
    }
}
