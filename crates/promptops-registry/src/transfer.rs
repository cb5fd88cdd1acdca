//! Moving a registry from one store to another: lines of JSON with a checksum.
//!
//! The first line says what it is; then comes a record a line; the last line has their number and the
//! SHA-256 of all lines before it. A file that was cut or changed is refused before anything is taken
//! from it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, Write};

use data_encoding::HEXLOWER;
use promptops_types::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Access, Record, Records, Registry, RegistryError, Scope, Store, StoreError};

/// What the first line says.
const FORMAT: &str = "promptops-export";

/// The version of the format.
const VERSION: u32 = 1;

/// Longest line: a version of 4 MiB, each character of which may be six in JSON, and its metadata.
const MAX_LINE: u64 = 32 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    exported_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct Tail {
    records: u64,
    sha256: String,
}

/// What was exported or imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// How many records.
    pub records: u64,
    /// SHA-256 of the records' lines in hex: equal where two registries hold the same.
    pub digest: String,
}

/// Writes an export, record by record: for those who have the records from elsewhere than a store.
#[derive(Debug)]
pub struct ExportWriter<W> {
    to: W,
    all: Sha256,
    records: Sha256,
    count: u64,
}

impl<W: Write> ExportWriter<W> {
    /// Begins an export that is made at this time.
    ///
    /// # Errors
    /// [`StoreError::Io`] when `to` fails.
    pub fn new(to: W, exported_at: Timestamp) -> Result<Self, StoreError> {
        let mut writer = Self { to, all: Sha256::new(), records: Sha256::new(), count: 0 };
        writer.line(&Head { format: FORMAT.to_owned(), version: VERSION, exported_at }, false)?;
        Ok(writer)
    }

    /// Writes a record. Projects and modules come before the prompts that are in them, versions and labels
    /// after their prompt.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the writer fails.
    pub fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        self.line(record, true)
    }

    fn line(&mut self, line: &impl Serialize, is_record: bool) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec(line).map_err(|error| failed(&error))?;
        text.push(b'\n');
        self.all.update(&text);
        if is_record {
            self.records.update(&text);
            self.count += 1;
        }
        self.to.write_all(&text).map_err(|error| failed(&error))
    }

    /// Writes the line that closes the export: without it, it is not one.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the writer fails.
    pub fn finish(self) -> Result<Transferred, StoreError> {
        let Self { mut to, all, records, count } = self;
        let tail = Tail { records: count, sha256: HEXLOWER.encode(&all.finalize()) };
        serde_json::to_writer(&mut to, &tail).map_err(|error| failed(&error))?;
        to.write_all(b"\n").and_then(|()| to.flush()).map_err(|error| failed(&error))?;
        Ok(Transferred { records: count, digest: HEXLOWER.encode(&records.finalize()) })
    }
}

/// What an export holds, and its records. The file is read twice: it is checked before anything is taken
/// from it.
///
/// # Errors
/// [`StoreError::Other`] for a file that is no export, cut, or changed; [`StoreError::Io`] when it cannot be
/// read.
pub fn read_export(mut from: File) -> Result<(Transferred, Records), StoreError> {
    let transferred = check(&from)?;
    from.rewind().map_err(|error| failed(&error))?;
    let count = transferred.records;
    let mut lines = BufReader::new(from);
    read_line(&mut lines)?;
    let mut left = count;
    let records = std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let line = read_line(&mut lines).map_err(|error| error.to_string());
        Some(line.and_then(|line| {
            serde_json::from_str::<Record>(&line)
                .map_err(|error| format!("record {} cannot be read: {error}", count - left))
        }))
    });
    Ok((transferred, Box::new(records)))
}

fn failed(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Io(error.to_string())
}

impl Registry {
    /// Writes everything that the registry holds, but for usage, nonces and idempotency keys, as it is
    /// at one moment. Secrets are not in it: of API keys it has the hashes.
    ///
    /// # Errors
    /// [`RegistryError::ScopeMissing`] without the scope `admin` in every project;
    /// [`RegistryError::Store`], also when `to` fails.
    pub async fn export(
        &self,
        access: &Access,
        to: impl Write + Send,
    ) -> Result<Transferred, RegistryError> {
        everything(access)?;
        let mut writer = ExportWriter::new(to, self.now())?;
        self.store.export(&mut |record| writer.record(&record)).await?;
        Ok(writer.finish()?)
    }

    /// Fills an empty registry from an export, whole or not at all. The file is read twice: it is checked
    /// before anything is taken from it.
    ///
    /// # Errors
    /// [`RegistryError::ScopeMissing`] without the scope `admin` in every project;
    /// [`RegistryError::Store`] for a file that is no export, cut, or changed, and for a registry that is
    /// not empty.
    pub async fn import(&self, access: &Access, from: File) -> Result<Transferred, RegistryError> {
        everything(access)?;
        let (transferred, records) = read_export(from)?;
        self.store.import(records).await?;
        Ok(transferred)
    }
}

fn everything(access: &Access) -> Result<(), RegistryError> {
    access.require(Scope::Admin)?;
    if access.allowed_projects().is_some() {
        return Err(RegistryError::ScopeMissing { scope: Scope::Admin });
    }
    Ok(())
}

/// A line without its end; empty where there are no more.
fn read_line(from: &mut impl BufRead) -> Result<String, StoreError> {
    let mut line = String::new();
    io::Read::take(from, MAX_LINE).read_line(&mut line).map_err(|error| failed(&error))?;
    if line.ends_with('\n') {
        line.pop();
    }
    Ok(line)
}

/// Reads a whole export, and gives what it holds if it is whole.
fn check(from: &File) -> Result<Transferred, StoreError> {
    let no =
        |reason: String| Err(StoreError::Other(format!("the export cannot be used: {reason}")));
    let mut lines = BufReader::new(from);
    let first = read_line(&mut lines)?;
    match serde_json::from_str::<Head>(&first) {
        Ok(head) if head.format == FORMAT && head.version == VERSION => {}
        Ok(head) if head.format == FORMAT => {
            let found = head.version;
            return no(format!("its format is {found}, and this build knows {VERSION}; update it"));
        }
        _ => return no("its first line does not say that it is one".to_owned()),
    }
    let mut all = Sha256::new();
    let mut records = Sha256::new();
    all.update(&first);
    all.update("\n");
    let mut count = 0;
    let mut last = read_line(&mut lines)?;
    loop {
        let next = read_line(&mut lines)?;
        if next.is_empty() {
            break;
        }
        for digest in [&mut all, &mut records] {
            digest.update(&last);
            digest.update("\n");
        }
        count += 1;
        last = next;
    }
    let Ok(tail) = serde_json::from_str::<Tail>(&last) else {
        return no(format!("it ends after {count} records without the line that closes it"));
    };
    if tail.records != count || tail.sha256 != HEXLOWER.encode(&all.finalize()) {
        return no("it was changed: its checksum is another".to_owned());
    }
    Ok(Transferred { records: count, digest: HEXLOWER.encode(&records.finalize()) })
}
