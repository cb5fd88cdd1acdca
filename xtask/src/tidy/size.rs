//! Long source files ask for a second look; they fail nothing.

use super::File;

const LONG: usize = 400;

pub(super) fn notes(files: &[File]) -> Vec<String> {
    files
        .iter()
        .filter(|file| file.has_extension("rs"))
        .map(|file| (file, file.lines().count()))
        .filter(|(_, lines)| *lines > LONG)
        .map(|(file, lines)| format!("{} has {lines} lines; is it about one thing?", file.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{LONG, notes};
    use crate::tidy::tests::file;

    #[test]
    fn only_long_rust_files_are_noted() {
        let short = "\n".repeat(LONG);
        let long = "\n".repeat(LONG + 1);
        let noted = notes(&[file("a.rs", &short), file("b.rs", &long), file("c.md", &long)]);
        assert_eq!(noted, ["b.rs has 401 lines; is it about one thing?"]);
    }
}
