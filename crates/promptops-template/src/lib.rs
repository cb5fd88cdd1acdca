#![doc = include_str!("../README.md")]

mod body;
mod error;
#[cfg(feature = "jinja")]
mod jinja;
#[cfg(feature = "jinja")]
mod jinja_rules;
#[cfg(feature = "jinja")]
mod jinja_scan;
mod near_match;
mod placeholder;
mod prompt;
mod simple;
mod template;
mod value;

pub use body::choose_body;
pub use error::TemplateError;
pub use near_match::near_match;
pub use placeholder::{Placeholder, Position};
pub use prompt::{PromptTemplate, RenderOptions, RenderedPrompt};
pub use template::{MAX_RENDERED_BYTES, Template};
