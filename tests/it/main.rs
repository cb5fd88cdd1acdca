//! Tests of the whole, a module per subject.

mod bad_input;
mod contract;
mod embedded;
mod examples;
mod vectors;
