/// Why a store cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or created.
    #[error("cannot open the registry `{path}`: {reason}; check the path and its permissions")]
    CannotOpen {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is something else.
    #[error("`{path}` is not a PromptOps registry: {reason}; choose another file")]
    NotARegistry {
        /// The file.
        path: String,
        /// What it is.
        reason: String,
    },
    /// A newer version of PromptOps has written the file.
    #[error(
        "`{path}` has schema {found}, and this build knows schemas up to {known}: it was written \
         by a newer PromptOps; update this program"
    )]
    NewerSchema {
        /// The file.
        path: String,
        /// Its schema.
        found: u32,
        /// The highest schema this build knows.
        known: u32,
    },
    /// Another process has held the write lock for too long.
    #[error("the registry is busy: another process is writing to it; try again")]
    Busy,
    /// The file or its folder is read-only.
    #[error("the registry is read-only: {0}; make the file and its folder writable")]
    ReadOnly(String),
    /// The disk is full.
    #[error("the disk of the registry is full: {0}; nothing was written, make room")]
    Full(String),
    /// The file is damaged.
    #[error("the registry is damaged: {0}; restore a backup")]
    Corrupt(String),
    /// Reading or writing the file failed.
    #[error("the registry cannot be read or written: {0}; check its disk")]
    Io(String),
    /// The database cannot be reached.
    #[error("the registry's database cannot be reached: {0}; check that it runs, and try again")]
    Unreachable(String),
    /// The registry has been shut down.
    #[error("the registry is closed")]
    Closed,
    /// Anything else.
    #[error("the store failed: {0}")]
    Other(String),
}

impl StoreError {
    /// Whether the same operation may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Full(_) | Self::Io(_) | Self::Unreachable(_))
    }
}
