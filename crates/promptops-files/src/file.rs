use std::ops::Range;

use promptops_template::PromptTemplate;
use promptops_types::{Message, NewPrompt, PromptResponse, TemplateFormat, ValidationIssue};
use sha2::{Digest, Sha256};

use crate::body::{self, unescaped};
use crate::front_matter::{self, Places};
use crate::layout::{self, LAYOUT};
use crate::mistake::{Found, Mistakes};
use crate::write::written;

/// Where the content of a plain prompt is.
const CONTENT: &str = "content";

/// The code of an issue about how a template is written.
const SYNTAX: &str = "syntax";

/// A prompt that was read from a file, and where each part of it stands there.
///
/// The file has front matter in YAML between two lines `---`, then the content as it is; or, for a chat,
/// its messages, each below a heading `## message: ROLE`. Every field of the front matter may be left out:
/// the name is the slug then, and the variables are the placeholders. What a plain prompt's file has after
/// the front matter is the content, to the last byte; the text of a message is without the empty lines
/// around it.
///
/// ```
/// use promptops_files::PromptFile;
///
/// let text = "---\nname: Greeting\n---\n## message: system\n\nBe kind.\n\n## message: user\n\n{{ question }}\n";
/// let file = PromptFile::parse("greeting.prompt.md", "greeting", text.as_bytes())?;
/// assert_eq!(file.prompt().messages.as_ref().map(Vec::len), Some(2));
/// assert_eq!(file.prompt().variables.as_deref(), Some(&["question".to_owned()][..]));
///
/// let mistakes = PromptFile::parse("a.prompt.md", "a", b"---\nnme: A\n---\n{{ x").unwrap_err();
/// assert_eq!(mistakes.all()[0].help.as_deref(), Some("did you mean `name`?"));
/// # Ok::<(), promptops_files::Mistakes>(())
/// ```
#[derive(Debug, Clone)]
pub struct PromptFile {
    path: String,
    source: String,
    prompt: NewPrompt,
    /// Of the front matter's fields, and of the headings.
    fields: Places,
    /// Of the texts that stand in the file as they are, line by line.
    texts: Places,
}

impl PromptFile {
    /// Reads the file of a prompt. `path` is what mistakes are told with.
    ///
    /// # Errors
    /// Every mistake of the file: in YAML, in a field, in a heading, in a template, and placeholders that
    /// are not among `variables` where those are given.
    pub fn parse(path: &str, slug: &str, bytes: &[u8]) -> Result<Self, Mistakes> {
        Self::parse_with(path, slug, bytes, template_issues)
    }

    /// The same with a check of your own in the place of that of the templates, such as a registry's: what
    /// it finds is told with everything else.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and what the check finds.
    pub fn parse_with(
        path: &str,
        slug: &str,
        bytes: &[u8],
        check: impl FnOnce(&NewPrompt) -> Vec<ValidationIssue>,
    ) -> Result<Self, Mistakes> {
        let source = match str::from_utf8(bytes) {
            Ok(source) => source,
            Err(error) => {
                let at = error.valid_up_to();
                let found = Found::new(at..at + 1, "the file is not UTF-8 from here on")
                    .help("save it as UTF-8");
                return Err(Mistakes::new(path, &String::from_utf8_lossy(bytes), vec![found]));
            }
        };
        let mut mistakes = Vec::new();
        let mut file = Self {
            path: path.to_owned(),
            source: source.to_owned(),
            prompt: NewPrompt::default().slug(slug),
            fields: Places::new(),
            texts: Places::new(),
        };
        file.read(&mut mistakes);
        let mut issues = check(&file.prompt);
        if !mistakes.is_empty() {
            // Where a part cannot be read, what depends on it would be told for nothing.
            issues.retain(|issue| issue.code == SYNTAX);
        }
        mistakes.extend(file.found(&issues));
        if mistakes.is_empty() { Ok(file) } else { Err(Mistakes::new(path, source, mistakes)) }
    }

    fn read(&mut self, mistakes: &mut Vec<Found>) {
        let split = front_matter::split(&self.source, mistakes);
        let prompt = &mut self.prompt;
        front_matter::read(&self.source, split.yaml, prompt, &mut self.fields, mistakes);
        if prompt.name.is_empty() {
            prompt.name = prompt.slug.clone().unwrap_or_default();
        }
        let body = body::read(&self.source, split.body, mistakes);
        let mut messages = Vec::new();
        for part in &body.parts {
            let text = unescaped(&self.source[part.text.clone()]).into_owned();
            let Some(heading) = &part.heading else {
                prompt.content = Some(text);
                self.texts.insert(CONTENT.to_owned(), part.text.clone());
                continue;
            };
            let place = format!("messages[{}]", messages.len());
            self.fields.insert(place.clone(), heading.range.clone());
            self.texts.insert(format!("{place}.content"), part.text.clone());
            let mut message = Message::new(&heading.role, text);
            message.extra.clone_from(&heading.extra);
            messages.push(message);
        }
        if prompt.content.is_none() {
            prompt.messages = Some(messages);
        }
        let found = placeholders(prompt);
        if prompt.variables.is_none() {
            prompt.variables.clone_from(&found);
        }
        if mistakes.is_empty()
            && written(prompt, found.as_deref()) != self.source
            && let Some(layout) = layout::of(&self.source, &body, &prompt.metadata)
        {
            prompt.metadata.insert(LAYOUT.to_owned(), layout);
        }
    }

    /// What the file says. Where the file is not laid out as [`write`](crate::write()) would, the metadata
    /// has how it is, in `file_layout`, unless that is larger than 16 KiB.
    pub fn prompt(&self) -> &NewPrompt {
        &self.prompt
    }

    /// The same, without the file.
    pub fn into_prompt(self) -> NewPrompt {
        self.prompt
    }

    /// The text of the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether a registry has what the file says, so that there is nothing to write on either side.
    pub fn is_same(&self, there: &PromptResponse) -> bool {
        fingerprint(&self.prompt) == fingerprint(&NewPrompt::from(there))
    }

    /// What a registry found wrong with the prompt, where it stands in the file.
    pub fn mistakes(&self, issues: &[ValidationIssue]) -> Mistakes {
        Mistakes::new(&self.path, &self.source, self.found(issues))
    }

    fn found(&self, issues: &[ValidationIssue]) -> Vec<Found> {
        let found = issues.iter().map(|issue| {
            let message = match &issue.location {
                Some(_) if issue.code == SYNTAX => issue.message.clone(),
                _ => format!("`{}` {}", issue.field, issue.message),
            };
            let found = Found::new(self.place(issue), message);
            match &issue.suggestion {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found,
            }
        });
        found.collect()
    }

    /// Where an issue is: in a text, at a field, at what the field is part of, or at the file's beginning.
    fn place(&self, issue: &ValidationIssue) -> Range<usize> {
        if let (Some(location), Some(line), Some(column)) =
            (&issue.location, issue.line, issue.column)
        {
            if let Some(text) = self.texts.get(location) {
                return self.in_text(text, line, column);
            }
            if let Some(field) = self.fields.get(location) {
                return field.clone();
            }
        }
        let mut name = issue.field.as_str();
        loop {
            if let Some(place) = self.fields.get(name).or_else(|| self.texts.get(name)) {
                return place.clone();
            }
            match name.rfind(['.', '[']) {
                Some(end) => name = &name[..end],
                None => return 0..1,
            }
        }
    }

    /// A line and a column of a text, and the placeholder that begins there.
    fn in_text(&self, text: &Range<usize>, line: u32, column: u32) -> Range<usize> {
        let whole = &self.source[text.clone()];
        let index = |number: u32| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let (before, line) = (whole.split_inclusive('\n'), index(line));
        let begin: usize = before.take(line).map(str::len).sum();
        let rest = &whole[begin..];
        let at = rest.char_indices().nth(index(column)).map_or(rest.len(), |(at, _)| at);
        let end = rest[at..].find("}}").map_or(1, |end| end + "}}".len());
        let begin = text.start + begin + at;
        begin..begin + end
    }
}

/// SHA-256 of everything that authors write of a prompt, its layout as a file and the order of its metadata
/// included, its version aside: equal where there is nothing to write on either side.
pub fn fingerprint(prompt: &NewPrompt) -> [u8; 32] {
    let mut prompt = prompt.clone();
    let given = |text: &mut Option<String>| *text = text.take().filter(|text| !text.is_empty());
    given(&mut prompt.description);
    given(&mut prompt.module_id);
    given(&mut prompt.content);
    prompt.messages = prompt.messages.filter(|messages| !messages.is_empty());
    prompt.version = None;
    // It serialises as it came.
    Sha256::digest(serde_json::to_vec(&prompt).unwrap_or_default()).into()
}

/// The variables of a prompt that names none: those of its placeholders, in order of first use. `None`
/// where its templates cannot be read.
pub(crate) fn placeholders(prompt: &NewPrompt) -> Option<Vec<String>> {
    let templates = templates(prompt).ok()?;
    Some(templates.variables().into_iter().map(str::to_owned).collect())
}

pub(crate) fn template_issues(prompt: &NewPrompt) -> Vec<ValidationIssue> {
    match templates(prompt) {
        Ok(templates) => templates.undeclared(prompt.variables.as_deref().unwrap_or_default()),
        Err(error) => error.issues(),
    }
}

fn templates(prompt: &NewPrompt) -> Result<PromptTemplate, promptops_template::TemplateError> {
    let mut parsed = PromptResponse::from(prompt.clone());
    if let TemplateFormat::Other(_) = &parsed.template_format {
        parsed.template_format = TemplateFormat::None;
    }
    PromptTemplate::parse(&parsed)
}
