//! What a tenant does, and what it takes for wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use promptops_client::{Error, NewPrompt, PromptOpsClient, PromptResponse, PromptUpdate, vars};
use promptops_transport::TokioClock;
use promptops_types::TimeSource;

use super::TENANTS;
use crate::faults::since;

/// Prompts that a tenant has at a time, and versions until one is deleted.
const PROMPTS: usize = 6;
const VERSIONS: usize = 25;

/// What each tenant has under the same slug.
const SHARED: &str = "shared";

/// A cache serves nothing older than this: the ttl and the longest that stale entries are served, and
/// some more for a machine that is slow.
const STALE: Duration = Duration::from_secs(40);

/// A write that failed is over by now: as long as a call may take at most.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// What is counted by all.
#[derive(Default)]
pub(super) struct Tally {
    /// Whether the network is bad now.
    pub(super) is_rough: AtomicBool,
    pub(super) ends: AtomicBool,
    pub(super) calls: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) wrong: AtomicU64,
}

impl Tally {
    pub(super) fn has_ended(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    /// Counts a call, and one that should not have been answered so.
    #[track_caller]
    fn check<T>(&self, answer: Result<T, Error>, is_right: impl FnOnce(&T) -> bool) -> Option<T> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match answer {
            Ok(answer) => {
                if !is_right(&answer) {
                    self.is_wrong("an answer");
                }
                Some(answer)
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::SeqCst);
                // A registry that is there never says so to these callers.
                if matches!(error.status(), Some(400 | 401 | 403 | 422)) {
                    self.is_wrong(&error.to_string());
                }
                None
            }
        }
    }

    #[expect(clippy::print_stderr, reason = "what was wrong is what is looked for")]
    #[track_caller]
    fn is_wrong(&self, what: &str) {
        self.wrong.fetch_add(1, Ordering::SeqCst);
        eprintln!("wrong, line {}: {what}", std::panic::Location::caller().line());
    }
}

/// A prompt, as the tenant who alone writes it knows it.
struct Known {
    slug: String,
    /// Each text has a number; this is the last that was sent.
    sent: u64,
    /// Versions and their numbers that were acknowledged, or seen to be there.
    acknowledged: BTreeMap<String, u64>,
    /// The same by when that was, the last at the end.
    history: Vec<(Duration, String, u64)>,
    label: Option<String>,
    /// When a write last ended with nobody knowing what became of it.
    unsure_since: Option<Duration>,
}

impl Known {
    fn new(slug: String) -> Self {
        Self {
            slug,
            sent: 0,
            acknowledged: BTreeMap::new(),
            history: Vec::new(),
            label: None,
            unsure_since: None,
        }
    }

    fn is_there(&mut self, version: &str, number: u64) {
        self.acknowledged.insert(version.to_owned(), number);
        self.history.push((TokioClock.monotonic(), version.to_owned(), number));
    }

    fn last(&self) -> Option<(&str, u64)> {
        self.history.last().map(|(_, version, number)| (version.as_str(), *number))
    }

    /// The number that no cache may be behind any more.
    fn least(&self) -> Option<u64> {
        let old = |at: &Duration| since(*at) > STALE;
        self.history.iter().rev().find(|(at, ..)| old(at)).map(|(.., number)| *number)
    }

    /// Whether a write may still be on its way, or made without our knowing.
    fn is_unsure(&self) -> bool {
        self.unsure_since.is_some()
    }

    /// A write that failed; where nothing was sent, nothing can have come of it.
    fn has_failed(&mut self, error: &Error) {
        if error.attempts() > 0 {
            self.unsure_since = Some(TokioClock.monotonic());
        }
    }
}

/// A tenant with two clients of one key, one over the bad network, and what it has written.
pub(super) struct Tenant {
    pub(super) project: String,
    calm: PromptOpsClient,
    rough: PromptOpsClient,
    prompts: Vec<Known>,
    made: u64,
    chance: Rng,
    tally: Arc<Tally>,
}

impl Tenant {
    /// With a prompt of a slug that each of them has.
    pub(super) async fn new(
        project: String,
        [calm, rough]: [PromptOpsClient; 2],
        chance: Rng,
        tally: Arc<Tally>,
    ) -> Self {
        let new = NewPrompt::new(SHARED, format!("{project}'s own")).slug(SHARED);
        calm.create_prompt(new).await.unwrap();
        Self { project, calm, rough, prompts: Vec::new(), made: 0, chance, tally }
    }

    fn client(&self) -> PromptOpsClient {
        let is_rough = self.tally.is_rough.load(Ordering::SeqCst);
        if is_rough { self.rough.clone() } else { self.calm.clone() }
    }

    fn text(&self, slug: &str, number: u64) -> String {
        format!("{}/{slug}/{number}/ Hello {{{{ name }}}}", self.project)
    }

    /// The number of a text, if it is one of this prompt's.
    fn number(&self, slug: &str, text: &str) -> Option<u64> {
        let rest = text.strip_prefix(&format!("{}/{slug}/", self.project))?;
        rest.split('/').next()?.parse().ok()
    }

    fn is_of(&self, known: &Known, prompt: &PromptResponse) -> bool {
        let Some(number) = self.number(&known.slug, &prompt.content) else { return false };
        let acknowledged = known.acknowledged.get(&prompt.version);
        number <= known.sent && acknowledged.is_none_or(|sent| *sent == number)
    }

    pub(super) async fn run(mut self) -> Self {
        while !self.tally.has_ended() {
            if self.prompts.len() < PROMPTS {
                self.create().await;
                continue;
            }
            let at = self.chance.usize(..self.prompts.len());
            match self.chance.u32(..20) {
                0..8 => self.read(at).await,
                8..11 => self.publish(at).await,
                11 => self.move_label(at).await,
                12 => self.list().await,
                13 => self.many().await,
                14 => self.history(at).await,
                15 => self.of_another().await,
                16 => self.questions(at).await,
                _ => self.render(at).await,
            }
            if self.prompts[at].acknowledged.len() >= VERSIONS {
                self.delete(at).await;
            }
        }
        self
    }

    async fn create(&mut self) {
        self.made += 1;
        let slug = format!("s-{}", self.made);
        let new = NewPrompt::new(&slug, self.text(&slug, 0)).slug(&slug).tags(["soak"]);
        let made = self.client().create_prompt(new).await;
        // A slug whose outcome is not known is not used again.
        if let Some(prompt) = self.tally.check(made, |prompt| prompt.slug == slug) {
            let mut known = Known::new(slug);
            known.is_there(&prompt.version, 0);
            self.prompts.push(known);
        }
    }

    async fn read(&mut self, at: usize) {
        if self.chance.bool() {
            let known = &self.prompts[at];
            let least = known.least();
            let cached = self.client().get_prompt(&known.slug).await;
            self.tally.check(cached, |prompt| {
                let number = self.number(&known.slug, &prompt.content);
                self.is_of(known, prompt) && (known.is_unsure() || number >= least)
            });
            return;
        }
        self.read_fresh(at).await;
        let (client, known) = (self.client(), &self.prompts[at]);
        if let Some((version, number)) = known.acknowledged.iter().next() {
            let exact = client.get_prompt(&known.slug).version(version).await;
            self.tally
                .check(exact, |prompt| self.number(&known.slug, &prompt.content) == Some(*number));
        }
        if let Some(version) = &known.label
            && !known.is_unsure()
        {
            let labelled = client.get_prompt(&known.slug).version("production").use_cache(false);
            self.tally.check(labelled.await, |prompt| prompt.version == *version);
        }
    }

    /// Past the cache: never older than what was acknowledged. It also tells what became of a write that
    /// nobody knew of, once none can be on its way any more.
    async fn read_fresh(&mut self, at: usize) {
        let (client, known) = (self.client(), &self.prompts[at]);
        let is_over = known.unsure_since.is_some_and(|failed| since(failed) > ON_ITS_WAY);
        let last = known.last().map(|(_, number)| number);
        let fresh = client.get_prompt(&known.slug).use_cache(false).await;
        if fresh.as_ref().is_err_and(|error| error.status() == Some(404)) {
            self.tally.is_wrong(&format!("{} is gone", known.slug));
        }
        let found = self.tally.check(fresh, |prompt| {
            let number = self.number(&known.slug, &prompt.content);
            self.is_of(known, prompt) && (known.is_unsure() || number >= last)
        });
        let number = found.as_ref().and_then(|found| self.number(&known.slug, &found.content));
        if let (true, Some(found), Some(number)) = (is_over, found, number) {
            let known = &mut self.prompts[at];
            known.is_there(&found.version, number);
            known.unsure_since = None;
        }
    }

    async fn publish(&mut self, at: usize) {
        let (client, number) = (self.client(), self.prompts[at].sent + 1);
        self.prompts[at].sent = number;
        let slug = self.prompts[at].slug.clone();
        let update = PromptUpdate::new().content(self.text(&slug, number));
        let made = client.update_prompt(&slug, update).await;
        if let Err(error) = &made {
            self.prompts[at].has_failed(error);
        }
        let made =
            self.tally.check(made, |prompt| self.number(&slug, &prompt.content) == Some(number));
        if let Some(prompt) = made {
            self.prompts[at].is_there(&prompt.version, number);
        }
    }

    async fn move_label(&mut self, at: usize) {
        let (client, known) = (self.client(), &mut self.prompts[at]);
        let Some((version, _)) = known.last() else { return };
        let version = version.to_owned();
        let moved = client.set_label(&known.slug, "production", version.clone()).await;
        if let Err(error) = &moved {
            known.has_failed(error);
        }
        known.label = self.tally.check(moved, |_| true).map(|_| version);
    }

    async fn list(&mut self) {
        let page = self.client().list_prompts().query("s-").tags(["soak"]).limit(1000);
        self.tally.check(page.use_cache(false).await, |page| {
            let is_ours =
                |prompt: &Arc<PromptResponse>| self.number(&prompt.slug, &prompt.content).is_some();
            let is_listed = |known: &Known| page.iter().any(|found| found.slug == known.slug);
            page.iter().all(is_ours) && self.prompts.iter().all(is_listed)
        });
    }

    async fn many(&mut self) {
        let client = self.client();
        let slugs: Vec<&str> = self.prompts.iter().map(|known| known.slug.as_str()).collect();
        let found = client.get_prompts(slugs).await;
        self.tally.check(found, |found| {
            self.prompts.iter().all(|known| {
                let prompt = found.prompts.get(&known.slug);
                prompt.is_some_and(|prompt| self.is_of(known, prompt))
            })
        });
        if self.chance.u32(..10) == 0 {
            let _ = client.clear_cache().await;
        }
    }

    async fn history(&mut self, at: usize) {
        let (client, known) = (self.client(), &self.prompts[at]);
        let versions = client.prompt_versions(&known.slug).await;
        self.tally.check(versions, |versions| {
            let of = |version: &String| versions.iter().any(|found| found.version == *version);
            known.acknowledged.keys().all(of)
        });
        let labels = client.labels(&known.slug).await;
        self.tally.check(labels, |labels| labels.len() <= 1);
        if let Some((first, _)) = known.acknowledged.first_key_value()
            && let Some((last, _)) = known.last()
        {
            let diff = client.diff_prompt(&known.slug, first, last).await;
            self.tally.check(diff, |_| true);
        }
    }

    /// A slug that this tenant has too, in a project that this key may not see.
    async fn of_another(&mut self) {
        let other = format!("tenant-{}", self.chance.usize(..TENANTS));
        if other == self.project {
            return;
        }
        let answer = self.client().get_prompt(SHARED).project(other).await;
        self.tally.calls.fetch_add(1, Ordering::SeqCst);
        match answer {
            Ok(_) => self.tally.is_wrong("a prompt of another tenant"),
            Err(error) if matches!(error.status(), None | Some(403 | 404 | 500..)) => {}
            Err(error) => self.tally.is_wrong(&error.to_string()),
        }
    }

    async fn questions(&mut self, at: usize) {
        let (client, known) = (self.client(), &self.prompts[at]);
        let report = client.validate_prompt(&known.slug).await;
        self.tally.check(report, |is_valid| *is_valid);
        self.tally.check(client.list_models().await, |models| !models.is_empty());
        self.tally.check(client.changes().limit(10).await, |page| {
            page.changes.iter().all(|change| change.project == self.project)
        });
        self.tally.check(client.get_usage_stats().await, |_| true);
    }

    async fn render(&mut self, at: usize) {
        let (client, known) = (self.client(), &self.prompts[at]);
        let name = format!("{{{{ name }}}} {{% x %}} {}", self.chance.u64(..));
        let rendered = client.render_prompt(&known.slug, vars! { "name" => name.clone() }).await;
        self.tally.check(rendered, |rendered| {
            let text = &rendered.rendered_content;
            self.number(&known.slug, text).is_some() && text.ends_with(&format!("Hello {name}"))
        });
    }

    async fn delete(&mut self, at: usize) {
        let known = self.prompts.swap_remove(at);
        let client = self.client();
        let deleted = client.delete_prompt(&known.slug).force(true).await;
        if self.tally.check(deleted, |_| true).is_some() {
            let answer = client.get_prompt(&known.slug).use_cache(false).await;
            self.tally.calls.fetch_add(1, Ordering::SeqCst);
            if answer.is_ok() {
                self.tally.is_wrong(&format!("{} was deleted", known.slug));
            }
        }
    }

    /// In the calm after it all: how many prompts both clients give as they were written last, and how
    /// many not.
    pub(super) async fn settled(&mut self) -> (usize, usize) {
        for at in 0..self.prompts.len() {
            if self.prompts[at].is_unsure() {
                self.read_fresh(at).await;
            }
        }
        let mut settled = 0;
        for known in &self.prompts {
            let mut is_last = !known.is_unsure();
            for client in [&self.calm, &self.rough] {
                let found = client.get_prompt(&known.slug).await;
                let number = found.ok().and_then(|found| self.number(&known.slug, &found.content));
                is_last &= number == known.last().map(|(_, number)| number);
            }
            settled += usize::from(is_last);
        }
        (settled, self.prompts.len() - settled)
    }
}
