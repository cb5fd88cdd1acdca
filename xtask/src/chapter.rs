//! Parts of the book that a command writes: each between two comments that name it.

use std::fs;

use crate::{Outcome, read};

/// Puts a text between `<!-- part: name -->` and `<!-- end -->`.
pub(crate) fn write(path: &str, part: &str, text: &str) -> Outcome {
    let chapter = replace(&read(path)?, part, text).map_err(|error| format!("{path}: {error}"))?;
    fs::write(path, chapter).map_err(|error| format!("cannot write {path}: {error}"))
}

/// The chapter with one part replaced.
pub(crate) fn replace(chapter: &str, part: &str, text: &str) -> Result<String, String> {
    const END: &str = "<!-- end -->";
    let start = format!("<!-- part: {part} -->\n");
    let missing = || format!("write `{}` and `{END}` where the part is to be", start.trim());
    let (before, after) = chapter.split_once(&start).ok_or_else(missing)?;
    let (_, after) = after.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{start}\n{}\n\n{END}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::replace;

    const CHAPTER: &str = "# A\n\n<!-- part: one -->\nold\n<!-- end -->\n\n\
                           <!-- part: two -->\n<!-- end -->\nlast\n";

    #[test]
    fn one_part_is_replaced_and_the_rest_stays() {
        let once = replace(CHAPTER, "two", "| new |\n").unwrap();
        assert!(once.contains("old\n"), "{once}");
        assert!(once.ends_with("<!-- part: two -->\n\n| new |\n\n<!-- end -->\nlast\n"), "{once}");
        assert_eq!(replace(&once, "two", "| new |").unwrap(), once);
    }

    #[test]
    fn a_part_that_is_not_there_is_named() {
        let error = replace(CHAPTER, "three", "").unwrap_err();
        assert!(error.contains("<!-- part: three -->"), "{error}");
    }
}
