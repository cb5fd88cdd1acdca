//! `promptops init`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use dialoguer::Input;
use promptops_client::DEFAULT_PROJECT;
use serde_json::json;

use crate::block_on;
use crate::failure::{Exit, Failure};
use crate::folder::write;
use crate::output::can_ask;
use crate::settings::{FOLDER, Global, PROJECT_FILE, Registry};

const REGISTRY: &str = "sqlite:prompts.db";

/// What Git has to leave as it is: the bytes of a content are the content.
const ATTRIBUTES: &str = "*.prompt.md -text\n";

/// A prompt to try things on.
const EXAMPLE: &str = "---\nname: Greeting\ndescription: An example to try things on.\n---\n\
                       Hello {{ name }}, how can I help you?\n";

/// Sets this folder up for prompts as files
///
/// Writes promptops.toml and the folder of the prompts with an example in it, keeps Git from changing line ends
/// in prompt files, and makes the registry where that is a file. Asks what no flag says, on a terminal.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder of the prompt files [default: prompts]
    #[arg(long)]
    folder: Option<PathBuf>,

    /// Ask nothing; take the defaults
    #[arg(long, short)]
    yes: bool,

    /// Replace a promptops.toml that is there
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        if Path::new(PROJECT_FILE).exists() && !self.force {
            let message = format!("there is a {PROJECT_FILE} here already");
            return Err(Failure::new(Exit::Conflict, message).help("--force replaces it"));
        }
        let registry = self.ask("Registry", global.base_url.clone(), REGISTRY)?;
        let project = self.ask("Project", global.project.clone(), DEFAULT_PROJECT)?;
        let folder = self.folder.as_ref().map(|folder| folder.display().to_string());
        let folder = self.ask("Folder of the prompt files", folder, FOLDER)?;
        let settings = settings(&registry, &project, &folder);
        // Before anything is written: a registry that cannot be.
        let asked = Global {
            base_url: Some(registry.clone()),
            project: Some(project.clone()),
            ..global.clone()
        };
        if registry.starts_with("sqlite:") {
            let session = asked.session(Registry::MayBeNew)?;
            block_on(async { Ok(session.client.initialize().await?) })?;
        }
        write(Path::new(PROJECT_FILE), &settings)?;
        let folder_path = Path::new(&folder);
        let is_new = !folder_path.exists();
        let failed = |error: std::io::Error| Failure::from(format!("{folder}: {error}"));
        std::fs::create_dir_all(folder_path).map_err(failed)?;
        let example = folder_path.join("greeting.prompt.md");
        if is_new {
            write(&example, EXAMPLE)?;
        }
        add_line(".gitattributes", ATTRIBUTES)?;
        if let Some(path) = registry.strip_prefix("sqlite:").filter(|path| *path != ":memory:") {
            add_line(".gitignore", &format!("{path}*\n"))?;
        }
        let output = global.output();
        if output.json {
            let told = json!({ "registry": registry, "project": project, "folder": folder });
            return output.data(&told);
        }
        output.line(&format!("wrote {PROJECT_FILE}; prompt files are in {folder}"))?;
        if is_new {
            output.line("next: promptops push, then promptops render greeting -v name=Ann")?;
        }
        Ok(())
    }

    /// What a flag says, else what somebody says, else the default.
    fn ask(&self, what: &str, flag: Option<String>, default: &str) -> Result<String, Failure> {
        if let Some(flag) = flag {
            return Ok(flag);
        }
        if self.yes || !can_ask() {
            return Ok(default.to_owned());
        }
        let question = Input::new().with_prompt(what).default(default.to_owned());
        Ok(question.interact_text().map_err(|error| error.to_string())?)
    }
}

fn settings(registry: &str, project: &str, folder: &str) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut settings = String::new();
    let _ = writeln!(settings, "# https://HOST/v1, or sqlite:PATH from here");
    let _ = writeln!(settings, "registry = {}", quoted(registry));
    let _ = writeln!(settings, "project = {}", quoted(project));
    let _ = writeln!(settings, "folder = {}", quoted(folder));
    settings
}

/// Adds a line to a file where it is not there.
fn add_line(path: &str, line: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::from(format!("{path}: {error}"));
    let there = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    if there.lines().any(|other| other == line.trim_end()) {
        return Ok(());
    }
    let gap = if there.is_empty() || there.ends_with('\n') { "" } else { "\n" };
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    file.write_all(format!("{gap}{line}").as_bytes()).map_err(failed)
}
