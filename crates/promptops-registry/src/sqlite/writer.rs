//! The one thread that writes. Changes that wait while a transaction is synced to disk go into the
//! next one together, so many writers share the cost of one sync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::connection::failed;
use super::{apply, lock, read, transfer};
use crate::{Applied, Decide, Records, RegistryError, StoreError, Target};

/// Changes that may wait; beyond it, callers wait to hand theirs in.
const QUEUE: usize = 1024;

/// Most changes in one transaction, so that the first does not wait for ever.
const GROUP: usize = 256;

struct Job {
    work: Work,
    reply: oneshot::Sender<Outcome>,
}

enum Work {
    /// A change of a prompt.
    Change(Target, Decide),
    /// A write that decides nothing. What it finds, it keeps for its caller.
    Write(Box<Write>),
    /// Records that fill an empty store.
    Import(Mutex<Option<Records>>),
}

type Write = dyn Fn(&Connection) -> rusqlite::Result<()> + Send;

/// What was made.
#[derive(Debug)]
enum Made {
    Change(Box<Applied>),
    Write,
    Import(u64),
}

type Outcome = Result<Made, RegistryError>;

#[derive(Debug)]
pub(super) struct Writer {
    /// `None` only while dropping.
    jobs: Option<mpsc::Sender<Job>>,
    changed: watch::Receiver<u64>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Arc<Mutex<Connection>>) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let last = read::last_change(&lock(&connection)).map_err(|error| failed(&error))?;
        let (tell, changed) = watch::channel(last);
        let thread = std::thread::Builder::new()
            .name("promptops-writer".to_owned())
            .spawn(move || run(&connection, queue, &tell))
            .map_err(|error| StoreError::Other(error.to_string()))?;
        Ok(Self { jobs: Some(jobs), changed, thread: Some(thread) })
    }

    pub(super) async fn change(
        &self,
        target: Target,
        decide: Decide,
    ) -> Result<Applied, RegistryError> {
        match self.hand_in(Work::Change(target, decide)).await? {
            Made::Change(applied) => Ok(*applied),
            _ => Err(StoreError::Closed.into()),
        }
    }

    /// Tells the number of the last change of this process.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// How many records were taken, once they are durable.
    pub(super) async fn import(&self, records: Records) -> Result<u64, StoreError> {
        match self.hand_in(Work::Import(Mutex::new(Some(records)))).await {
            Ok(Made::Import(taken)) => Ok(taken),
            Ok(_) => Err(StoreError::Closed),
            Err(RegistryError::Store(error)) => Err(error),
            Err(other) => Err(StoreError::Other(other.to_string())),
        }
    }

    /// What a write gives, once it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let found = Arc::new(Mutex::new(None));
        let keeps = Arc::clone(&found);
        let write = move |connection: &Connection| {
            *keeps.lock().unwrap_or_else(PoisonError::into_inner) = Some(write(connection)?);
            Ok(())
        };
        match self.hand_in(Work::Write(Box::new(write))).await {
            Ok(_) => {
                let found = found.lock().unwrap_or_else(PoisonError::into_inner).take();
                found.ok_or(StoreError::Closed)
            }
            Err(RegistryError::Store(error)) => Err(error),
            Err(other) => Err(StoreError::Other(other.to_string())),
        }
    }

    async fn hand_in(&self, work: Work) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(Job { work, reply }).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Writer {
    /// Waits until what was handed in is written and the file is closed.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has reached its callers as `Closed` already.
            let _ = thread.join();
        }
    }
}

fn run(connection: &Mutex<Connection>, mut queue: mpsc::Receiver<Job>, tell: &watch::Sender<u64>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        // A caller that has gone before its change began wants nothing written.
        group.retain(|job| !job.reply.is_closed());
        commit(&mut lock(connection), group, tell);
    }
}

fn commit(connection: &mut Connection, group: Vec<Job>, tell: &watch::Sender<u64>) {
    let mut results = Vec::with_capacity(group.len());
    let outcome = write_all(connection, &group, &mut results);
    let mut last = 0;
    for (job, result) in group.into_iter().zip(settle(outcome, results)) {
        if let Ok(Made::Change(applied)) = &result {
            last = last.max(applied.revision);
        }
        // A caller that no longer listens does not undo what is written.
        let _ = job.reply.send(result);
    }
    tell.send_if_modified(|told| {
        let is_new = last > *told;
        *told = last.max(*told);
        is_new
    });
}

/// What each caller of a group is told, in order, without end.
///
/// Where the group as a whole failed, a refusal stands only if no change before it had been made:
/// after that it was decided on a state that is gone.
fn settle(outcome: Result<(), StoreError>, results: Vec<Outcome>) -> impl Iterator<Item = Outcome> {
    let mut results = results.into_iter();
    let mut undone = false;
    std::iter::repeat_with(move || {
        let result = results.next();
        let Err(error) = &outcome else {
            return result.unwrap_or_else(|| Err(StoreError::Closed.into()));
        };
        undone |= !matches!(result, Some(Err(_)));
        match result {
            Some(Err(refused)) if !undone => Err(refused),
            _ => Err(error.clone().into()),
        }
    })
}

/// How the changes of a group are kept apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// Not at all: a decision is refused before anything of it is written, so there is seldom something to
    /// undo. A savepoint for each costs more than most changes: it copies the pages that they touch, and
    /// makes the full-text index write out what it holds.
    No,
    /// Each in a savepoint of its own, so that one that fails half-way leaves the others alone.
    Savepoints,
}

/// Why a group was not written.
enum Broken {
    /// One failed after it had written something, and there was no savepoint to go back to.
    HalfWay,
    Store(StoreError),
}

/// Makes every change of a group in one transaction, and if one fails half-way, makes all others anew.
fn write_all(
    connection: &mut Connection,
    group: &[Job],
    results: &mut Vec<Outcome>,
) -> Result<(), StoreError> {
    let outcome = match write_in_one(connection, group, Apart::No, results) {
        Err(Broken::HalfWay) => {
            results.clear();
            write_in_one(connection, group, Apart::Savepoints, results)
        }
        outcome => outcome,
    };
    outcome.map_err(|broken| match broken {
        Broken::Store(error) => error,
        Broken::HalfWay => StoreError::Other("a change could not be undone".to_owned()),
    })
}

fn write_in_one(
    connection: &mut Connection,
    group: &[Job],
    apart: Apart,
    results: &mut Vec<Outcome>,
) -> Result<(), Broken> {
    let told = |error: rusqlite::Error| Broken::Store(failed(&error));
    let mut transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(told)?;
    for job in group {
        // Records can be taken once, so an import is never made anew.
        let is_apart = apart == Apart::Savepoints || matches!(job.work, Work::Import(_));
        let result = if is_apart {
            let savepoint = transaction.savepoint().map_err(told)?;
            let result = make(&savepoint, &job.work);
            if result.is_ok() {
                savepoint.commit().map_err(told)?;
            } else {
                // Fails only where SQLite has rolled back already; the change's own error says why.
                let _ = savepoint.finish();
            }
            result
        } else {
            let written = transaction.total_changes();
            let result = make(&transaction, &job.work);
            let is_half_way = result.is_err() && transaction.total_changes() != written;
            if is_half_way && !transaction.is_autocommit() {
                return Err(Broken::HalfWay);
            }
            result
        };
        // After some errors, a full disk for one, SQLite has rolled the whole group back.
        if let Err(RegistryError::Store(error)) = &result
            && transaction.is_autocommit()
        {
            return Err(Broken::Store(error.clone()));
        }
        results.push(result);
    }
    transaction.commit().map_err(told)
}

/// Does one piece of work. A decision that panics is an error of its own caller.
fn make(connection: &Connection, work: &Work) -> Outcome {
    let made = catch_unwind(AssertUnwindSafe(|| match work {
        Work::Change(target, decide) => {
            let applied = apply::change(connection, target, decide.as_ref())?;
            Ok(Made::Change(Box::new(applied)))
        }
        Work::Write(write) => {
            write(connection).map_err(|error| RegistryError::Store(failed(&error)))?;
            Ok(Made::Write)
        }
        Work::Import(records) => {
            let records = records.lock().unwrap_or_else(PoisonError::into_inner).take();
            let records = records.ok_or(StoreError::Closed)?;
            Ok(Made::Import(transfer::import(connection, records)?))
        }
    }));
    made.unwrap_or_else(|_| {
        Err(RegistryError::Store(StoreError::Other("a decision panicked".to_owned())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PromptState;

    fn made() -> Made {
        let (before, change) = (PromptState::default(), crate::Change::default());
        Made::Change(Box::new(Applied { before, change, revision: 1 }))
    }

    fn refused() -> RegistryError {
        RegistryError::SlugTaken { slug: "a".to_owned(), project: "p".to_owned() }
    }

    fn told(outcome: Result<(), StoreError>, results: Vec<Outcome>) -> Vec<&'static str> {
        let told = settle(outcome, results).take(4).map(|result| match result {
            Ok(_) => "made",
            Err(RegistryError::SlugTaken { .. }) => "refused",
            Err(RegistryError::Store(StoreError::Full(_))) => "full",
            Err(_) => "other",
        });
        told.collect()
    }

    fn job(work: impl Fn(&Connection) -> rusqlite::Result<()> + Send + 'static) -> Job {
        Job { work: Work::Write(Box::new(work)), reply: oneshot::channel().0 }
    }

    fn insert(id: &'static str) -> Job {
        job(move |connection| connection.execute("INSERT INTO t VALUES (?)", [id]).map(drop))
    }

    #[test]
    fn one_that_fails_half_way_is_undone_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (id TEXT PRIMARY KEY)").unwrap();
        let half = job(|connection| {
            connection.execute("INSERT INTO t VALUES ('half')", [])?;
            Err(rusqlite::Error::QueryReturnedNoRows)
        });
        let panics = job(|connection| {
            connection.execute("INSERT INTO t VALUES ('panicked')", [])?;
            panic!("as a decision might")
        });
        let group = [insert("first"), half, insert("first"), panics, insert("last")];
        let mut results = Vec::new();
        write_all(&mut connection, &group, &mut results).unwrap();
        let made: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_eq!(made, [true, false, false, false, true]);
        let mut statement = connection.prepare("SELECT id FROM t ORDER BY id").unwrap();
        let kept: Vec<String> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(kept, ["first", "last"]);
    }

    #[test]
    fn a_group_that_fails_tells_nobody_of_a_state_that_is_gone() {
        let results = || vec![Err(refused()), Ok(made()), Err(refused()), Ok(made())];
        assert_eq!(told(Ok(()), results()), ["refused", "made", "refused", "made"]);
        let full = || Err(StoreError::Full("disk".to_owned()));
        assert_eq!(told(full(), results()), ["refused", "full", "full", "full"]);
        assert_eq!(told(full(), vec![Err(refused())]), ["refused", "full", "full", "full"]);
    }
}
