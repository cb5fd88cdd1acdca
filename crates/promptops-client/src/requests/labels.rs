use std::collections::BTreeMap;

use promptops_types::{Error, Label};
use serde::{Deserialize, Serialize};

use super::{awaitable, idempotency_key_setter, if_match_setter, project, project_setter};
use crate::PromptOpsClient;
use crate::call::Call;
use crate::operation::{LABELS, REMOVE_LABEL, SET_LABEL};

/// A request for the labels of a prompt.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct Labels {
    client: PromptOpsClient,
    id: String,
    project: Option<String>,
}

#[derive(Deserialize)]
struct LabelList {
    labels: Vec<Label>,
}

impl Labels {
    pub(crate) fn new(client: &PromptOpsClient, id: String) -> Self {
        Self { client: client.clone(), id, project: None }
    }

    project_setter!();

    async fn send(self) -> Result<Vec<Label>, Error> {
        let call = Call::prompt(&LABELS, &self.id)
            .segment("labels")
            .in_project(project(&self.client, self.project).as_ref());
        let answer = call.send::<LabelList>(&self.client).await?;
        Ok(answer.data.labels)
    }
}

awaitable!(Labels => Vec<Label>);

/// A request that points a label somewhere.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct SetLabel {
    client: PromptOpsClient,
    id: String,
    label: String,
    project: Option<String>,
    if_match: Option<String>,
    idempotency_key: Option<String>,
    target: Target,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Target {
    Version(String),
    Weights(BTreeMap<String, u32>),
    Undo(bool),
}

#[derive(Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    project_id: Option<String>,
    #[serde(flatten)]
    target: Target,
}

impl SetLabel {
    pub(crate) fn version(
        client: &PromptOpsClient,
        id: String,
        label: String,
        version: String,
    ) -> Self {
        Self::new(client, id, label, Target::Version(version))
    }

    pub(crate) fn weights(
        client: &PromptOpsClient,
        id: String,
        label: String,
        weights: BTreeMap<String, u32>,
    ) -> Self {
        Self::new(client, id, label, Target::Weights(weights))
    }

    pub(crate) fn undo(client: &PromptOpsClient, id: String, label: String) -> Self {
        Self::new(client, id, label, Target::Undo(true))
    }

    fn new(client: &PromptOpsClient, id: String, label: String, target: Target) -> Self {
        let (project, if_match, idempotency_key) = (None, None, None);
        Self { client: client.clone(), id, label, project, if_match, idempotency_key, target }
    }

    project_setter!();

    if_match_setter!();
    idempotency_key_setter!();

    async fn send(self) -> Result<Option<Label>, Error> {
        let project_id = project(&self.client, self.project);
        let may_be_gone = matches!(self.target, Target::Undo(_));
        let call = Call::prompt(&SET_LABEL, &self.id)
            .segment("labels")
            .segment(&self.label)
            .if_match(self.if_match)
            .idempotency_key(self.idempotency_key)
            .about_project(project_id.as_ref())
            .json(&Body { project_id, target: self.target })?;
        let answer = call.send::<Option<Label>>(&self.client).await?;
        if answer.data.is_none() && !may_be_gone {
            return Err(answer.refuse("there is no label in it"));
        }
        Ok(answer.data)
    }
}

// Where the label points now; `None` when an undo took it away.
awaitable!(SetLabel => Option<Label>);

/// A request that takes a label away.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct RemoveLabel {
    client: PromptOpsClient,
    id: String,
    label: String,
    project: Option<String>,
    if_match: Option<String>,
}

impl RemoveLabel {
    pub(crate) fn new(client: &PromptOpsClient, id: String, label: String) -> Self {
        Self { client: client.clone(), id, label, project: None, if_match: None }
    }

    project_setter!();
    if_match_setter!();

    async fn send(self) -> Result<bool, Error> {
        let call = Call::prompt(&REMOVE_LABEL, &self.id)
            .segment("labels")
            .segment(&self.label)
            .in_project(project(&self.client, self.project).as_ref())
            .if_match(self.if_match);
        call.send::<serde::de::IgnoredAny>(&self.client).await.map(|_| true)
    }
}

awaitable!(RemoveLabel => bool);
