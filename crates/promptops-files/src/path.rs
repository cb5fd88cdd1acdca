//! Where the file of a prompt is: its slug as a path, slashes as folders.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

/// What every prompt file's name ends with.
pub const PROMPT_FILE: &str = ".prompt.md";

/// Most bytes of a file's name on the usual file systems.
const MAX_NAME: usize = 255;

/// What some file system refuses, or takes for something else; and `%`, which stands for itself no more.
const SPECIAL: &str = "%\\:*?\"<>|";

/// Names that Windows keeps for devices.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// The path of a prompt's file, below the folder of the prompts. It never leads out of that folder.
/// Characters that some file system refuses stand in it as `%` and two hexadecimal digits a byte.
///
/// ```
/// use promptops_files::path_of;
///
/// assert_eq!(path_of("support/refund")?.to_str(), Some("support/refund.prompt.md"));
/// assert_eq!(path_of("../why?")?.to_str(), Some("%2E%2E/why%3F.prompt.md"));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Why no file can have this name, for people: a part of it is empty, or too long.
pub fn path_of(slug: &str) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    let mut segments = slug.split('/').peekable();
    while let Some(segment) = segments.next() {
        let mut name = file_name(segment);
        if segments.peek().is_none() {
            name.push_str(PROMPT_FILE);
        }
        if segment.is_empty() {
            return Err(format!(
                "the slug `{slug}` has an empty part, which no file can be named by"
            ));
        }
        if name.len() > MAX_NAME {
            return Err(format!("the slug `{slug}` has a part that is too long for a file's name"));
        }
        path.push(name);
    }
    Ok(path)
}

fn file_name(segment: &str) -> String {
    let lower = segment.to_ascii_lowercase();
    let stem = lower.split('.').next().unwrap_or_default();
    let is_numbered = |prefix| {
        stem.strip_prefix(prefix)
            .is_some_and(|n: &str| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    let is_device = DEVICES.contains(&stem) || is_numbered("com") || is_numbered("lpt");
    let last = segment.chars().count().saturating_sub(1);
    let mut name = String::with_capacity(segment.len());
    for (index, c) in segment.chars().enumerate() {
        let at_end = (index == 0 && (c == '.' || is_device)) || (index == last && " .".contains(c));
        if at_end || c.is_control() || SPECIAL.contains(c) {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                name.push_str(&format!("%{byte:02X}"));
            }
        } else {
            name.push(c);
        }
    }
    name
}

/// The slug of the prompt whose file is at this path, below the folder of the prompts.
///
/// # Errors
/// Why it is not the path of a prompt's file, for people, and what it would be.
pub fn slug_of(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let mut segments = Vec::new();
    for component in path.components() {
        let Component::Normal(name) = component else {
            return Err(format!("`{shown}` is not below the folder of the prompts"));
        };
        let Some(name) = name.to_str() else {
            return Err(format!("`{shown}` is not UTF-8; rename it"));
        };
        segments.push(name);
    }
    let Some(last) = segments.last_mut() else {
        return Err("a prompt file needs a name".to_owned());
    };
    *last = last.strip_suffix(PROMPT_FILE).ok_or_else(|| {
        format!("`{shown}` is no prompt file; its name has to end with `{PROMPT_FILE}`")
    })?;
    let slug = percent_decode_str(&segments.join("/"))
        .decode_utf8()
        .map_err(|_| format!("`{shown}` has a `%` that stands for no text; write `%25`"))?
        .into_owned();
    match path_of(&slug)? {
        written if written == path => Ok(slug),
        written => Err(format!("`{shown}` would be written as `{}`; rename it", written.display())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_one_slug_and_stays_in_its_folder() {
        for slug in ["..", "a/../../b", "/etc/passwd", "C:\\x", "nul", "com1.x", "a.", " ", "a%2Fb"]
        {
            let Ok(path) = path_of(slug) else { continue };
            assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
            assert_eq!(slug_of(&path).as_deref(), Ok(slug));
        }
        assert!(path_of("/etc/passwd").unwrap_err().contains("empty part"));
        assert!(path_of(&"x".repeat(250)).unwrap_err().contains("too long"));
        assert!(slug_of(Path::new("../a.prompt.md")).unwrap_err().contains("not below"));
        assert!(slug_of(Path::new("a.md")).unwrap_err().contains(".prompt.md"));
        assert!(slug_of(Path::new("a?.prompt.md")).unwrap_err().contains("a%3F.prompt.md"));
        assert!(slug_of(Path::new("a%FF.prompt.md")).unwrap_err().contains("%25"));
    }

    proptest! {
        #[test]
        fn every_slug_comes_back(slug in r"[a-zA-Z0-9 .%/\\:*?äß🎉-]{1,30}") {
            if let Ok(path) = path_of(&slug) {
                prop_assert_eq!(slug_of(&path), Ok(slug));
            }
        }
    }
}
