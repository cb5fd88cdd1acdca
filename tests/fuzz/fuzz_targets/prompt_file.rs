//! Prompt files: one that is read is written back byte for byte, a prompt that was read is the same when
//! it comes back from a registry, and every mistake stands where it is said to.
#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use promptops_files::{Mistakes, PromptFile, path_of, slug_of, write};
use promptops_types::{NewPrompt, PromptResponse};

/// Most bytes of a file that is always written back: what is kept of its layout has a limit.
const MOST_BYTES: usize = 2500;

fuzz_target!(|data: &[u8]| {
    if let Some(line) = data.split(|byte| *byte == b'\n').next()
        && let Ok(line) = str::from_utf8(line)
    {
        names(line);
    }
    let file = match PromptFile::parse("f.prompt.md", "slug", data) {
        Ok(file) => file,
        Err(mistakes) => return told(&mistakes, data),
    };
    assert_eq!(file.source().as_bytes(), data);
    let there = pushed(file.prompt());
    assert!(file.is_same(&there), "a push would be needed again");
    let written = write(&there);
    if data.len() <= MOST_BYTES {
        assert_eq!(written, file.source());
    }
    let again = PromptFile::parse("f.prompt.md", "slug", written.as_bytes());
    let again = again.unwrap_or_else(|mistakes| panic!("{written:?}: {mistakes}"));
    assert!(again.is_same(&there), "{written:?}");
    assert_eq!(write(&pushed(again.prompt())), written);
});

/// A slug and its path are one another's, and a path stays in its folder.
fn names(text: &str) {
    if let Ok(path) = path_of(text) {
        let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        assert!(is_inside, "{}", path.display());
        assert_eq!(slug_of(&path).as_deref(), Ok(text));
    }
    if let Ok(slug) = slug_of(Path::new(text)) {
        assert_eq!(path_of(&slug).as_deref(), Ok(Path::new(text)));
    }
}

/// Every mistake is at a line of the file, in the file's order, and can be shown.
fn told(mistakes: &Mistakes, data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(!mistakes.all().is_empty());
    assert!(mistakes.all().is_sorted_by_key(|one| (one.line, one.column)), "{mistakes:?}");
    for one in mistakes.all() {
        assert!((1..=lines).contains(&one.line) && one.column > 0, "{one:?}");
        assert!(!one.message.is_empty());
    }
    assert!(mistakes.render(false).contains("f.prompt.md"), "{mistakes:?}");
}

/// What a registry has after a push.
fn pushed(prompt: &NewPrompt) -> PromptResponse {
    PromptResponse::from(prompt.clone())
}
