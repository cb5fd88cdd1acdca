//! Templates of prompts that were rendered before: a prompt in the cache is parsed once.

use std::sync::{Arc, Mutex, PoisonError};

use promptops_template::{PromptTemplate, TemplateError};
use promptops_types::PromptResponse;

/// Places for templates. Two prompts that share one take turns.
const PLACES: usize = 64;

/// Longest text that is kept, in bytes, so that all places together hold some megabytes.
const MOST_BYTES: usize = 64 * 1024;

type Place = Mutex<Option<(Arc<PromptResponse>, Arc<PromptTemplate>)>>;

/// Parsed templates by the prompt, which is known by its address: it is held, so that nothing else can
/// have that.
#[derive(Debug)]
pub(crate) struct Templates([Place; PLACES]);

impl Default for Templates {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Templates {
    /// The template of a prompt.
    ///
    /// # Errors
    /// As [`PromptTemplate::parse`].
    pub(crate) fn of(
        &self,
        prompt: &Arc<PromptResponse>,
    ) -> Result<Arc<PromptTemplate>, TemplateError> {
        // Addresses are multiples of 16; some higher bits tell neighbours apart.
        let address = Arc::as_ptr(prompt).addr();
        let place = &self.0[(address >> 4 ^ address >> 11) % PLACES];
        let known = place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((kept, template)) = known
            && Arc::ptr_eq(&kept, prompt)
        {
            return Ok(template);
        }
        let template = Arc::new(PromptTemplate::parse(prompt)?);
        if bytes(prompt) <= MOST_BYTES {
            let kept = Some((Arc::clone(prompt), Arc::clone(&template)));
            *place.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        }
        Ok(template)
    }
}

fn bytes(prompt: &PromptResponse) -> usize {
    let messages = prompt.messages.iter().map(|message| message.content.len());
    let bodies = prompt
        .model_specific_prompts
        .iter()
        .map(|body| body.content.len() + body.instructions.as_ref().map_or(0, String::len));
    prompt.content.len() + messages.sum::<usize>() + bodies.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(content: &str) -> Arc<PromptResponse> {
        let mut prompt = PromptResponse::default();
        prompt.content = content.to_owned();
        Arc::new(prompt)
    }

    #[test]
    fn a_prompt_is_parsed_once_and_never_taken_for_another() {
        let templates = Templates::default();
        let first = prompt("Hello {{ name }}");
        let template = templates.of(&first).unwrap();
        assert!(Arc::ptr_eq(&template, &templates.of(&first).unwrap()));
        // More than there are places for; each gets its own.
        for number in 0..300 {
            let other = prompt(&format!("{{{{ v{number} }}}}"));
            let variables = templates.of(&other).unwrap();
            assert_eq!(variables.variables(), [format!("v{number}")]);
        }
        assert_eq!(templates.of(&first).unwrap().variables(), ["name"]);
    }

    #[test]
    fn a_long_one_is_not_kept() {
        let templates = Templates::default();
        let long = prompt(&"x".repeat(MOST_BYTES + 1));
        let template = templates.of(&long).unwrap();
        assert!(!Arc::ptr_eq(&template, &templates.of(&long).unwrap()));
    }
}
