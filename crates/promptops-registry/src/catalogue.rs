//! The model catalogue: facts, with their source and date in the data file. `cargo xtask models`
//! refreshes it.

use std::sync::LazyLock;

use promptops_types::{ModelCatalogue, ModelInfo, ModelRef};

static CATALOGUE: LazyLock<ModelCatalogue> =
    // The file is part of the build and a test reads it, so it parses.
    LazyLock::new(|| {
        serde_json::from_str(include_str!("../data/models.json")).unwrap_or_default()
    });

/// Every model this build knows, by provider and name.
pub fn catalogue() -> &'static ModelCatalogue {
    &CATALOGUE
}

/// The model of that name; else the first whose name is a dated release of it
/// (`gpt-4o-2024-11-20` for `gpt-4o`); else the longest of which it is one.
pub(crate) fn find(model: &ModelRef) -> Option<&'static ModelInfo> {
    let of_provider = || catalogue().models.iter().filter(|info| info.provider == model.provider);
    let is_release = |whole: &str, base: &str| {
        whole.strip_prefix(base).is_some_and(|rest| rest.starts_with(['-', '@', ':']))
    };
    of_provider()
        .find(|info| info.name == model.name)
        .or_else(|| of_provider().find(|info| is_release(&info.name, &model.name)))
        .or_else(|| {
            of_provider()
                .filter(|info| is_release(&model.name, &info.name))
                .max_by_key(|info| info.name.len())
        })
}

#[cfg(test)]
mod tests {
    use promptops_types::ModelProvider;

    use super::*;

    #[test]
    fn the_data_file_is_whole_and_says_where_it_is_from() {
        let catalogue = catalogue();
        assert!(catalogue.models.len() > 100, "{}", catalogue.models.len());
        assert!(catalogue.source.contains("litellm") && catalogue.date.len() == 10);
        for info in &catalogue.models {
            assert!(info.provider.is_known() && !info.name.is_empty(), "{info:?}");
        }
    }

    #[test]
    fn names_are_found_exactly_and_by_release() {
        let name = |name: &str| find(&ModelRef::new(ModelProvider::OpenAi, name)).map(|i| &*i.name);
        assert_eq!(name("gpt-4"), Some("gpt-4"));
        assert_eq!(name("gpt-4-9999-01-01"), Some("gpt-4"));
        assert_eq!(name("no-such-model"), None);
    }
}
