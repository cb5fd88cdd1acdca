//! Opening a file: what it must be, its settings, and its schema.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::StoreError;
use crate::store::columns::unreadable;

/// Marks a file as a PromptOps registry (`PrOp`), in the place that SQLite keeps for this.
const APPLICATION_ID: i32 = 0x5072_4F70;

/// The schema, one script a version. A script never changes once it has been released.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001_registry.sql"),
    include_str!("migrations/0002_keys.sql"),
    include_str!("migrations/0003_usage.sql"),
];

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Times the switch to the write-ahead log is tried while other processes hold locks.
const SWITCHES: usize = 1000;

/// Prepared statements kept per connection: every statement of this store.
const STATEMENTS: usize = 128;

/// Where a store is.
#[derive(Debug)]
pub(super) enum Place {
    File(PathBuf),
    Memory,
}

impl Place {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory => ":memory:".to_owned(),
        }
    }

    /// Opens a connection that may write, and brings the schema up to date.
    pub(super) fn open(&self) -> Result<Connection, StoreError> {
        let mut connection = self.connect(OpenFlags::SQLITE_OPEN_CREATE)?;
        self.check_kind(&connection)?;
        // FULL syncs the log at every commit: NORMAL loses acknowledged changes in a power cut.
        connection.execute_batch("PRAGMA synchronous = FULL").map_err(|error| failed(&error))?;
        self.migrate(&mut connection)?;
        if matches!(self, Self::File(_)) {
            write_ahead(&connection)?;
        }
        Ok(connection)
    }

    /// Opens a registry's file that is there, whatever its schema, to read it.
    pub(super) fn open_existing(&self) -> Result<Connection, StoreError> {
        let connection = self.connect(OpenFlags::empty())?;
        self.check_kind(&connection)?;
        Ok(connection)
    }

    /// Opens a connection to a migrated file that only reads.
    pub(super) fn open_reader(&self) -> Result<Connection, StoreError> {
        let connection = self.connect(OpenFlags::empty())?;
        connection.execute_batch("PRAGMA query_only = ON").map_err(|error| failed(&error))?;
        Ok(connection)
    }

    fn connect(&self, more: OpenFlags) -> Result<Connection, StoreError> {
        let cannot = |error: rusqlite::Error| match failed(&error) {
            known @ (StoreError::NotARegistry { .. } | StoreError::Busy) => known,
            _ => StoreError::CannotOpen { path: self.name(), reason: error.to_string() },
        };
        let connection = match self {
            Self::File(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(path, flags | more)
            }
            Self::Memory => Connection::open_in_memory(),
        }
        .map_err(cannot)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(cannot)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // A plan does not depend on what is bound. Otherwise the bundled SQLite, built with STAT4,
        // compiles a cached statement anew whenever another value is bound to it.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(cannot)?;
        // SQLite's own lower() knows ASCII alone.
        connection
            .create_scalar_function(
                "fold",
                1,
                FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
                |arguments| arguments.get::<String>(0).map(|text| text.to_lowercase()),
            )
            .map_err(cannot)?;
        // Statement journals are small, and undone with the transaction: they need no file.
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY",
            )
            .map_err(cannot)?;
        Ok(connection)
    }

    /// Refuses a file that is no registry before anything is written to it.
    fn check_kind(&self, connection: &Connection) -> Result<(), StoreError> {
        // Both in one transaction: another process may be creating the registry meanwhile.
        let transaction = connection.unchecked_transaction().map_err(|error| failed(&error))?;
        self.check_kind_in(&transaction)
    }

    fn check_kind_in(&self, transaction: &Connection) -> Result<(), StoreError> {
        let not = |reason: String| StoreError::NotARegistry { path: self.name(), reason };
        let read = || {
            let objects: i64 =
                transaction
                    .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            let application: i32 =
                transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            Ok((application, objects))
        };
        let (application, objects) =
            read().map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => not("it is not a SQLite database".to_owned()),
                _ => failed(&error),
            })?;
        if application == APPLICATION_ID {
            return Ok(());
        }
        if application != 0 || objects != 0 {
            return Err(not("it is the SQLite database of another program".to_owned()));
        }
        Ok(())
    }

    fn migrate(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
        let schema = |connection: &Connection| {
            connection
                .query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0))
                .map_err(|error| failed(&error))
        };
        let newer = |found| StoreError::NewerSchema { path: self.name(), found, known };
        // The usual case takes no lock, so it does not wait for a writer either.
        match schema(connection)? {
            found if found == known => return Ok(()),
            found if found > known => return Err(newer(found)),
            _ => {}
        }
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| failed(&error))?;
        // Read under the lock: another process may have used the file since it was opened.
        self.check_kind_in(&transaction)?;
        let found = schema(&transaction)?;
        if found > known {
            return Err(newer(found));
        }
        if found == known {
            return Ok(());
        }
        let missing = MIGRATIONS.iter().skip(found as usize);
        missing
            .copied()
            .try_for_each(|script| transaction.execute_batch(script))
            .and_then(|()| transaction.pragma_update(None, "application_id", APPLICATION_ID))
            .and_then(|()| transaction.pragma_update(None, "user_version", known))
            .and_then(|()| transaction.commit())
            .map_err(|error| failed(&error))
    }
}

/// Switches to the write-ahead log, which a file keeps from then on. SQLite does not wait for a lock
/// here, so when another process has one, this waits for it by taking the write lock.
fn write_ahead(connection: &Connection) -> Result<(), StoreError> {
    for _ in 0..SWITCHES {
        let mode = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))
            .map_err(|error| failed(&error));
        match mode {
            Err(StoreError::Busy) => {}
            Err(error) => return Err(error),
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Other(format!("the file's journal mode stays {mode}")));
            }
        }
        connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(|error| failed(&error))?;
    }
    Err(StoreError::Busy)
}

/// What a SQLite error means to a user.
pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    if let rusqlite::Error::FromSqlConversionFailure(at, _, error) = error {
        return unreadable(*at, error);
    }
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly(reason),
        Some(ErrorCode::DiskFull) => StoreError::Full(reason),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt(reason),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => StoreError::Io(reason),
        _ => StoreError::Other(reason),
    }
}
