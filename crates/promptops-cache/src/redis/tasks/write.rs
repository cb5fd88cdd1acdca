//! Writes wait in a bounded queue, and are made many at once.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use deadpool_redis::redis::{Value, cmd, pipe};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex, oneshot};

use super::invalidate::{GENERATION_SECONDS, MARK};
use crate::redis::clock::{STEP, within};
use crate::redis::link::Link;
use crate::redis::shared::{Answer, Shared, failure};
use crate::redis::value::{self, Times};
use crate::{CacheKey, Entry, Ticket};

/// Most writes that wait.
const QUEUE: usize = 1024;

/// Most bytes of writes that wait.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// Most writes of one round trip.
const BATCH: usize = 32;

/// Largest answer that is kept.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// How much earlier than it seems something may have been read: the two ages are told by two clocks.
const MARK_DOUBT: Duration = Duration::from_millis(100);

/// An entry on its way to Redis.
pub(in crate::redis) struct Write {
    pub(in crate::redis) key: CacheKey,
    pub(in crate::redis) fingerprint: [u8; 32],
    pub(in crate::redis) entry: Entry,
    pub(in crate::redis) ticket: Ticket,
    pub(in crate::redis) times: Times,
    /// How long it is kept.
    pub(in crate::redis) life: Duration,
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
pub(in crate::redis) struct Queue {
    sender: Sender<Job>,
    receiver: Mutex<Receiver<Job>>,
    /// Bytes that wait.
    room: Arc<AtomicUsize>,
}

impl Queue {
    pub(in crate::redis) fn new() -> Self {
        let (sender, receiver) = channel(QUEUE);
        Self { sender, receiver: Mutex::new(receiver), room: Arc::default() }
    }

    /// Takes a write, or says that it is not kept.
    pub(in crate::redis) fn push(&self, write: Write) -> Answer<()> {
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
    pub(in crate::redis) async fn flush(&self) -> Answer<()> {
        let (done, is_done) = oneshot::channel();
        let flushed = async {
            self.sender.send(Job::Flush(done)).await.ok()?;
            is_done.await.ok()
        };
        let flushed = within(STEP * 10, flushed).await.flatten();
        flushed.ok_or_else(|| failure("what waits is not written"))
    }
}

/// Writes what waits, many at once.
pub(super) async fn write(shared: &Shared, queue: &Queue) {
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
