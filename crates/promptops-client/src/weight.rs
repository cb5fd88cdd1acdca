//! How many bytes of the heap a value holds, for the bound of the cache in memory.

use std::mem::size_of;

use promptops_types::{
    Message, ModelCatalogue, ModelInfo, ModelSpecificPrompt, PromptPage, PromptResponse,
};
use serde_json::{Map, Value};

/// Two counters in front of what an `Arc` holds.
const ARC: usize = 2 * size_of::<usize>();

/// A slot of a map of JSON: a hash, the key and the value.
const SLOT: usize = size_of::<usize>() + size_of::<String>() + size_of::<Value>();

/// A place in the table by which a map finds its slots: an index and a byte of its hash.
const PLACE: usize = size_of::<usize>() + 1;

/// What such a table has besides.
const TABLE: usize = 16;

/// Something with a size.
pub(crate) trait Weight {
    /// Bytes of the heap that it holds, its own size not among them.
    fn heap(&self) -> usize;
}

/// The bytes of a value in an `Arc`.
pub(crate) fn weigh<T: Weight>(value: &T) -> usize {
    ARC + size_of::<T>() + value.heap()
}

impl Weight for String {
    fn heap(&self) -> usize {
        self.capacity()
    }
}

impl<T: Weight> Weight for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Weight::heap)
    }
}

impl<T: Weight> Weight for Vec<T> {
    fn heap(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Weight::heap).sum::<usize>()
    }
}

impl<T: Weight> Weight for std::sync::Arc<T> {
    fn heap(&self) -> usize {
        weigh(&**self)
    }
}

impl Weight for Map<String, Value> {
    fn heap(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        // It grows by doubling, from four.
        let slots = self.len().next_power_of_two().max(4);
        let held: usize = self.iter().map(|(key, value)| key.heap() + value.heap()).sum();
        slots * (SLOT + PLACE) + TABLE + held
    }
}

impl Weight for Value {
    fn heap(&self) -> usize {
        match self {
            Self::String(text) => text.heap(),
            Self::Array(items) => items.heap(),
            Self::Object(fields) => fields.heap(),
            Self::Null | Self::Bool(_) | Self::Number(_) => 0,
        }
    }
}

impl Weight for Message {
    fn heap(&self) -> usize {
        self.role.heap() + self.content.heap() + self.extra.heap()
    }
}

impl Weight for ModelSpecificPrompt {
    fn heap(&self) -> usize {
        self.model_provider.as_str().len()
            + self.model_name.heap()
            + self.content.heap()
            + self.expected_output_format.heap()
            + self.instructions.heap()
    }
}

impl Weight for PromptResponse {
    fn heap(&self) -> usize {
        let texts = [
            &self.id,
            &self.slug,
            &self.name,
            &self.description,
            &self.content,
            &self.version,
            &self.created_by,
            &self.project_id,
            &self.digest,
        ];
        texts.iter().map(|text| text.heap()).sum::<usize>()
            + self.messages.heap()
            + self.variables.heap()
            + self.target_models.heap()
            + self.model_specific_prompts.heap()
            + self.labels.heap()
            + self.tags.heap()
            + self.metadata.heap()
            + self.module_id.heap()
    }
}

impl Weight for PromptPage {
    fn heap(&self) -> usize {
        self.prompts.heap()
    }
}

impl Weight for ModelInfo {
    fn heap(&self) -> usize {
        // The text of what it says, which is most of it.
        serde_json::to_vec(self).map_or(0, |text| text.len())
    }
}

impl Weight for ModelCatalogue {
    fn heap(&self) -> usize {
        self.models.heap()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    /// A prompt as it comes over the wire; `size` scales its parts.
    fn prompt(number: usize, size: usize) -> String {
        let words = |count: usize| -> Vec<String> { (0..count).map(|n| format!("w{n}")).collect() };
        json!({
            "id": format!("0199e0a3-5b7c-7c3e-9d2f-{number:012}"),
            "slug": format!("prompt-{number}"),
            "name": format!("Prompt {number}"),
            "description": "d".repeat(size * 3),
            "content": "Dear {{ name }}, ".repeat(size * 4),
            "messages": vec![json!({"role": "user", "content": "x".repeat(size)}); size % 4],
            "variables": words(size % 7),
            "tags": words(size % 5),
            "labels": words(size % 3),
            "model_specific_prompts":
                vec![json!({"model_provider": "openai", "content": "y".repeat(size)}); size % 3],
            "metadata": {"owner": "team", "numbers": [1, 2, 3], "deep": {"a": {"b": "c"}}},
            "version": "1.2.3",
            "digest": "0".repeat(64),
        })
        .to_string()
    }

    #[test]
    fn a_weight_is_what_the_allocator_says() {
        for size in [0, 1, 5, 20, 100, 1000] {
            let texts: Vec<String> = (0..200).map(|number| prompt(number, size)).collect();
            let mut decoded: Vec<Arc<PromptResponse>> = Vec::with_capacity(texts.len());
            let allocated = allocation_counter::measure(|| {
                for text in &texts {
                    decoded.push(Arc::new(serde_json::from_str(text).unwrap()));
                }
            });
            let weight: usize = decoded.iter().map(|prompt| weigh(&**prompt)).sum();
            let allocated = usize::try_from(allocated.bytes_current).unwrap();
            let off = weight.abs_diff(allocated);
            assert!(off * 5 <= allocated, "size {size}: {weight} told, {allocated} allocated");
        }
    }

    #[cfg(feature = "memory")]
    #[test]
    fn the_cache_in_memory_tells_what_the_allocator_says() {
        use promptops_cache::Names;
        use promptops_cache::{CacheBackend, CacheKey, CacheScope, Entry, EntryKind, MemoryCache};

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for size in [1, 20, 200] {
            let texts: Vec<String> = (0..500).map(|number| prompt(number, size)).collect();
            let scope = CacheScope::new("https://registry.example/v1", None);
            let mut cache = None;
            let allocated = allocation_counter::measure(|| {
                let time = Arc::new(promptops_types::SystemTime);
                let memory = MemoryCache::new(512, 1 << 30, time);
                for text in &texts {
                    let prompt: Arc<PromptResponse> = Arc::new(serde_json::from_str(text).unwrap());
                    let mut key = CacheKey::new(scope.clone(), "get_prompt");
                    key.prompt = Some(prompt.slug.clone());
                    let names = Names {
                        id: prompt.id.clone(),
                        slug: prompt.slug.clone(),
                        version: prompt.version.clone(),
                    };
                    let weight = weigh(&*prompt);
                    let entry = Entry::decoded(EntryKind::Moving, prompt, weight);
                    let entry = entry.with_names(Some(names));
                    runtime.block_on(async {
                        let ticket = memory.get(&key).await.unwrap().ticket;
                        memory.put(&key, &entry.into(), ticket).await.unwrap();
                    });
                }
                cache = Some(memory);
            });
            let told = usize::try_from(cache.unwrap().stats().memory_usage).unwrap();
            let allocated = usize::try_from(allocated.bytes_current).unwrap();
            assert!(told.abs_diff(allocated) * 5 <= allocated, "{size}: {told} of {allocated}");
        }
    }
}
