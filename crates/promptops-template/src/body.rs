use std::cmp::Reverse;

use promptops_types::{BodyKind, ModelProvider, ModelSpecificPrompt};

/// Chooses the body for a model: its index and how it was chosen; `None` for the prompt's own
/// content.
///
/// First a body for exactly this provider and name. Then the bodies of this provider whose name
/// the model's name starts with; the longest wins, and a body without a name is the shortest.
pub fn choose_body(
    bodies: &[ModelSpecificPrompt],
    provider: Option<&ModelProvider>,
    name: Option<&str>,
) -> Option<(usize, BodyKind)> {
    choose(
        bodies.iter().map(|body| (&body.model_provider, body.model_name.as_deref())),
        provider,
        name,
    )
}

/// The same over the provider and name of each body.
pub(crate) fn choose<'b>(
    bodies: impl Iterator<Item = (&'b ModelProvider, Option<&'b str>)>,
    provider: Option<&ModelProvider>,
    name: Option<&str>,
) -> Option<(usize, BodyKind)> {
    let provider = provider?;
    let asked = name.unwrap_or_default();
    let (index, (_, chosen)) = bodies
        .enumerate()
        .filter(|(_, (serves, _))| *serves == provider)
        .filter(|(_, (_, prefix))| asked.starts_with(prefix.unwrap_or_default()))
        // Of two bodies with one name the first wins, as in reading order.
        .max_by_key(|(index, (_, prefix))| (prefix.map_or(0, str::len), Reverse(*index)))?;
    let exact = name.is_some() && chosen == name;
    Some((index, if exact { BodyKind::Exact } else { BodyKind::Prefix }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_beats_longest_prefix_beats_provider_alone() {
        let body = |name: &str| {
            let body = ModelSpecificPrompt::new(ModelProvider::OpenAi, name);
            if name.is_empty() { body } else { body.model_name(name) }
        };
        let bodies = [body(""), body("gpt-4"), body("gpt-4-turbo"), body("gpt")];
        let choose = |name| choose_body(&bodies, Some(&ModelProvider::OpenAi), name);
        assert_eq!(choose(Some("gpt-4")), Some((1, BodyKind::Exact)));
        assert_eq!(choose(Some("gpt-4-turbo-2024")), Some((2, BodyKind::Prefix)));
        assert_eq!(choose(Some("gpt-5")), Some((3, BodyKind::Prefix)));
        assert_eq!(choose(Some("o1")), Some((0, BodyKind::Prefix)));
        assert_eq!(choose(None), Some((0, BodyKind::Prefix)));
        assert_eq!(choose_body(&bodies, Some(&ModelProvider::Google), Some("gpt-4")), None);
        assert_eq!(choose_body(&bodies, None, Some("gpt-4")), None);
    }
}
