//! Registries of any size, made without publishing each version: an export is written, and imported.

use std::io::{BufWriter, Seek};
use std::path::Path;

use promptops_client::{LabelName, LabelTarget, Timestamp, Version};
use promptops_registry::{
    Access, Action, AuditEntry, ExportWriter, PromptHead, Record, Registry, StoredVersion,
    VersionContent,
};
use promptops_types::Label;

/// Versions of each prompt: 1.0.0 to 1.4.0.
pub(crate) const VERSIONS: u64 = 5;

/// So many prompts are in each project; what is left of a million is in the last of 20.
const PROJECTS: u64 = 20;

const SUBJECTS: [&str; 12] = [
    "Refund",
    "Greeting",
    "Summary",
    "Translation",
    "Triage",
    "Escalation",
    "Invoice",
    "Onboarding",
    "Survey",
    "Outage",
    "Renewal",
    "Feedback",
];
const TEAMS: [&str; 7] =
    ["support", "sales", "legal", "research", "finance", "operations", "marketing"];

/// The slug of a prompt.
pub(crate) fn slug(number: u64) -> String {
    let subject = SUBJECTS[index(number, SUBJECTS.len())];
    format!("{}-{number}", subject.to_lowercase())
}

/// The project that it is in.
pub(crate) fn project(number: u64) -> String {
    format!("project-{}", number % PROJECTS)
}

fn index(number: u64, length: usize) -> usize {
    usize::try_from(number).unwrap() % length
}

/// Its UUID: of version 7, the older the smaller.
fn id(number: u64) -> String {
    format!("0199e0a3-0000-7000-8000-{number:012x}")
}

fn at(change: u64) -> Timestamp {
    // One change a second, from 2024 on.
    let seconds = 1_704_067_200 + i64::try_from(change).unwrap();
    Timestamp::from_unix_micros(seconds * 1_000_000)
}

fn production() -> LabelName {
    "production".parse().unwrap()
}

fn content(number: u64, version: u64) -> VersionContent {
    let subject = SUBJECTS[index(number, SUBJECTS.len())];
    let team = TEAMS[index(number, TEAMS.len())];
    VersionContent {
        name: format!("{subject} {number}"),
        description: format!("What {team} answers first"),
        content: format!(
            "Dear {{{{ customer }}}},\n\nrevision {version} of {subject} {number}: thank you for \
             writing about {{{{ topic }}}}. We answer within {{{{ hours }}}} hours.\n\n{team}"
        ),
        variables: ["customer", "topic", "hours"].map(str::to_owned).to_vec(),
        tags: vec![team.to_owned(), format!("wave-{}", number % 100)],
        module_id: Some(team.to_owned()),
        ..VersionContent::default()
    }
}

/// Writes each record of a registry of so many prompts.
fn records(prompts: u64, mut each: impl FnMut(Record)) {
    for project in 0..PROJECTS.min(prompts) {
        each(Record::Project { id: self::project(project), created_at: at(0) });
    }
    let head = |number: u64| PromptHead {
        id: id(number),
        project: project(number),
        slug: slug(number),
        created_at: at(number * VERSIONS),
        // Each version is a change, and the label one more.
        revision: (number + 1) * (VERSIONS + 1),
        last_release: Some(Version::new(1, VERSIONS - 1, 0)),
        version_count: VERSIONS,
    };
    let stored = |number: u64, version: u64| StoredVersion {
        version: Version::new(1, version, 0),
        content: content(number, version),
        digest: format!("{:064x}", number * VERSIONS + version),
        updated_at: at(number * VERSIONS + version),
        created_by: "generator".to_owned(),
        message: None,
        labels: Vec::new(),
    };
    let target = LabelTarget::Version(Version::new(1, VERSIONS - 2, 0));
    for number in 0..prompts {
        each(Record::Prompt { head: head(number) });
        for version in 0..VERSIONS {
            each(Record::Version { version: Box::new(stored(number, version)) });
        }
        let time = at(number * VERSIONS + VERSIONS - 1);
        let by = "generator".to_owned();
        let label = Label::new(production(), target.clone(), time, by);
        each(Record::Label { label });
    }
    for number in 0..prompts {
        let entry = |change: u64, action: Action| {
            let time = at(number * VERSIONS + change.min(VERSIONS - 1));
            let mut entry = AuditEntry::new("generator", action, time);
            entry.seq = number * (VERSIONS + 1) + change + 1;
            entry.project = project(number);
            entry.prompt_id = id(number);
            entry.slug = slug(number);
            entry
        };
        for version in 0..VERSIONS {
            let mut entry = entry(version, Action::Publish);
            entry.version = Some(Version::new(1, version, 0));
            entry.digest_after = Some(format!("{:064x}", number * VERSIONS + version));
            each(Record::Audit { entry: Box::new(entry) });
        }
        let mut entry = entry(VERSIONS, Action::SetLabel);
        entry.label = Some(production());
        entry.target_after = Some(target.clone());
        each(Record::Audit { entry: Box::new(entry) });
    }
}

/// A registry file of so many prompts of [`VERSIONS`] versions, with labels, tags, modules and an audit trail.
pub(crate) async fn generate(path: &Path, prompts: u64) {
    // Beside the registry: an export of a million is gigabytes.
    let mut file = tempfile::tempfile_in(path.parent().unwrap()).unwrap();
    let mut writer = ExportWriter::new(BufWriter::new(&file), at(0)).unwrap();
    records(prompts, |record| writer.record(&record).unwrap());
    writer.finish().unwrap();
    file.rewind().unwrap();
    let registry = Registry::open(path).unwrap();
    registry.import(&Access::full("generator"), file).await.unwrap();
}
