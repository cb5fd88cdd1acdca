//! What others build on: what the shipped programs are made of, under which licences, and what
//! they promise of versions.

mod copy;
mod expression;
mod licences;
mod minimal_versions;
mod sbom;
mod semver;
mod shipped;

pub(crate) use licences::{check as check_licences, write as licences};
pub(crate) use minimal_versions::run as minimal_versions;
pub(crate) use sbom::run as sbom;
pub(crate) use semver::run as semver;
