//! What prompts, slugs, projects, modules and tags may be called.

use promptops_types::ValidationIssue;

use crate::limits::{MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, MAX_TAG_CHARS};

/// Checks a text that names something: not empty, not too long, nothing invisible.
pub(crate) fn check_name(field: &str, name: &str, issues: &mut Vec<ValidationIssue>) {
    check_text(field, name, MAX_NAME_CHARS, issues);
}

/// Checks a tag: a name without a comma, which separates tags in a query.
pub(crate) fn check_tag(tag: &str, issues: &mut Vec<ValidationIssue>) {
    check_text("tags", tag, MAX_TAG_CHARS, issues);
    if tag.contains(',') {
        issues.push(refused("tags", format!("`{tag}` has a comma; write two tags")));
    }
}

fn check_text(field: &str, text: &str, max_chars: usize, issues: &mut Vec<ValidationIssue>) {
    let problem = if text.trim().is_empty() {
        "is empty".to_owned()
    } else if text.trim() != text {
        "has a space at one end; remove it".to_owned()
    } else if text.chars().count() > max_chars {
        format!("is longer than {max_chars} characters")
    } else if let Some(control) = text.chars().find(|c| c.is_control()) {
        format!("has the control character U+{:04X}; remove it", u32::from(control))
    } else {
        return;
    };
    issues.push(refused(field, problem));
}

/// Checks a text that explains something: it may be empty and have lines, and nothing invisible.
pub(crate) fn check_words(field: &str, text: &str, issues: &mut Vec<ValidationIssue>) {
    let is_hidden = |c: &char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let (code, problem) = if text.chars().count() > MAX_DESCRIPTION_CHARS {
        ("too_long", format!("is longer than {MAX_DESCRIPTION_CHARS} characters"))
    } else if let Some(control) = text.chars().find(is_hidden) {
        let control = u32::from(control);
        ("invalid", format!("has the control character U+{control:04X}; remove it"))
    } else {
        return;
    };
    issues.push(ValidationIssue::new(field, code, problem));
}

fn refused(field: &str, problem: String) -> ValidationIssue {
    ValidationIssue::new(field, "invalid_name", problem)
}

/// Checks a slug that was given. Any letters, spaces and `/` are allowed, so that it can mirror a
/// path; what is refused would be mistaken for something else.
pub(crate) fn check_slug(slug: &str, issues: &mut Vec<ValidationIssue>) {
    check_name("slug", slug, issues);
    if slug.split('/').any(|segment| segment.is_empty() || segment.starts_with('.')) {
        issues.push(refused(
            "slug",
            "has a segment that is empty or begins with a dot, which file systems and URLs treat \
             specially; rename it"
                .to_owned(),
        ));
    }
    if slug.contains('@') {
        issues.push(refused("slug", "has a `@`, which separates a slug from a version".to_owned()));
    }
    if is_uuid(slug) {
        issues.push(refused("slug", "looks like a UUID, so it would hide an id".to_owned()));
    }
}

/// Whether a reference is an id and not a slug.
pub(crate) fn is_uuid(reference: &str) -> bool {
    uuid::Uuid::try_parse(reference).is_ok()
}

/// The slug for a name: lower case, every run of other characters one dash. `None` where no letter
/// or digit is left.
pub(crate) fn slug_for(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let words: Vec<_> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    (!words.is_empty()).then(|| words.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug_problems(slug: &str) -> String {
        let mut issues = Vec::new();
        check_slug(slug, &mut issues);
        issues.iter().map(|issue| issue.message.as_str()).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn words_have_lines_and_nothing_invisible() {
        let problems = |text: &str| {
            let mut issues = Vec::new();
            check_words("message", text, &mut issues);
            issues.into_iter().map(|issue| issue.message).collect::<Vec<_>>()
        };
        assert_eq!(problems("Warmer,\n\tas asked for\r\n"), Vec::<String>::new());
        assert_eq!(problems("\u{1b}[2J"), ["has the control character U+001B; remove it"]);
        assert_eq!(problems("a\u{0}"), ["has the control character U+0000; remove it"]);
        assert_eq!(problems(&"x".repeat(10_001)), ["is longer than 10000 characters"]);
    }

    #[test]
    fn slugs_are_made_from_names() {
        assert_eq!(
            slug_for("Technical Support Response").as_deref(),
            Some("technical-support-response")
        );
        assert_eq!(slug_for("  ..Größe / \"x\" ").as_deref(), Some("größe-x"));
        assert_eq!(slug_for("名前 🎉").as_deref(), Some("名前"));
        assert_eq!(slug_for("🎉"), None);
    }

    #[test]
    fn slugs_that_would_be_mistaken_are_refused() {
        for slug in ["support/reply", "mein text", "it's", "🎉", "a.b"] {
            assert_eq!(slug_problems(slug), "", "{slug}");
        }
        assert!(slug_problems(".hidden").contains("dot"));
        assert!(slug_problems("a/../b").contains("dot"));
        assert!(slug_problems("a//b").contains("empty"));
        assert!(slug_problems("a@1.0.0").contains("separates"));
        assert!(slug_problems("a\0b").contains("U+0000"));
        assert!(slug_problems("018f4e6a-7c1d-7000-8000-000000000000").contains("UUID"));
        assert!(slug_problems(&"x".repeat(201)).contains("200 characters"));
    }
}
