//! The catalogue as it stands in the file.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
pub(super) struct Catalogue {
    pub(super) source: String,
    pub(super) date: String,
    pub(super) models: Vec<Model>,
}

/// One model. Fields are written in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Model {
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) context_window: u64,
    pub(super) max_output_tokens: u64,
    pub(super) capabilities: BTreeSet<String>,
    pub(super) input_price_per_million_tokens: f64,
    pub(super) output_price_per_million_tokens: f64,
    pub(super) currency: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deprecated_at: Option<String>,
}

impl Catalogue {
    /// Whether both hold the same models from the same source, whatever their dates.
    pub(super) fn says_the_same_as(&self, other: &Self) -> bool {
        self.source == other.source && self.models == other.models
    }

    /// The file's text: one model a line, so that a difference shows which models changed.
    pub(super) fn to_json(&self) -> Result<String, String> {
        let line = |model| serde_json::to_string(model).map_err(|error| error.to_string());
        let models: Vec<String> = self.models.iter().map(line).collect::<Result<_, _>>()?;
        let source = serde_json::Value::from(self.source.as_str());
        let date = serde_json::Value::from(self.date.as_str());
        let models = models.join(",\n");
        Ok(format!(
            "{{\n\"source\": {source},\n\"date\": {date},\n\"models\": [\n{models}\n]\n}}\n"
        ))
    }

    /// How many models each provider has.
    pub(super) fn summary(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for model in &self.models {
            *counts.entry(&model.provider).or_default() += 1;
        }
        let counts: Vec<String> =
            counts.into_iter().map(|(provider, count)| format!("{provider} {count}")).collect();
        counts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, Model};
    use std::collections::BTreeSet;

    fn model(provider: &str, name: &str) -> Model {
        Model {
            provider: provider.to_owned(),
            name: name.to_owned(),
            context_window: 8192,
            max_output_tokens: 4096,
            capabilities: BTreeSet::from(["vision".to_owned(), "chat".to_owned()]),
            input_price_per_million_tokens: 30.0,
            output_price_per_million_tokens: 0.075,
            currency: "USD".to_owned(),
            deprecated_at: None,
        }
    }

    #[test]
    fn the_text_has_one_model_a_line_and_reads_back() {
        let mut catalogue = Catalogue {
            source: "litellm 1.0.0".to_owned(),
            date: "2026-01-02".to_owned(),
            models: vec![model("google", "a"), model("openai", "b")],
        };
        catalogue.models[1].deprecated_at = Some("2026-12-31".to_owned());
        let text = catalogue.to_json().unwrap();
        assert_eq!(
            text,
            r#"{
"source": "litellm 1.0.0",
"date": "2026-01-02",
"models": [
{"provider":"google","name":"a","context_window":8192,"max_output_tokens":4096,"capabilities":["chat","vision"],"input_price_per_million_tokens":30.0,"output_price_per_million_tokens":0.075,"currency":"USD"},
{"provider":"openai","name":"b","context_window":8192,"max_output_tokens":4096,"capabilities":["chat","vision"],"input_price_per_million_tokens":30.0,"output_price_per_million_tokens":0.075,"currency":"USD","deprecated_at":"2026-12-31"}
]
}
"#
        );
        let mut read: Catalogue = serde_json::from_str(&text).unwrap();
        read.date = "2027-01-02".to_owned();
        assert!(read.says_the_same_as(&catalogue));
        read.models[0].output_price_per_million_tokens = 0.08;
        assert!(!read.says_the_same_as(&catalogue));
    }

    #[test]
    fn the_summary_counts_by_provider() {
        let models = vec![model("google", "a"), model("openai", "b"), model("openai", "c")];
        let catalogue = Catalogue { source: String::new(), date: String::new(), models };
        assert_eq!(catalogue.summary(), "google 1, openai 2");
    }
}
