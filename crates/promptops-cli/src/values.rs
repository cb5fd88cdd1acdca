//! Values that commands take as one argument.

use std::io::Read;
use std::path::Path;

use clap::ValueEnum;
use promptops_client::{Bump, ModelProvider, SortBy, SortOrder};

use crate::failure::Failure;

/// What stands for standard input.
const STDIN: &str = "-";

/// Largest text that is read from a file or from standard input.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The text of a file, or of standard input for `-`.
pub(crate) fn text_of(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let shown =
        if path == Path::new(STDIN) { "standard input".into() } else { path.display().to_string() };
    let read = if path == Path::new(STDIN) {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
    };
    read.map_err(|error| format!("{shown}: {error}"))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("{shown}: is larger than {} MiB", MAX_BYTES / 1024 / 1024).into());
    }
    Ok(text)
}

/// A model as `openai/gpt-4`, or a provider alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) provider: ModelProvider,
    pub(crate) name: Option<String>,
}

impl std::str::FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (provider, name) = match text.split_once('/') {
            Some((provider, name)) => (provider, Some(name)),
            None => (text, None),
        };
        if provider.is_empty() || name.is_some_and(str::is_empty) {
            return Err("write PROVIDER/MODEL, such as openai/gpt-4, or PROVIDER".to_owned());
        }
        Ok(Self { provider: provider.into(), name: name.map(str::to_owned) })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Sort {
    CreatedAt,
    UpdatedAt,
    Name,
}

impl From<Sort> for SortBy {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::CreatedAt => Self::CreatedAt,
            Sort::UpdatedAt => Self::UpdatedAt,
            Sort::Name => Self::Name,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    Asc,
    Desc,
}

impl From<Order> for SortOrder {
    fn from(order: Order) -> Self {
        match order {
            Order::Asc => Self::Asc,
            Order::Desc => Self::Desc,
        }
    }
}

/// Which number of the version is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Raise {
    Major,
    #[default]
    Minor,
    Patch,
}

impl From<Raise> for Bump {
    fn from(raise: Raise) -> Self {
        match raise {
            Raise::Major => Self::Major,
            Raise::Minor => Self::Minor,
            Raise::Patch => Self::Patch,
        }
    }
}
