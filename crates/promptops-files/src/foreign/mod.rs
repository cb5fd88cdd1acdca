//! Prompts of other tools.
// Placeholder until the modules of this folder are written.
#![allow(missing_docs, clippy::missing_errors_doc)]
use crate::{Imported, Mistakes};
pub fn langfuse(_: &str, _: &[u8]) -> Result<Vec<Imported>, Mistakes> {
    Ok(Vec::new())
}
pub fn dotprompt(_: &str, slug: &str, _: &[u8]) -> Result<Imported, Mistakes> {
    Ok(Imported::new(slug))
}
pub fn prompty(_: &str, slug: &str, _: &[u8]) -> Result<Imported, Mistakes> {
    Ok(Imported::new(slug))
}
