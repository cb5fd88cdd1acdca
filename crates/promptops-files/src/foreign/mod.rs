//! Prompts of other tools, as this one keeps them.
//!
//! What there is no field for is kept in the metadata under its own name. What cannot be said here is a mistake
//! that tells what to do; nothing is left out silently.

mod dotprompt;
mod handlebars;
mod langfuse;
mod parts;
mod prompty;

pub use dotprompt::dotprompt;
pub use langfuse::langfuse;
pub use prompty::prompty;
