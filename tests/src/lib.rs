//! The samples of the README and of the book, compiled and run as doctests.

/// The project's README.
#[doc = include_str!("../../README.md")]
pub mod readme {}
