//! How large things may be. Each limit is told in the error that enforces it.

/// Most bytes of one template: the content, one message, one model body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Most prompts on one page of a list.
pub const MAX_PAGE: u64 = 1000;

/// Most characters of a name, slug, project, module or variable.
pub(crate) const MAX_NAME_CHARS: usize = 200;

/// Most characters of a description or of a version's message.
pub(crate) const MAX_DESCRIPTION_CHARS: usize = 10_000;

/// Most messages, model bodies, variables, tags or target models of one prompt.
pub(crate) const MAX_ITEMS: usize = 500;

/// Most characters of a tag.
pub(crate) const MAX_TAG_CHARS: usize = 100;

/// Most bytes of metadata as JSON.
pub(crate) const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Most bytes of a whole version as JSON: several large bodies, but not many.
pub(crate) const MAX_VERSION_BYTES: usize = 4 * 1024 * 1024;

/// Most bytes of bodies that one page or one list of versions reads: the rest is left out, or left
/// to the next page. As JSON that fits in the 12 MiB that the client takes of an answer.
pub(crate) const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Most prompts an error suggests.
pub(crate) const MAX_SUGGESTIONS: usize = 5;
