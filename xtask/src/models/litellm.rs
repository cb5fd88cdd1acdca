//! Reads litellm's table of models.
//!
//! A model is kept when the table says all that the catalogue says of a model; nothing is guessed.

use super::catalogue::Model;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Which entries become models of which provider of ours.
struct Source {
    litellm_provider: &'static str,
    provider: &'static str,
    /// Stands before the names of all entries meant, and is cut off.
    prefix: &'static str,
    /// Whether an entry is meant, by its name without the prefix.
    keep: fn(&str) -> bool,
}

/// Where two sources give one model of the same name, the earlier one counts.
const SOURCES: [Source; 9] = [
    Source { litellm_provider: "openai", provider: "openai", prefix: "", keep: is_plain },
    Source { litellm_provider: "anthropic", provider: "anthropic", prefix: "", keep: is_plain },
    Source { litellm_provider: "gemini", provider: "google", prefix: "gemini/", keep: is_plain },
    Source { litellm_provider: "gemini", provider: "google", prefix: "", keep: is_plain },
    Source {
        litellm_provider: "vertex_ai-language-models",
        provider: "google",
        prefix: "",
        keep: is_gemini,
    },
    Source { litellm_provider: "cohere", provider: "cohere", prefix: "", keep: is_plain },
    Source { litellm_provider: "cohere_chat", provider: "cohere", prefix: "", keep: is_plain },
    Source {
        litellm_provider: "huggingface",
        provider: "huggingface",
        prefix: "huggingface/",
        keep: is_any,
    },
    Source {
        litellm_provider: "ollama",
        provider: "local",
        prefix: "ollama/",
        keep: is_on_machine,
    },
];

/// The flags that become capabilities, each read from `supports_<name>`.
const CAPABILITIES: [&str; 12] = [
    "audio_input",
    "audio_output",
    "function_calling",
    "parallel_function_calling",
    "pdf_input",
    "prompt_caching",
    "reasoning",
    "response_schema",
    "system_messages",
    "tool_choice",
    "vision",
    "web_search",
];

/// Neither a fine-tuning template (`ft:gpt-4`) nor a copy for a region or size (`us/gpt-4`).
fn is_plain(name: &str) -> bool {
    !name.starts_with("ft:") && !name.contains('/')
}

fn is_gemini(name: &str) -> bool {
    is_plain(name) && name.starts_with("gemini")
}

/// Names on the Hugging Face hub are `owner/model`.
fn is_any(_: &str) -> bool {
    true
}

/// `gpt-oss:20b-cloud` is run by Ollama's cloud, and neither local nor free.
fn is_on_machine(name: &str) -> bool {
    is_plain(name) && !name.ends_with("-cloud")
}

/// The models in litellm's table, sorted by provider and name.
pub(super) fn models(table: &str) -> Result<Vec<Model>, String> {
    let table: Map<String, Value> = serde_json::from_str(table)
        .map_err(|error| format!("litellm's table is not a JSON object: {error}"))?;
    let mut models = BTreeMap::new();
    for source in &SOURCES {
        for (key, entry) in &table {
            if entry["litellm_provider"] == source.litellm_provider
                && let Some(name) = key.strip_prefix(source.prefix)
                && (source.keep)(name)
                && let Some(model) = model(source.provider, name, entry)
            {
                models.entry((source.provider, name)).or_insert(model);
            }
        }
    }
    Ok(models.into_values().collect())
}

/// `None` when it does not write text, or when a limit or a price is not known.
fn model(provider: &str, name: &str, entry: &Value) -> Option<Model> {
    let mode = match entry["mode"].as_str()? {
        "chat" | "responses" => "chat",
        "completion" => "completion",
        _ => return None,
    };
    if let Some(outputs) = entry["supported_output_modalities"].as_array()
        && !outputs.iter().any(|output| output == "text")
    {
        return None;
    }
    let mut capabilities = BTreeSet::from([mode.to_owned()]);
    for capability in CAPABILITIES {
        if entry[format!("supports_{capability}")] == true {
            capabilities.insert(capability.to_owned());
        }
    }
    Some(Model {
        provider: provider.to_owned(),
        name: name.to_owned(),
        context_window: entry["max_input_tokens"].as_u64()?,
        max_output_tokens: entry["max_output_tokens"].as_u64()?,
        capabilities,
        input_price_per_million_tokens: per_million(entry["input_cost_per_token"].as_f64()?),
        output_price_per_million_tokens: per_million(entry["output_cost_per_token"].as_f64()?),
        currency: "USD".to_owned(),
        deprecated_at: entry["deprecation_date"].as_str().map(str::to_owned),
    })
}

/// Rounded to six decimals: in binary, 0.0000008 x 1 000 000 is 0.7999999999999999.
fn per_million(per_token: f64) -> f64 {
    (per_token * 1e12).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::{Model, models, per_million};
    use serde_json::{Value, json};

    /// An entry with all that a model needs, and with `changes` laid over it.
    fn entry(litellm_provider: &str, changes: &Value) -> Value {
        let mut entry = json!({
            "litellm_provider": litellm_provider,
            "mode": "chat",
            "max_input_tokens": 8192,
            "max_output_tokens": 4096,
            "input_cost_per_token": 3e-05,
            "output_cost_per_token": 6e-05,
        });
        for (key, value) in changes.as_object().unwrap() {
            entry[key] = value.clone();
        }
        entry
    }

    fn read(table: &Value) -> Vec<Model> {
        models(&table.to_string()).unwrap()
    }

    fn names(table: &Value) -> Vec<String> {
        read(table).iter().map(|model| format!("{} {}", model.provider, model.name)).collect()
    }

    #[test]
    fn an_entry_becomes_a_model() {
        let found = read(&json!({"gpt-4": entry("openai", &json!({
            "supports_vision": true,
            "supports_function_calling": true,
            "supports_web_search": false,
            "supports_something_new": true,
            "deprecation_date": "2026-10-23",
        }))}));
        let [model] = &found[..] else { panic!("one model, not {found:?}") };
        assert_eq!((model.provider.as_str(), model.name.as_str()), ("openai", "gpt-4"));
        assert_eq!((model.context_window, model.max_output_tokens), (8192, 4096));
        let capabilities: Vec<&str> = model.capabilities.iter().map(String::as_str).collect();
        assert_eq!(capabilities, ["chat", "function_calling", "vision"]);
        assert_eq!(model.input_price_per_million_tokens.to_string(), "30");
        assert_eq!(model.output_price_per_million_tokens.to_string(), "60");
        assert_eq!(model.currency, "USD");
        assert_eq!(model.deprecated_at.as_deref(), Some("2026-10-23"));
    }

    #[test]
    fn providers_are_renamed_and_prefixes_cut_off() {
        let found = names(&json!({
            "ollama/llama3:8b": entry("ollama", &json!({})),
            "command-r": entry("cohere_chat", &json!({})),
            "command": entry("cohere", &json!({"mode": "completion"})),
            "gemini/gemini-pro": entry("gemini", &json!({})),
            "gemini-ultra": entry("vertex_ai-language-models", &json!({})),
            "claude": entry("anthropic", &json!({})),
            "huggingface/owner/model": entry("huggingface", &json!({})),
            "o-pro": entry("openai", &json!({"mode": "responses"})),
        }));
        assert_eq!(
            found,
            [
                "anthropic claude",
                "cohere command",
                "cohere command-r",
                "google gemini-pro",
                "google gemini-ultra",
                "huggingface owner/model",
                "local llama3:8b",
                "openai o-pro",
            ]
        );
    }

    #[test]
    fn the_mode_is_a_capability() {
        let capabilities = |mode: &str| {
            let found = read(&json!({"a": entry("openai", &json!({"mode": mode}))}));
            found.into_iter().flat_map(|model| model.capabilities).collect::<Vec<_>>()
        };
        assert_eq!(capabilities("chat"), ["chat"]);
        assert_eq!(capabilities("responses"), ["chat"]);
        assert_eq!(capabilities("completion"), ["completion"]);
        assert_eq!(capabilities("embedding"), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_model_of_a_provider_is_skipped() {
        let plain = |provider| entry(provider, &json!({}));
        let found = names(&json!({
            "sample_spec": plain("one of the providers"),
            "azure/gpt-4": plain("azure"),
            "ft:gpt-4": plain("openai"),
            "us/gpt-4": plain("openai"),
            "speech": entry("openai", &json!({"supported_output_modalities": ["audio"]})),
            "image": entry("openai", &json!({"mode": "image_generation"})),
            "no-window": entry("openai", &json!({"max_input_tokens": null})),
            "no-price": entry("openai", &json!({"output_cost_per_token": null})),
            "medlm": plain("vertex_ai-language-models"),
            "vertex_ai/gemini-pro": plain("vertex_ai-language-models"),
            "ollama/big:100b-cloud": plain("ollama"),
            "speaks": entry("openai", &json!({"supported_output_modalities": ["text", "audio"]})),
        }));
        assert_eq!(found, ["openai speaks"]);
    }

    #[test]
    fn the_earlier_of_two_sources_counts() {
        let window = |tokens: u64| json!({"max_input_tokens": tokens});
        let found = read(&json!({
            "gemini-pro": entry("vertex_ai-language-models", &window(1)),
            "gemini-flash": entry("gemini", &window(2)),
            "gemini/gemini-flash": entry("gemini", &window(3)),
            "gemini/gemini-pro": entry("gemini", &window(4)),
        }));
        let found: Vec<_> =
            found.iter().map(|model| (model.name.as_str(), model.context_window)).collect();
        assert_eq!(found, [("gemini-flash", 3), ("gemini-pro", 4)]);
    }

    #[test]
    fn prices_carry_no_noise() {
        for (per_token, shown) in [
            (3e-05, "30"),
            (1.5e-05, "15"),
            (3.75e-08, "0.0375"),
            (1.1e-06, "1.1"),
            (2.5e-12, "0.000003"),
            (0.0, "0"),
        ] {
            assert_eq!(per_million(per_token).to_string(), shown);
        }
    }

    #[test]
    fn a_table_that_is_no_object_is_an_error() {
        assert!(models("[]").is_err());
    }
}
