#![doc = include_str!("../README.md")]

mod body;
mod file;
pub mod foreign;
mod front_matter;
mod imported;
mod layout;
mod mistake;
mod path;
mod write;
mod yaml;

pub use file::{PromptFile, fingerprint};
pub use imported::{Imported, ImportedVersion};
pub use mistake::{Mistake, Mistakes};
pub use path::{PROMPT_FILE, path_of, slug_of};
pub use write::write;
