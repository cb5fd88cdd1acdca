//! The difference between two texts, as people read it.

use std::time::Duration;

use similar::TextDiff;

/// How long a diff may look for the smallest set of changes before it settles for a larger one.
const PATIENCE: Duration = Duration::from_millis(500);

/// A unified diff with three lines of context; empty for equal texts.
pub(crate) fn unified(from: (&str, &str), to: (&str, &str)) -> String {
    if from.1 == to.1 {
        return String::new();
    }
    TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(from.1, to.1)
        .unified_diff()
        .context_radius(3)
        .header(from.0, to.0)
        .to_string()
}
