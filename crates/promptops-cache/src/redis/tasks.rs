//! What goes on beside the calls: connecting, writing and listening.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use deadpool_redis::redis::{Value, cmd, pipe};
use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex, oneshot};

use super::clock::{STEP, sleep, within};
use super::link::{Held, Link};
use super::message::{self, Message};
use super::shared::{Answer, Owed, Shared, State, failure};
use super::value::{self, Times};
use crate::{CacheKey, Entry, Invalidation, Ticket};

/// Most writes that wait.
const QUEUE: usize = 1024;

/// Most bytes of writes that wait.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// Most writes of one round trip.
const BATCH: usize = 32;

/// Largest answer that is kept.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Shortest and longest wait before Redis is tried again.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How often connections that answer are replaced, at most, because they only refuse writes.
const DOUBT: Duration = Duration::from_secs(5);

/// How often the subscription is asked whether it still stands.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a generation is kept after it was last used: longer than any entry of it.
const GENERATION_SECONDS: u64 = 60 * 24 * 3600;

/// How long an invalidation is remembered for what was read before it: longer than a call takes.
const MARK: Duration = Duration::from_mins(2);

/// How much earlier than it seems something may have been read: the two ages are told by two clocks.
const MARK_DOUBT: Duration = Duration::from_millis(100);

/// An entry on its way to Redis.
pub(super) struct Write {
    pub(super) key: CacheKey,
    pub(super) fingerprint: [u8; 32],
    pub(super) entry: Entry,
    pub(super) ticket: Ticket,
    pub(super) times: Times,
    /// How long it is kept.
    pub(super) life: Duration,
}

/// A write that waits, and the room that it takes.
struct Waiting {
    write: Write,
    bytes: usize,
    room: Arc<AtomicUsize>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.room.fetch_sub(self.bytes, Relaxed);
    }
}

enum Job {
    Write(Box<Waiting>),
    Flush(oneshot::Sender<()>),
}

/// Writes that wait: a bounded queue.
pub(super) struct Queue {
    sender: Sender<Job>,
    receiver: Mutex<Receiver<Job>>,
    /// Bytes that wait.
    room: Arc<AtomicUsize>,
}

impl Queue {
    pub(super) fn new() -> Self {
        let (sender, receiver) = channel(QUEUE);
        Self { sender, receiver: Mutex::new(receiver), room: Arc::default() }
    }

    /// Takes a write, or says that it is not kept.
    pub(super) fn push(&self, write: Write) -> Answer<()> {
        let bytes = write.entry.body().len();
        if bytes > MOST_BYTES {
            return Err(failure(format!("{bytes} bytes are too much for one entry")));
        }
        let taken = self.room.fetch_add(bytes, Relaxed) + bytes;
        let waiting = Box::new(Waiting { write, bytes, room: Arc::clone(&self.room) });
        if taken > QUEUE_BYTES || self.sender.try_send(Job::Write(waiting)).is_err() {
            return Err(failure("too many writes wait; this one is not kept"));
        }
        Ok(())
    }

    /// Waits until what was pushed has been written, or has failed to.
    pub(super) async fn flush(&self) -> Answer<()> {
        let (done, is_done) = oneshot::channel();
        let flushed = async {
            self.sender.send(Job::Flush(done)).await.ok()?;
            is_done.await.ok()
        };
        let flushed = within(STEP * 10, flushed).await.flatten();
        flushed.ok_or_else(|| failure("what waits is not written"))
    }
}

/// All of it, until the runtime ends or the cache is dropped.
pub(super) async fn run(shared: Arc<Shared>, queue: Arc<Queue>, _running: Running) {
    tokio::join!(connect(&shared), write(&shared, &queue), listen(&shared));
}

/// That the tasks run. Connections die with the runtime that they were made in: when it is dropped,
/// though they have not begun, the next call begins anew.
pub(super) struct Running {
    shared: Arc<Shared>,
    is_running: Arc<AtomicBool>,
}

impl Running {
    pub(super) fn new(shared: &Arc<Shared>, is_running: &Arc<AtomicBool>) -> Self {
        Self { shared: Arc::clone(shared), is_running: Arc::clone(is_running) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.set_subscribed(false);
        self.shared.state.send_replace(State::Connecting);
        self.is_running.store(false, Relaxed);
    }
}

/// Keeps connections: makes them, and makes others when they no longer do.
async fn connect(shared: &Shared) {
    let mut state = shared.state.subscribe();
    let mut wait = SHORTEST_WAIT;
    let mut held: Option<Held> = None;
    loop {
        let fresh = match shared.address.connect().await {
            Ok(fresh) => match check(shared, &fresh).await {
                Ok(()) => Ok(fresh),
                Err(reason) => {
                    fresh.discard();
                    Err(reason)
                }
            },
            Err(reason) => Err(reason),
        };
        match fresh {
            Ok(fresh) => {
                let is_used = shared.use_links(fresh.links());
                if let Some(old) = held.replace(fresh) {
                    old.discard();
                }
                // Otherwise something is owed that was not a moment ago.
                if is_used {
                    tracing::debug!("the cache in redis is in use");
                    let up = std::pin::pin!(state.wait_for(|state| !matches!(state, State::Up(_))));
                    tokio::select! {
                        _ = up => wait = SHORTEST_WAIT,
                        () = async { sleep(DOUBT).await; shared.doubted.notified().await } => {
                            // Those there are go on while others are made.
                            continue;
                        }
                    }
                }
            }
            Err(reason) => {
                tracing::debug!(%reason, "the cache in redis cannot be reached");
                shared.state.send_replace(State::Away(reason));
            }
        }
        if let Some(old) = held.take() {
            old.discard();
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether new connections can be used. What is no longer true there must not be read: that is told
/// before anybody reads.
async fn check(shared: &Shared, fresh: &Held) -> Result<(), String> {
    let Some(mut link) = fresh.links().into_iter().next() else { return Ok(()) };
    let well = within(STEP, link.command(&cmd("PING"))).await;
    well.ok_or("no answer to PING")?.map_err(|error| error.to_string())?;
    let mut owed = Owed::new(shared, shared.take_owed());
    while let Some(what) = owed.next() {
        invalidate(shared, &mut link, what).await.map_err(|error| error.to_string())?;
        owed.made();
    }
    Ok(())
}

/// A generation that there has never been.
pub(super) fn new_generation() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// Forgets, by new generations: entries of the old ones are there no more. Then tells others.
pub(super) async fn invalidate(
    shared: &Shared,
    link: &mut Link,
    what: &Invalidation,
) -> Answer<()> {
    let names = &shared.names;
    let scope = what.scope();
    let mut generations = Vec::new();
    match what {
        Invalidation::Key(key) => {
            // Others of its prompt go with it: one that is on its way under the same generation would
            // bring it back.
            let name = names.group(scope, key.prompt.as_deref());
            let mut forget = pipe();
            forget.cmd("SET").arg(name).arg(new_generation()).arg("EX").arg(GENERATION_SECONDS);
            forget.cmd("UNLINK").arg(names.entry(key, &key.fingerprint()));
            return shared.pipeline(link, &forget).await.map(drop);
        }
        Invalidation::Everything(_) => generations.push(names.scope(scope)),
        Invalidation::Lists(_) => generations.push(names.group(scope, None)),
        Invalidation::Prompt { prompt, .. } => {
            generations.push(names.group(scope, Some(prompt)));
            // Before the names are read: a write whose name is not there yet sees the mark.
            let mut mark = cmd("SET");
            mark.arg(names.mark(scope, prompt)).arg(1).arg("EX").arg(MARK.as_secs());
            shared.command(link, &mark).await?;
            let name = names.aliases(scope, prompt);
            let aliases = shared.command(link, cmd("SMEMBERS").arg(&name)).await;
            let aliases = match aliases {
                // Somebody else's: what the prompt is called is not known, so everything goes.
                Err(failure) if failure.to_string().contains("WRONGTYPE") => {
                    shared.command(link, cmd("UNLINK").arg(&name)).await?;
                    generations.push(names.scope(scope));
                    Value::Nil
                }
                aliases => aliases?,
            };
            if let Value::Array(aliases) | Value::Set(aliases) = aliases {
                for alias in aliases {
                    if let Value::BulkString(alias) = alias
                        && let Ok(alias) = String::from_utf8(alias)
                    {
                        generations.push(names.group(scope, Some(&alias)));
                    }
                }
            }
        }
    }
    let mut bump = pipe();
    for name in generations {
        bump.cmd("SET").arg(name).arg(new_generation()).arg("EX").arg(GENERATION_SECONDS);
    }
    shared.pipeline(link, &bump).await?;
    if let Some(message) = message::encode(what) {
        let publish = cmd("PUBLISH").arg(names.channel()).arg(message).to_owned();
        shared.tell(link, &publish).await?;
    }
    Ok(())
}

/// Writes what waits, many at once.
async fn write(shared: &Shared, queue: &Queue) {
    let mut receiver = queue.receiver.lock().await;
    let mut jobs = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut jobs, BATCH).await > 0 {
        let mut flushed = Vec::new();
        let mut writes = Vec::new();
        for job in jobs.drain(..) {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Flush(done) => flushed.push(done),
            }
        }
        write_all(shared, &writes).await;
        drop(writes);
        for done in flushed {
            let _ = done.send(());
        }
    }
}

async fn write_all(shared: &Shared, writes: &[Box<Waiting>]) {
    if writes.is_empty() {
        return;
    }
    let Ok(mut link) = shared.link().await else { return };
    // In a cluster one pipeline is of one slot, and so of one scope.
    for of_scope in writes.chunk_by(|one, next| one.write.key.scope == next.write.key.scope) {
        if let Err(failure) = write_scope(shared, &mut link, of_scope).await {
            tracing::debug!(%failure, "entries were not written");
            if failure.to_string().contains("WRONGTYPE") {
                mend(shared, &mut link, of_scope).await;
            }
        }
    }
}

/// Writes entries of one scope: first the names that their prompts have, then, unless the prompt was
/// invalidated by one of them meanwhile, the entries.
async fn write_scope(shared: &Shared, link: &mut Link, of_scope: &[Box<Waiting>]) -> Answer<()> {
    let mut named = pipe();
    let mut asked = Vec::new();
    for (at, Waiting { write, .. }) in of_scope.iter().map(|waiting| &**waiting).enumerate() {
        for name in other_names(write) {
            name_entry(shared, &mut named, write, name);
            asked.push(at);
        }
    }
    let mut is_old = vec![false; of_scope.len()];
    if !asked.is_empty() {
        let answers = shared.pipeline(link, &named).await?;
        let marks = answers.iter().skip(2).step_by(3);
        for (at, left) in asked.into_iter().zip(marks) {
            is_old[at] |= was_read_before(shared, &of_scope[at].write, left);
        }
    }
    let mut pipeline = pipe();
    for (waiting, is_old) in of_scope.iter().zip(is_old) {
        if !is_old {
            add(shared, &mut pipeline, &waiting.write);
        }
    }
    if pipeline.is_empty() {
        return Ok(());
    }
    shared.pipeline(link, &pipeline).await.map(drop)
}

/// The names of an entry's prompt that it was not asked for by.
fn other_names(write: &Write) -> impl Iterator<Item = &str> {
    let asked = write.key.prompt.as_deref();
    let told = write.entry.names().filter(|_| asked.is_some());
    let names = told.into_iter().flat_map(|told| [told.id.as_str(), told.slug.as_str()]);
    names.filter(move |name| Some(*name) != asked)
}

/// Tells that a prompt's entries are asked for by this name too, and asks whether it was invalidated by
/// the other: three commands.
fn name_entry(
    shared: &Shared,
    pipeline: &mut deadpool_redis::redis::Pipeline,
    write: &Write,
    name: &str,
) {
    let (names, scope) = (&shared.names, &write.key.scope);
    let aliases = names.aliases(scope, name);
    pipeline.cmd("SADD").arg(&aliases).arg(write.key.prompt.as_deref());
    pipeline.cmd("EXPIRE").arg(aliases).arg(GENERATION_SECONDS);
    pipeline.cmd("PTTL").arg(names.mark(scope, name));
}

/// Whether what is to be written was read before its prompt was invalidated, by what is left of the
/// mark's time.
fn was_read_before(shared: &Shared, write: &Write, left: &Value) -> bool {
    let Value::Int(left) = left else { return true };
    let Ok(left) = u64::try_from(*left) else { return false };
    let since_mark = MARK.saturating_sub(Duration::from_millis(left));
    let since_read = Duration::from_micros(shared.micros().saturating_sub(write.ticket.2));
    since_mark <= since_read + MARK_DOUBT
}

/// What writes an entry: its generations, if they are not there, and the entry.
fn add(shared: &Shared, pipeline: &mut deadpool_redis::redis::Pipeline, write: &Write) {
    let (names, key) = (&shared.names, &write.key);
    let prompt = key.prompt.as_deref();
    let generations = [
        (names.scope(&key.scope), write.ticket.0),
        (names.group(&key.scope, prompt), write.ticket.1),
    ];
    for (name, generation) in &generations {
        pipeline.cmd("SET").arg(name).arg(*generation).arg("NX").arg("EX").arg(GENERATION_SECONDS);
        pipeline.cmd("EXPIRE").arg(name).arg(GENERATION_SECONDS);
    }
    let generations = (write.ticket.0, write.ticket.1);
    let value = value::encode(&write.fingerprint, &write.entry, generations, write.times);
    let name = names.entry(key, &write.fingerprint);
    let life = write.life.as_secs().max(1);
    pipeline.cmd("SET").arg(name).arg(value).arg("EX").arg(life);
}

/// Deletes what is there of another type: somebody else wrote it, and nothing can be kept beside it.
async fn mend(shared: &Shared, link: &mut Link, writes: &[Box<Waiting>]) {
    let mut unlink = cmd("UNLINK");
    for Waiting { write, .. } in writes.iter().map(|waiting| &**waiting) {
        let (names, key) = (&shared.names, &write.key);
        unlink.arg(names.entry(key, &write.fingerprint));
        unlink.arg(names.group(&key.scope, key.prompt.as_deref()));
        if let Some(told) = write.entry.names() {
            unlink.arg(names.aliases(&key.scope, &told.id));
            unlink.arg(names.aliases(&key.scope, &told.slug));
        }
    }
    if let Some(first) = writes.first() {
        unlink.arg(shared.names.scope(&first.write.key.scope));
    }
    if shared.command(link, &unlink).await.is_ok() {
        shared.counters.discarded.fetch_add(1, Relaxed);
    }
}

/// Hears what other processes invalidate, while anybody here wants to know.
async fn listen(shared: &Shared) {
    let mut wait = SHORTEST_WAIT;
    loop {
        while !shared.has_listener() {
            shared.listener_came.notified().await;
        }
        match shared.address.subscribe(&shared.names.channel()).await {
            Ok(pub_sub) => {
                wait = SHORTEST_WAIT;
                shared.set_subscribed(true);
                let (mut sink, mut messages) = pub_sub.split();
                loop {
                    tokio::select! {
                        message = messages.next() => match message {
                            Some(message) => heard(shared, message.get_payload_bytes()),
                            None => break,
                        },
                        () = sleep(HEARTBEAT) => {
                            let answered = within(HEARTBEAT, sink.ping::<Value>()).await;
                            if answered.is_none_or(|answer| answer.is_err()) {
                                break;
                            }
                        }
                    }
                }
                shared.set_subscribed(false);
                tracing::debug!("what other processes invalidate is not heard for now");
            }
            Err(reason) => tracing::debug!(%reason, "cannot subscribe to invalidations"),
        }
        sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

fn heard(shared: &Shared, message: &[u8]) {
    let Some(message) = Message::read(message) else { return };
    // What was told by this cache too: others may share it.
    for (scope, listener) in shared.listeners(&message.digest) {
        listener(&message.of(&scope));
    }
}
