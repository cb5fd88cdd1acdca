//! Everything at once, for as long as wanted: every operation by several tenants, over a network that is good
//! and bad by turns, while Redis and the server are killed and come back. No answer may be wrong, and
//! neither memory nor descriptors may grow.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use promptops_client::{
    CacheConfig, Error, NewPrompt, PromptOpsClient, PromptResponse, PromptUpdate, RetryConfig, vars,
};
use promptops_transport::{Clock, TokioClock};
use promptops_types::{NewKey, Scope, Secret, TimeSource};

use super::{Size, row, seed, since, size};
use crate::chaos::{ChaosProxy, Odds};
use crate::redis::server::Server as Redis;
use crate::server::process::Process;

/// Tenants: each has a project of its own, a key for it alone, and the same slugs as the others.
const TENANTS: usize = 4;
/// Prompts that a tenant has at a time, and versions until one is deleted.
const PROMPTS: usize = 6;
const VERSIONS: usize = 25;

const ROUGH: Odds = Odds { refused: 20, reset: 20, cut: 10, stalled: 2, delayed: 100, split: 200 };

/// What is counted by all.
#[derive(Default)]
struct Tally {
    /// Whether the network is bad now.
    is_rough: AtomicBool,
    ends: AtomicBool,
    calls: AtomicU64,
    failed: AtomicU64,
    wrong: AtomicU64,
}

impl Tally {
    fn has_ended(&self) -> bool {
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
    /// The last that was acknowledged, and its version.
    last: Option<(String, u64)>,
    acknowledged: BTreeMap<String, u64>,
    label: Option<String>,
    /// Whether the outcome of some write is not known.
    is_unsure: bool,
}

/// A tenant with two clients of one key, one over the bad network, and what it has written.
struct Tenant {
    project: String,
    calm: PromptOpsClient,
    rough: PromptOpsClient,
    prompts: Vec<Known>,
    made: u64,
    chance: Rng,
    tally: Arc<Tally>,
}

impl Tenant {
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

    async fn run(mut self) -> Self {
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
            self.prompts.push(Known {
                slug,
                sent: 0,
                last: Some((prompt.version.clone(), 0)),
                acknowledged: [(prompt.version.clone(), 0)].into(),
                label: None,
                is_unsure: false,
            });
        }
    }

    async fn read(&mut self, at: usize) {
        let is_cached = self.chance.bool();
        let (client, known) = (self.client(), &self.prompts[at]);
        let right = |prompt: &Arc<PromptResponse>| self.is_of(known, prompt);
        if is_cached {
            self.tally.check(client.get_prompt(&known.slug).await, right);
            return;
        }
        let fresh = client.get_prompt(&known.slug).use_cache(false).await;
        if fresh.as_ref().is_err_and(|error| error.status() == Some(404)) {
            self.tally.is_wrong(&format!("{} is gone", known.slug));
        }
        self.tally.check(fresh, |prompt| {
            let number = self.number(&known.slug, &prompt.content);
            let last = known.last.as_ref().map(|(_, number)| *number);
            right(prompt) && (known.is_unsure || number >= last)
        });
        if let Some((version, number)) = known.acknowledged.iter().next() {
            let exact = client.get_prompt(&known.slug).version(version).await;
            self.tally
                .check(exact, |prompt| self.number(&known.slug, &prompt.content) == Some(*number));
        }
        if let Some(version) = &known.label
            && !known.is_unsure
        {
            let labelled = client.get_prompt(&known.slug).version("production").use_cache(false);
            self.tally.check(labelled.await, |prompt| prompt.version == *version);
        }
    }

    async fn publish(&mut self, at: usize) {
        let (client, number) = (self.client(), self.prompts[at].sent + 1);
        self.prompts[at].sent = number;
        let slug = self.prompts[at].slug.clone();
        let update = PromptUpdate::new().content(self.text(&slug, number));
        let made = client.update_prompt(&slug, update).await;
        let made =
            self.tally.check(made, |prompt| self.number(&slug, &prompt.content) == Some(number));
        let known = &mut self.prompts[at];
        match made {
            Some(prompt) => {
                known.acknowledged.insert(prompt.version.clone(), number);
                known.last = Some((prompt.version.clone(), number));
            }
            None => known.is_unsure = true,
        }
    }

    async fn move_label(&mut self, at: usize) {
        let (client, known) = (self.client(), &self.prompts[at]);
        let Some((version, _)) = known.last.clone() else { return };
        let moved = client.set_label(&known.slug, "production", version.clone()).await;
        let is_moved = self.tally.check(moved, |_| true).is_some();
        let known = &mut self.prompts[at];
        known.label = is_moved.then_some(version);
    }

    async fn list(&mut self) {
        let page = self.client().list_prompts().query("s-").tags(["soak"]).limit(50).await;
        self.tally.check(page, |page| {
            page.iter().all(|prompt| self.number(&prompt.slug, &prompt.content).is_some())
        });
    }

    async fn many(&mut self) {
        let client = self.client();
        let slugs: Vec<&str> = self.prompts.iter().map(|known| known.slug.as_str()).collect();
        let found = client.get_prompts(slugs).await;
        self.tally.check(found, |found| {
            self.prompts.iter().all(|known| {
                let found = found.prompts.get(&known.slug);
                found.is_none_or(|prompt| self.is_of(known, prompt))
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
            && let Some((last, _)) = &known.last
        {
            let diff = client.diff_prompt(&known.slug, first, last).await;
            self.tally.check(diff, |_| true);
        }
    }

    /// The same slug in a project that this key may not see.
    async fn of_another(&mut self) {
        let other = format!("tenant-{}", self.chance.usize(..TENANTS));
        if other == self.project {
            return;
        }
        let slug = &self.prompts[0].slug;
        let answer = self.client().get_prompt(slug).project(other).await;
        self.tally.calls.fetch_add(1, Ordering::SeqCst);
        if answer.is_ok() {
            self.tally.is_wrong("a prompt of another tenant");
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

    /// In the calm after it all: both clients give what was written last.
    async fn settled(&self) -> usize {
        let mut late = 0;
        for known in self.prompts.iter().filter(|known| !known.is_unsure) {
            for client in [&self.calm, &self.rough] {
                let found = client.get_prompt(&known.slug).await;
                let number = found.ok().and_then(|found| self.number(&known.slug, &found.content));
                late += usize::from(number != known.last.as_ref().map(|(_, number)| *number));
            }
        }
        late
    }
}

fn client(
    address: impl std::fmt::Display,
    key: &Secret,
    redis: &Redis,
    project: &str,
) -> PromptOpsClient {
    let cache = CacheConfig::hybrid(redis.url())
        .ttl(Duration::from_secs(1))
        .stale_if_error(Duration::from_secs(30))
        .max_size(100);
    PromptOpsClient::builder()
        .base_url(format!("http://{address}/v1"))
        .api_key(key.clone())
        .project(project)
        .timeout(Duration::from_secs(2))
        .retry(RetryConfig::default().base_delay(Duration::from_millis(5)))
        .cache(cache)
        .build()
        .unwrap()
}

/// Memory in MiB and open descriptors of this process.
fn held() -> (f64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: f64 = line.trim().split(' ').next().unwrap().parse().unwrap();
    (kib / 1024.0, std::fs::read_dir("/proc/self/fd").unwrap().count())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What happens, step after step, each for as long as it takes or a little while.
async fn disturb(
    tally: &Tally,
    process: &mut Process,
    redis: &mut Redis,
    step: Duration,
    start: impl Fn() -> Process,
) -> [u32; 2] {
    let mut restarts = [0, 0];
    let time = TokioClock;
    for number in 0.. {
        if tally.has_ended() {
            break;
        }
        tally.is_rough.store(number % 2 == 1, Ordering::SeqCst);
        time.sleep(step).await;
        match number % 4 {
            1 => {
                redis.kill();
                time.sleep(step / 4).await;
                redis.restart().await;
                restarts[0] += 1;
            }
            2 => {
                process.kill();
                time.sleep(step / 4).await;
                *process = tokio::task::block_in_place(&start);
                restarts[1] += 1;
            }
            3 => {
                process.terminate();
                while process.ended().is_none() {
                    time.sleep(Duration::from_millis(10)).await;
                }
                *process = tokio::task::block_in_place(&start);
                restarts[1] += 1;
            }
            _ => {}
        }
    }
    restarts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_no_answer_is_wrong_and_nothing_grows() {
    let (length, step) = match size() {
        Size::Small => (Duration::from_secs(6), Duration::from_millis(600)),
        Size::Table => (Duration::from_secs(40), Duration::from_secs(2)),
        Size::Long => (Duration::from_mins(10), Duration::from_secs(5)),
    };
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("prompts.db");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = || Process::start_on(&db, port);
    let mut process = start();
    let mut redis = Redis::start().await;
    let proxy = ChaosProxy::start(process.address, seed(), ROUGH).await;
    let admin = process.client(&process.admin.clone().unwrap());
    let tally = Arc::new(Tally::default());
    let mut tenants = Vec::new();
    for number in 0..TENANTS {
        let project = format!("tenant-{number}");
        let new = NewKey {
            name: project.clone(),
            scopes: Some([Scope::Read, Scope::Write].into()),
            projects: Some([project.clone()].into()),
            per_minute: Some(u32::MAX),
            per_hour: Some(u32::MAX),
            per_day: Some(u32::MAX),
            ..NewKey::default()
        };
        let key = admin.create_api_key(new).await.unwrap().api_key;
        tenants.push(Tenant {
            calm: client(process.address, &key, &redis, &project),
            rough: client(proxy.address, &key, &redis, &project),
            project,
            prompts: Vec::new(),
            made: 0,
            chance: Rng::with_seed(seed() + u64::try_from(number).unwrap()),
            tally: Arc::clone(&tally),
        });
    }
    let running: Vec<_> = tenants.into_iter().map(|tenant| tokio::spawn(tenant.run())).collect();
    let samples = tokio::spawn({
        let tally = Arc::clone(&tally);
        async move {
            let (mut samples, started) = (Vec::new(), TokioClock.monotonic());
            while since(started) < length {
                TokioClock.sleep(length / 100).await;
                samples.push(held());
            }
            tally.ends.store(true, Ordering::SeqCst);
            samples
        }
    });
    let restarts = disturb(&tally, &mut process, &mut redis, step, start).await;
    let samples = samples.await.unwrap();
    let mut tenants_left = Vec::new();
    for tenant in running {
        tenants_left.push(tenant.await.unwrap());
    }
    // Everything is there again: what is late once circuits have closed, which takes a minute at most, and
    // a ttl has passed would be late for ever.
    let (mut late, calm) = (0, TokioClock.monotonic());
    for tenant in &tenants_left {
        loop {
            TokioClock.sleep(Duration::from_millis(500)).await;
            let now = tenant.settled().await;
            if now == 0 || since(calm) > Duration::from_secs(75) {
                late += now;
                break;
            }
        }
    }
    let (calls, failed, wrong) = (&tally.calls, &tally.failed, &tally.wrong);
    let [calls, failed, wrong] = [calls, failed, wrong].map(|count| count.load(Ordering::SeqCst));
    assert_eq!((wrong, late), (0, 0), "wrong answers, late ones, of {calls}");
    assert!(calls > failed + 100, "{calls} calls, {failed} failed");
    let half = |from: usize, to: usize| {
        let within = || samples[from..to].iter();
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let descriptors = median(within().map(|sample| sample.1 as f64));
        (median(within().map(|sample| sample.0)), descriptors)
    };
    let quarter = samples.len() / 4;
    let (before, after) = (half(quarter, 2 * quarter), half(3 * quarter, samples.len()));
    let is_flat = after.0 <= before.0 * 1.1 + 4.0 && after.1 <= before.1 + 16.0;
    let measured = format!(
        "0 wrong of {calls} answers in {} s ({failed} errors told, {} faults of the network, {} \
         restarts of Redis, {} of the server); memory {:.0} MiB, then {:.0}; descriptors {:.0}, then {:.0}",
        length.as_secs(),
        proxy.faults(),
        restarts[0],
        restarts[1],
        before.0,
        after.0,
        before.1,
        after.1,
    );
    let promised = "0 wrong answers; memory and descriptors flat";
    row("soak", "all operations, faults on and off", promised, measured, is_flat);
}
