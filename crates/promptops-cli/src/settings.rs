//! Which registry a command is about, and how it tells: flags, then the environment, then `promptops.toml`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use promptops_client::{
    AuditEntry, CacheConfig, DEFAULT_BASE_URL, DEFAULT_PROJECT, Error, PromptOpsClient, PromptPage,
    PromptResponse, Secret, SortOrder, TelemetryConfig,
};
use serde::Deserialize;

use crate::commands::PAGE;
use crate::failure::{Exit, Failure};
use crate::output::{Color, Output};

/// The file with the settings of a folder and those below it.
pub(crate) const PROJECT_FILE: &str = "promptops.toml";

/// Where prompt files are unless said otherwise.
pub(crate) const FOLDER: &str = "prompts";

const FILE_SCHEME: &str = "sqlite:";
const MEMORY: &str = ":memory:";

/// What every command takes.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct Global {
    /// The registry: `https://HOST/v1`, `sqlite:PATH` or `sqlite::memory:` [default: what promptops.toml says]
    #[arg(
        long,
        global = true,
        env = "PROMPTOPS_BASE_URL",
        value_name = "URL",
        help_heading = "Registry"
    )]
    pub(crate) base_url: Option<String>,

    /// The key to ask with; better in the environment than on the command line
    #[arg(
        long,
        global = true,
        env = "PROMPTOPS_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        help_heading = "Registry"
    )]
    pub(crate) api_key: Option<Secret>,

    /// The secret to sign requests with
    #[arg(
        long,
        global = true,
        env = "PROMPTOPS_SECRET_KEY",
        value_name = "SECRET",
        hide_env_values = true,
        help_heading = "Registry"
    )]
    pub(crate) secret_key: Option<Secret>,

    /// The project [default: what promptops.toml says, else `default` for a slug and every project for a list]
    #[arg(
        long,
        global = true,
        env = "PROMPTOPS_PROJECT",
        value_name = "PROJECT",
        help_heading = "Registry"
    )]
    pub(crate) project: Option<String>,

    /// Seconds that a request may take, retries included
    #[arg(long, global = true, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = "Registry")]
    pub(crate) timeout: Duration,

    /// Write the result as JSON, and an error as JSON to standard error
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,

    /// Tell nothing but the result
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,

    /// When to write colours: auto is on a terminal, unless `NO_COLOR` is set
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        hide_possible_values = false,
        value_name = "WHEN",
        help_heading = "Output"
    )]
    pub(crate) color: Color,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "give a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err("give a number of seconds above 0".to_owned()),
    }
}

/// What `promptops.toml` may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProjectFile {
    registry: Option<String>,
    project: Option<String>,
    folder: Option<PathBuf>,
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: PromptOpsClient,
    pub(crate) project: Option<String>,
    /// Where prompt files are.
    pub(crate) folder: PathBuf,
    pub(crate) output: Output,
}

/// Whether a command may make the file of a registry that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registry {
    MayBeNew,
    IsThere,
}

impl Global {
    pub(crate) fn output(&self) -> Output {
        Output::new(self.json, self.quiet, self.color)
    }

    /// The folder of the prompt files, without a registry.
    #[expect(clippy::unused_self, reason = "as the session's")]
    pub(crate) fn folder(&self) -> Result<PathBuf, Failure> {
        let (root, file) = project_file()?;
        Ok(root.join(file.folder.unwrap_or_else(|| FOLDER.into())))
    }

    /// Reads the settings and builds a client. It opens no connection.
    pub(crate) fn session(&self, registry: Registry) -> Result<Session, Failure> {
        let (root, file) = project_file()?;
        let folder = root.join(file.folder.unwrap_or_else(|| FOLDER.into()));
        let base_url = match (&self.base_url, file.registry) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) => below(&root, &url),
            // Who has a key has a registry that it is of.
            (None, None) if self.api_key.is_some() => DEFAULT_BASE_URL.to_owned(),
            (None, None) => {
                return Err(Failure::usage("no registry is set here").help(
                    "make one with `promptops init`, or give --base-url or PROMPTOPS_BASE_URL",
                ));
            }
        };
        if let Some(path) = base_url.strip_prefix(FILE_SCHEME).filter(|path| *path != MEMORY)
            && registry == Registry::IsThere
            && !Path::new(path).exists()
        {
            return Err(Failure::new(Exit::NotFound, format!("there is no registry at {path}"))
                .help("`promptops init`, `create`, `push` and `import` make one"));
        }
        let project = self.project.clone().or(file.project);
        // A command asks once, and is nobody's use of a prompt.
        let mut builder = PromptOpsClient::builder()
            .base_url(base_url)
            .timeout(self.timeout)
            .cache(CacheConfig::none())
            .telemetry(TelemetryConfig::disabled());
        if let Some(key) = &self.api_key {
            builder = builder.api_key(key.clone());
        }
        if let Some(secret) = &self.secret_key {
            builder = builder.secret_key(secret.clone());
        }
        if let Some(project) = &project {
            builder = builder.project(project);
        }
        Ok(Session { client: builder.build()?, project, folder, output: self.output() })
    }

    /// The same with a timeout that waiting for changes fits in.
    pub(crate) fn waiting(&self, longest: Duration) -> Self {
        Self { timeout: self.timeout.saturating_add(longest), ..self.clone() }
    }
}

impl Session {
    /// The project of what is written.
    pub(crate) fn project(&self) -> &str {
        self.project.as_deref().unwrap_or(DEFAULT_PROJECT)
    }

    /// A page of the project's prompts, the oldest first: those that come meanwhile come last.
    pub(crate) async fn page(&self, cursor: Option<&str>) -> Result<PromptPage, Error> {
        self.page_of(Some(self.project()), cursor).await
    }

    /// The same of another project, or of all.
    pub(crate) async fn page_of(
        &self,
        project: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<PromptPage, Error> {
        let mut request = self.client.list_prompts().limit(PAGE).sort_order(SortOrder::Asc);
        if let Some(project) = project {
            request = request.project(project);
        }
        if let Some(cursor) = cursor {
            request = request.cursor(cursor);
        }
        request.page().await
    }

    /// Looks at every prompt of the project, a page at a time.
    pub(crate) async fn each_prompt(
        &self,
        each: impl FnMut(&PromptResponse) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.each_prompt_of(Some(self.project()), each).await
    }

    /// The same of another project, or of all.
    pub(crate) async fn each_prompt_of(
        &self,
        project: Option<&str>,
        mut each: impl FnMut(&PromptResponse) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut cursor: Option<String> = None;
        loop {
            let page = self.page_of(project, cursor.as_deref()).await?;
            page.prompts.iter().try_for_each(|prompt| each(prompt))?;
            match page.next_cursor {
                Some(next) if page.has_more => cursor = Some(next),
                _ => return Ok(()),
            }
        }
    }

    /// All versions of a prompt, by its UUID or by its slug in a project, the oldest first.
    pub(crate) async fn all_versions(
        &self,
        id: &str,
        project: Option<&str>,
    ) -> Result<Vec<Arc<PromptResponse>>, Error> {
        let mut request = self.client.prompt_versions(id);
        if let Some(project) = project {
            request = request.project(project);
        }
        let mut versions = request.await?;
        versions.reverse();
        Ok(versions)
    }

    /// Looks at every change that the caller may see, in order.
    pub(crate) async fn each_change(
        &self,
        mut each: impl FnMut(AuditEntry) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut cursor: Option<String> = None;
        loop {
            let mut request = self.client.changes().limit(1000);
            if let Some(cursor) = &cursor {
                request = request.since(cursor);
            }
            let page = request.await?;
            page.changes.into_iter().try_for_each(&mut each)?;
            if !page.has_more {
                return Ok(());
            }
            cursor = Some(page.next_cursor);
        }
    }
}

/// The project file of this folder or of one above it, and the folder it is in.
fn project_file() -> Result<(PathBuf, ProjectFile), Failure> {
    let here = std::env::current_dir()
        .map_err(|error| format!("cannot tell the current folder: {error}"))?;
    for folder in here.ancestors() {
        let path = folder.join(PROJECT_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let wrong = |error| Failure::usage(format!("{}: {error}", path.display()));
                // Below here, paths are told as people type them.
                let root = if folder == here { PathBuf::new() } else { folder.to_owned() };
                return Ok((root, toml::from_str(&text).map_err(wrong)?));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", path.display()).into()),
        }
    }
    Ok((PathBuf::new(), ProjectFile::default()))
}

/// A registry's file is named from where the project file is.
fn below(root: &Path, url: &str) -> String {
    match url.strip_prefix(FILE_SCHEME) {
        Some(path) if path != MEMORY => format!("{FILE_SCHEME}{}", root.join(path).display()),
        _ => url.to_owned(),
    }
}
