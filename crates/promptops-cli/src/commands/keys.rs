//! `promptops keys`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use promptops_client::{ApiKey, NewKey, Scope, Timestamp};
use serde_json::json;

use crate::block_on;
use crate::failure::Failure;
use crate::output::moment;
use crate::settings::{Global, Registry, Session};

/// Makes, lists and ends API keys
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a key, which may do no more than yours; it is shown this once
    Create(Create),
    /// Lists the keys that may do no more than yours
    List,
    /// Ends a key: it is refused from the next request on
    Revoke {
        /// Its id, as `promptops keys list` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// What people call it
    name: String,

    /// More about it
    #[arg(long)]
    description: Option<String>,

    /// What it may do: read, write, admin; several times for several [default: read]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,

    /// A project it may see; several times for several [default: all of yours]
    #[arg(long = "in-project", value_name = "PROJECT")]
    projects: Vec<String>,

    /// Most requests in any minute
    #[arg(long, value_name = "COUNT")]
    per_minute: Option<u32>,

    /// Most requests in any hour
    #[arg(long, value_name = "COUNT")]
    per_hour: Option<u32>,

    /// Most requests in any day
    #[arg(long, value_name = "COUNT")]
    per_day: Option<u32>,

    /// Until when it works, such as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
}

impl Keys {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let session = global.session(Registry::IsThere)?;
        block_on(async {
            match self.action {
                Action::Create(new) => create(&session, new).await,
                Action::List => list(&session).await,
                Action::Revoke { id } => {
                    let key = session.client.revoke_api_key(id).await?;
                    if session.output.json {
                        return session.output.data(&key);
                    }
                    session.output.line(&format!("revoked {} ({})", key.name, key.id))
                }
            }
        })
    }
}

async fn create(session: &Session, new: Create) -> Result<(), Failure> {
    fn given<T: Ord>(values: Vec<T>) -> Option<BTreeSet<T>> {
        (!values.is_empty()).then(|| values.into_iter().collect())
    }
    let new = NewKey {
        name: new.name,
        description: new.description,
        scopes: given(new.scopes),
        projects: given(new.projects),
        per_minute: new.per_minute,
        per_hour: new.per_hour,
        per_day: new.per_day,
        expires_at: new.expires_at,
    };
    let made = session.client.create_api_key(new).await?;
    let (key, secret) = (made.api_key.expose(), made.secret_key.expose());
    if session.output.json {
        let mut told = json!(made.key);
        told["api_key"] = json!(key);
        told["secret_key"] = json!(secret);
        return session.output.data(&told);
    }
    session.output.note("shown this once: keep it where secrets are kept");
    session.output.line(&format!("PROMPTOPS_API_KEY={key}\nPROMPTOPS_SECRET_KEY={secret}"))
}

async fn list(session: &Session) -> Result<(), Failure> {
    let mut keys: Vec<ApiKey> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = session.client.list_api_keys().limit(1000);
        if let Some(cursor) = cursor {
            request = request.cursor(cursor);
        }
        let page = request.await?;
        keys.extend(page.api_keys);
        match page.next_cursor {
            Some(next) if page.has_more => cursor = Some(next),
            _ => break,
        }
    }
    if session.output.json {
        return session.output.data(&keys);
    }
    let row = |key: ApiKey| {
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.as_str()).collect();
        let projects = key.projects.map_or("all".to_owned(), |projects| {
            projects.into_iter().collect::<Vec<_>>().join(", ")
        });
        let state = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("revoked {}", moment(at)),
            (None, Some(at)) => format!("until {}", moment(at)),
            (None, None) => "works".to_owned(),
        };
        vec![key.id, key.prefix + "…", key.name, scopes.join(", "), projects, state]
    };
    let headings = ["ID", "KEY", "NAME", "SCOPES", "PROJECTS", "STATE"];
    session.output.table(&headings, keys.into_iter().map(row).collect())
}
