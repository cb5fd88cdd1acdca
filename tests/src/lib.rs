//! The samples of the README and of the book, compiled and run as doctests.

/// The project's README.
#[doc = include_str!("../../README.md")]
pub mod readme {}

/// The chapter `api-reference.md`.
#[doc = include_str!("../../docs/src/api-reference.md")]
pub mod api_reference {}

/// The chapter `architecture.md`.
#[doc = include_str!("../../docs/src/architecture.md")]
pub mod architecture {}

/// The chapter `caching.md`.
#[doc = include_str!("../../docs/src/caching.md")]
pub mod caching {}

/// The chapter `concepts.md`.
#[doc = include_str!("../../docs/src/concepts.md")]
pub mod concepts {}

/// The chapter `introduction.md`.
#[doc = include_str!("../../docs/src/introduction.md")]
pub mod introduction {}

/// The chapter `self-hosting.md`.
#[doc = include_str!("../../docs/src/self-hosting.md")]
pub mod self_hosting {}

/// The chapter `scaling-out.md`.
#[doc = include_str!("../../docs/src/scaling-out.md")]
pub mod scaling_out {}

/// The chapter `security.md`.
#[doc = include_str!("../../docs/src/security.md")]
pub mod security {}

/// The chapter `limits.md`.
#[doc = include_str!("../../docs/src/limits.md")]
pub mod limits {}

/// The chapter `network.md`.
#[doc = include_str!("../../docs/src/network.md")]
pub mod network {}

/// The chapter `parity.md`.
#[doc = include_str!("../../docs/src/parity.md")]
pub mod parity {}

/// The chapter `quickstart.md`.
#[doc = include_str!("../../docs/src/quickstart.md")]
pub mod quickstart {}

/// The chapter `templates.md`.
#[doc = include_str!("../../docs/src/templates.md")]
pub mod templates {}

/// The chapter `applications.md`.
#[doc = include_str!("../../docs/src/applications.md")]
pub mod applications {}

/// The chapter `configuration.md`.
#[doc = include_str!("../../docs/src/configuration.md")]
pub mod configuration {}

/// The chapter `observability.md`.
#[doc = include_str!("../../docs/src/observability.md")]
pub mod observability {}

/// The chapter `providers.md`.
#[doc = include_str!("../../docs/src/providers.md")]
pub mod providers {}

/// The chapter `python/index.md`.
#[doc = include_str!("../../docs/src/python/index.md")]
pub mod python {}

/// The chapter `python/reference.md`.
#[doc = include_str!("../../docs/src/python/reference.md")]
pub mod python_reference {}
