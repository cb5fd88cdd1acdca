//! What a caller may have meant by a prompt that is not there.

use crate::limits::MAX_SUGGESTIONS;
use crate::{Access, NamedPrompt, Registry, Store, StoreError};

/// Candidates that the store looks up before they are ranked.
const CANDIDATES: u64 = 2000;

/// Longest text, in bytes, that something similar is looked for: the longest slug.
const MAX_BYTES: usize = 200;

/// Least Jaro-Winkler similarity (Winkler 1990) of slug or name: below it, texts that share no more
/// than a common word would be suggested.
const SIMILAR: f64 = 0.7;

impl Registry {
    /// At most five slugs similar to `text`, the most similar first, of a project that the caller
    /// may see: asked for again there, each is found.
    pub(crate) async fn suggest(
        &self,
        access: &Access,
        project: &str,
        text: &str,
    ) -> Result<Vec<String>, StoreError> {
        if text.len() > MAX_BYTES {
            return Ok(Vec::new());
        }
        let projects = access.narrow(Some(vec![project.to_owned()]));
        let candidates = self.store.similar(projects.as_deref(), text, CANDIDATES).await?;
        Ok(rank(text, candidates))
    }
}

fn rank(text: &str, candidates: Vec<NamedPrompt>) -> Vec<String> {
    let wanted = text.to_lowercase();
    let mut ranked: Vec<(f64, String)> = candidates
        .into_iter()
        .map(|candidate| {
            let likeness = |other: &str| strsim::jaro_winkler(&wanted, &other.to_lowercase());
            (likeness(&candidate.slug).max(likeness(&candidate.name)), candidate.slug)
        })
        .filter(|(likeness, _)| *likeness >= SIMILAR)
        .collect();
    ranked.sort_by(|(a, slug_a), (b, slug_b)| b.total_cmp(a).then_with(|| slug_a.cmp(slug_b)));
    ranked.dedup_by(|(_, a), (_, b)| a == b);
    ranked.truncate(MAX_SUGGESTIONS);
    ranked.into_iter().map(|(_, slug)| slug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_come_first_and_no_more_than_five() {
        let named =
            |slug: &str| NamedPrompt { slug: slug.to_owned(), name: slug.replace('-', " ") };
        let candidates = [
            "greeting",
            "greeting-formal",
            "farewell",
            "greetings",
            "greet",
            "greeting-de",
            "green",
        ];
        let ranked = rank("greetng", candidates.map(named).to_vec());
        assert_eq!(ranked[0], "greeting");
        assert_eq!(ranked.len(), 5);
        assert!(!ranked.contains(&"farewell".to_owned()), "{ranked:?}");
    }
}
