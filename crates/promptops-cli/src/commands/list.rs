//! `promptops list`.

use clap::Args;
use promptops_client::{PromptPage, PromptResponse};

use crate::block_on;
use crate::failure::Failure;
use crate::output::{Output, moment};
use crate::settings::{Global, Registry, Session};
use crate::values::{Order, Sort};

/// Prompts on a page where all are wanted.
pub(crate) const PAGE: u64 = 200;

/// Lists prompts, each at its latest version
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only prompts whose slug, name or description has this text
    #[arg(long, short = 's', value_name = "TEXT", alias = "search")]
    query: Option<String>,

    /// Only prompts with this tag; several times for several
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Only prompts of this module
    #[arg(long, value_name = "MODULE")]
    module: Option<String>,

    /// What to sort by
    #[arg(long, value_enum, default_value = "created_at", value_name = "FIELD")]
    sort_by: Sort,

    /// Which way
    #[arg(long, value_enum, default_value = "desc", value_name = "ORDER")]
    sort_order: Order,

    /// Most prompts, 1 to 1000
    #[arg(long, default_value = "100", value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,

    /// How many to leave out
    #[arg(long, default_value = "0", value_name = "COUNT", conflicts_with = "all")]
    skip: u64,

    /// All prompts, however many
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl List {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        block_on(async {
            let mut page = self.page(&session, None).await?;
            if !session.output.json {
                return self.show(&session, page).await;
            }
            while self.all && page.has_more {
                let more = self.page(&session, page.next_cursor.as_deref()).await?;
                page.prompts.extend(more.prompts);
                (page.has_more, page.next_cursor) = (more.has_more, more.next_cursor);
            }
            session.output.data(&page)
        })
    }

    async fn show(&self, session: &Session, first: PromptPage) -> Result<(), Failure> {
        let output = session.output;
        let mut page = first;
        loop {
            show(output, &page)?;
            if !self.all || !page.has_more {
                break;
            }
            page = self.page(session, page.next_cursor.as_deref()).await?;
        }
        let shown = self.skip + page.prompts.len() as u64;
        if page.has_more {
            output.note(&format!("{shown} of {} prompts; for more, --skip {shown}", page.total));
        } else if page.total == 0 {
            output.note("no prompts");
        }
        Ok(())
    }

    async fn page(&self, session: &Session, cursor: Option<&str>) -> Result<PromptPage, Failure> {
        let limit = if self.all { PAGE } else { self.limit };
        let mut request = session
            .client
            .list_prompts()
            .sort_by(self.sort_by.into())
            .sort_order(self.sort_order.into())
            .tags(&self.tags)
            .skip(self.skip)
            .limit(limit);
        if let Some(query) = &self.query {
            request = request.query(query);
        }
        if let Some(module) = &self.module {
            request = request.module(module);
        }
        if let Some(cursor) = cursor {
            request = request.cursor(cursor);
        }
        Ok(request.page().await?)
    }
}

fn show(output: Output, page: &PromptPage) -> Result<(), Failure> {
    // Where there is one project, it need not be said.
    let first = page.prompts.first().map(|prompt| &prompt.project_id);
    let has_many = page.prompts.iter().any(|prompt| Some(&prompt.project_id) != first);
    let row = |prompt: &PromptResponse| {
        let mut row = vec![
            prompt.slug.clone(),
            prompt.version.clone(),
            prompt.labels.join(", "),
            prompt.tags.join(", "),
            moment(prompt.updated_at),
            prompt.name.clone(),
        ];
        if has_many {
            row.insert(0, prompt.project_id.clone());
        }
        row
    };
    let mut headings = vec!["SLUG", "VERSION", "LABELS", "TAGS", "UPDATED", "NAME"];
    if has_many {
        headings.insert(0, "PROJECT");
    }
    output.table(&headings, page.prompts.iter().map(|prompt| row(prompt)).collect())
}
