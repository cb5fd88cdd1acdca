/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The registry, for this call or for one that waited with it.
    Network,
    /// The cache in this process.
    Near,
    /// The cache outside this process.
    Far,
    /// A cache, though its time is over: while it is refreshed, or since the registry failed.
    Stale,
    /// The caller's fallback, since the call failed.
    Fallback,
}

impl Source {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Near => "near",
            Self::Far => "far",
            Self::Stale => "stale",
            Self::Fallback => "fallback",
        }
    }

    /// Whether it is a cache.
    pub fn is_cache(self) -> bool {
        matches!(self, Self::Near | Self::Far | Self::Stale)
    }
}
