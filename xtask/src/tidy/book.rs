//! Every page of the book is in its summary, and every page in the summary exists.

use super::{File, Finding};

const PAGES: &str = "docs/src/";
const SUMMARY: &str = "docs/src/SUMMARY.md";

pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let pages: Vec<&File> = files
        .iter()
        .filter(|file| file.path.starts_with(PAGES) && file.has_extension("md"))
        .filter(|file| file.path != SUMMARY)
        .collect();
    let summary = files.iter().find(|file| file.path == SUMMARY);
    let links: Vec<(usize, String)> = summary.map(links).unwrap_or_default();

    let mut findings = Vec::new();
    for page in &pages {
        if !links.iter().any(|(_, link)| *link == page.path) {
            findings.push(page.finding(1, format!("link this page from {SUMMARY}, or delete it")));
        }
    }
    for (line, link) in &links {
        if let Some(summary) = summary
            && !pages.iter().any(|page| page.path == *link)
        {
            findings.push(summary.finding(*line, format!("write {link}, or remove the link")));
        }
    }
    findings
}

/// The pages that the summary links to, as paths from the root, with their lines.
fn links(summary: &File) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in summary.lines() {
        for after in line.split("](").skip(1) {
            let target = after.split([')', '#']).next().unwrap_or_default();
            // `[Draft]()` is a chapter to come; a web address is no page.
            if !target.is_empty() && !target.contains("://") {
                links.push((number, format!("{PAGES}{}", target.trim_start_matches("./"))));
            }
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tests::{file, places};

    #[test]
    fn pages_and_summary_that_agree_pass() {
        let summary = "# Summary\n\n[Start](./start.md)\n- [A](guide/a.md#top)\n- [Draft]()\n\
                       - [Web](https://example.org/x.md)\n";
        let found = check(&[
            file("docs/src/SUMMARY.md", summary),
            file("docs/src/start.md", ""),
            file("docs/src/guide/a.md", ""),
            file("docs/adr/0001.md", ""),
        ]);
        assert_eq!(places(&found), Vec::<String>::new());
    }

    #[test]
    fn a_page_without_a_link_and_a_link_without_a_page_are_found() {
        let found = check(&[
            file("docs/src/SUMMARY.md", "# Summary\n- [B](b.md)\n"),
            file("docs/src/a.md", ""),
        ]);
        assert_eq!(places(&found), ["docs/src/a.md:1", "docs/src/SUMMARY.md:2"]);
    }

    #[test]
    fn pages_without_a_summary_are_found() {
        assert_eq!(places(&check(&[file("docs/src/a.md", "")])), ["docs/src/a.md:1"]);
    }
}
