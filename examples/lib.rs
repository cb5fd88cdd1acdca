//! Programs that show PromptOps at work; run one with `cargo run --example NAME`.
