//! Prompts of other tools: one that is read has versions that can be parsed, written as files and read
//! again; one that is not says why and where.
#![no_main]

use libfuzzer_sys::fuzz_target;
use promptops_files::{Imported, Mistakes, PromptFile, foreign, write};
use promptops_template::PromptTemplate;
use promptops_types::PromptResponse;

fuzz_target!(|data: &[u8]| {
    let one = |read: Result<Imported, Mistakes>| read.map(|prompt| vec![prompt]);
    for read in [
        one(foreign::dotprompt("f", "slug", data)),
        one(foreign::prompty("f", "slug", data)),
        foreign::langfuse("f", data),
    ] {
        match read {
            Ok(prompts) => prompts.iter().for_each(imported),
            Err(mistakes) => {
                assert!(!mistakes.all().is_empty());
                assert!(mistakes.all().iter().all(|one| one.line > 0 && one.column > 0));
                assert!(!mistakes.render(true).is_empty());
            }
        }
    }
});

fn imported(read: &Imported) {
    assert!(!read.versions.is_empty(), "{read:?}");
    for (label, target) in &read.labels {
        assert!(!target.versions().is_empty(), "`{label}` points at nothing");
        for number in target.versions() {
            let number = number.to_string();
            let is_there = read.versions.iter().any(|version| version.version == number);
            assert!(is_there, "`{label}` points at {number}, which is not there");
        }
    }
    for version in &read.versions {
        let prompt = version.prompt.clone().slug(&*read.slug);
        let there = PromptResponse::from(prompt);
        PromptTemplate::parse(&there).unwrap_or_else(|error| panic!("{there:?}: {error}"));
        let text = write(&there);
        let file = PromptFile::parse("f", &read.slug, text.as_bytes());
        let file = file.unwrap_or_else(|mistakes| panic!("{text:?}: {mistakes}"));
        assert!(file.is_same(&there), "{text:?}");
    }
}
