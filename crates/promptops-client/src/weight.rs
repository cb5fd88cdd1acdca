//! How many bytes of the heap a value holds, for the bound of the cache in memory.

use std::mem::size_of;

use promptops_types::{
    Message, ModelCatalogue, ModelInfo, ModelSpecificPrompt, PromptPage, PromptResponse,
};
use serde_json::{Map, Value};

/// Two counters in front of what an `Arc` holds.
const ARC: usize = 2 * size_of::<usize>();

/// What a map of JSON holds for each entry besides key and value: a hash, and its place in the table.
const MAP_ENTRY: usize = size_of::<String>() + size_of::<Value>() + 3 * size_of::<usize>();

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
        self.iter().map(|(key, value)| MAP_ENTRY + key.heap() + value.heap()).sum()
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
