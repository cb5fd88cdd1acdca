//! Row 7: a power cut. The system calls of a server that publishes are recorded, and images of its files
//! are made of them as a disk may hold them when the power goes: what was synced is there; what was not is
//! there, or not, or torn at a sector, in any order.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use promptops_registry::PromptRef;
use promptops_server::{Access, Registry};
use promptops_types::Selector;
use rusqlite::Connection;
use serde_json::json;

use super::strace::Strace;
use super::{row, runs, seed};
use crate::server::ask;
use crate::server::process::Process;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Something that the server did, in order.
enum Event {
    Write {
        file: usize,
        at: u64,
        bytes: Vec<u8>,
    },
    Cut {
        file: usize,
        length: u64,
    },
    Sync {
        file: usize,
    },
    /// A write was acknowledged to whoever asked for it.
    Told(String),
}

/// The text between two marks.
fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    let rest = text.split_once(from)?.1;
    Some(rest.split_once(to).map_or(rest, |(found, _)| found))
}

/// Bytes as strace writes them: `\x41\x42`.
fn bytes(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits.map(|digits| u8::from_str_radix(&digits[..2], 16).unwrap()).collect()
}

/// A line of the record. What a call writes is told where it begins, and a sync where it has ended.
fn event(line: &str, files: &[PathBuf], syncing: &mut HashMap<String, usize>) -> Option<Event> {
    let (thread, call) = line.split_once(' ')?;
    let call = call.trim_start();
    let file = |call: &str| {
        let path = bytes(between(call, "<", ">")?);
        files.iter().position(|file| file.as_os_str().as_encoded_bytes() == path)
    };
    if call.starts_with("<... fdatasync resumed") || call.starts_with("<... fsync resumed") {
        let file = syncing.remove(thread)?;
        return call.contains("= 0").then_some(Event::Sync { file });
    }
    let (name, arguments) = call.split_once('(')?;
    match name {
        "pwrite64" => {
            let file = file(arguments)?;
            let bytes = bytes(between(arguments, "\"", "\"")?);
            let mut numbers = arguments.rsplit_once('"')?.1.split([',', ')', ' ']);
            let mut number = || numbers.find_map(|text| text.parse::<u64>().ok());
            let (_, at) = (number()?, number()?);
            Some(Event::Write { file, at, bytes })
        }
        "ftruncate" => {
            let length = between(arguments, ", ", ")")?.split(' ').next()?.parse().ok()?;
            Some(Event::Cut { file: file(arguments)?, length })
        }
        "fdatasync" | "fsync" if call.contains("<unfinished") => {
            syncing.insert(thread.to_owned(), file(arguments)?);
            None
        }
        "fdatasync" | "fsync" => {
            call.contains("= 0").then_some(Event::Sync { file: file(arguments)? })
        }
        "write" | "writev" | "sendto" | "sendmsg" => {
            let told: Vec<u8> = arguments.split('"').skip(1).step_by(2).flat_map(bytes).collect();
            let told = String::from_utf8_lossy(&told);
            let is_made = told.starts_with("HTTP/1.1 201");
            is_made
                .then(|| between(&told, "\"slug\":\"", "\""))
                .flatten()
                .map(|s| Event::Told(s.into()))
        }
        _ => None,
    }
}

/// What is on a disk: what was synced, and what was written since.
struct Disk {
    synced: Vec<Vec<u8>>,
    /// Of each file, in order.
    since: Vec<Vec<Unsynced>>,
}

enum Unsynced {
    Write(u64, Vec<u8>),
    Cut(u64),
}

fn put(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let at = usize::try_from(at).unwrap();
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Unsynced {
    fn make(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => put(file, *at, bytes),
            Self::Cut(length) => file.resize(usize::try_from(*length).unwrap(), 0),
        }
    }
}

impl Disk {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Write { file, at, bytes } => {
                self.since[*file].push(Unsynced::Write(*at, bytes.clone()));
            }
            Event::Cut { file, length } => self.since[*file].push(Unsynced::Cut(*length)),
            Event::Sync { file } => {
                for unsynced in self.since[*file].drain(..) {
                    unsynced.make(&mut self.synced[*file]);
                }
            }
            Event::Told(_) => {}
        }
    }

    /// The files as they may be when the power goes now.
    fn image(&self, chance: &mut Rng) -> Vec<Vec<u8>> {
        let mut files = self.synced.clone();
        for (file, since) in files.iter_mut().zip(&self.since) {
            let mut order: Vec<&Unsynced> = since.iter().collect();
            if chance.bool() {
                chance.shuffle(&mut order);
            }
            for unsynced in order {
                match (chance.u8(..3), unsynced) {
                    (0, _) => {}
                    (1, Unsynced::Write(at, bytes)) => {
                        for (sector, part) in bytes.chunks(SECTOR).enumerate() {
                            if chance.bool() {
                                put(file, at + (sector * SECTOR) as u64, part);
                            }
                        }
                    }
                    (_, unsynced) => unsynced.make(file),
                }
            }
        }
        files
    }
}

/// Records what a process does to its files and says to its callers.
fn record(process: &Process, to: &Path) -> Strace {
    let calls = "trace=pwrite64,fdatasync,fsync,ftruncate,write,writev,sendto,sendmsg";
    let to = to.to_str().unwrap();
    Strace::attach(process, &["-y", "-xx", "-s", "200000", "-e", calls, "-o", to])
}

/// Whether a file opens, is whole, and has what was acknowledged.
async fn check(folder: &Path, image: &[Vec<u8>], told: &[String]) -> Result<(), String> {
    let path = folder.join("image.db");
    for (name, bytes) in ["image.db", "image.db-wal"].iter().zip(image) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let _ = std::fs::remove_file(folder.join("image.db-shm"));
    let registry = Registry::open(&path).map_err(|error| error.to_string())?;
    let access = Access::full("test");
    for slug in told {
        let found = registry.get(&access, &PromptRef::new(slug), &Selector::Latest, None).await;
        let prompt = found.map_err(|error| format!("{slug} is lost: {error}"))?.prompt;
        if prompt.content != slug.repeat(50) {
            return Err(format!("{slug} is half there"));
        }
    }
    drop(registry);
    let connection = Connection::open(&path).unwrap();
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(|error| error.to_string())?;
    if sound == "ok" { Ok(()) } else { Err(sound) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_7_what_was_acknowledged_outlives_a_power_cut() {
    const PUBLISHES: usize = 160;
    let images = runs(2000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prompts.db");
    let process = Process::start(&path);
    let key = process.admin.clone().unwrap();
    let files = [path.clone(), folder.path().join("prompts.db-wal")];
    // Nothing is under way: what is there is synced.
    let synced: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    let trace = folder.path().join("trace");
    let strace = record(&process, &trace);
    let header = format!("authorization: Bearer {}\r\n", key.expose());
    let writers = (0..4).map(|writer| {
        let (address, header) = (process.address, header.clone());
        tokio::spawn(async move {
            for number in 0..PUBLISHES / 4 {
                let slug = format!("p-{writer}-{number}");
                let body = json!({ "name": slug, "slug": slug, "content": slug.repeat(50) });
                let line = "POST /v1/client/prompts";
                let answer = ask(address, line, &header, &body.to_string()).await;
                assert_eq!(answer.status, 201, "{answer:?}");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    strace.end();
    drop(process);
    let text = std::fs::read_to_string(&trace).unwrap();
    let mut syncing = HashMap::new();
    let events: Vec<Event> =
        text.lines().filter_map(|line| event(line, &files, &mut syncing)).collect();
    let is_told = |event: &&Event| matches!(event, Event::Told(_));
    assert_eq!(events.iter().filter(is_told).count(), PUBLISHES, "all of it is on the record");
    let syncs = events.iter().filter(|event| matches!(event, Event::Sync { .. })).count();
    assert!(syncs > 0, "so are the syncs");

    let mut chance = Rng::with_seed(seed());
    let mut cuts: Vec<usize> = (0..images).map(|_| chance.usize(..events.len())).collect();
    cuts.sort_unstable();
    let since = vec![Vec::new(), Vec::new()];
    let (mut disk, mut told, mut taken) = (Disk { synced, since }, Vec::new(), 0);
    let mut wrong = Vec::new();
    let at = tempfile::tempdir().unwrap();
    for cut in cuts {
        for event in &events[taken..cut] {
            disk.take(event);
            if let Event::Told(slug) = event {
                told.push(slug.clone());
            }
        }
        taken = cut;
        let image = disk.image(&mut chance);
        if let Err(error) = check(at.path(), &image, &told).await {
            wrong.push(format!("cut {cut}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {images}: {}", wrong.len(), wrong[0]);
    let measured = format!(
        "0 lost, 0 corrupt of {images} images ({} calls, {syncs} syncs, {PUBLISHES} acknowledged)",
        events.len()
    );
    row(7, "power cut: unsynced writes lost, torn, reordered", "as row 6", measured, true);
}
