//! Prompts of other tools.
