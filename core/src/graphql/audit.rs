//! Writes down every mutation: who, from where, what, and what came of it. In this one place, so that none can forget to.
//!
//! What changes something carries its row in its own transaction ([`slipway_store::audit::record`]); what changes nothing, because it
//! was refused or went wrong, is written down here. Of what was asked, only words that cannot hold a secret are kept.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use async_graphql::{
    Name, ServerError, ServerResult, Value, Variables,
    async_trait::async_trait,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextResolve, ResolveInfo},
    parser::types::ExecutableDocument,
    registry::{MetaType, MetaTypeName, Registry},
};
use serde_json::{Map, Value as Json, json};
use slipway_model::{AuditEventId, OrganizationId, Viewer, state::AuditOutcome};
use slipway_store::{
    StoreError,
    audit::{self, NewAuditEvent, Recorded},
};

use crate::{
    Platform,
    auth::Caller,
    error::{Error, UserError},
};

/// Stands for text that was given.
const GIVEN: &str = "…";
/// Members of a list that are written down.
const MAX_LIST: usize = 20;

/// Makes an [`Audit`] for each request.
pub(super) struct AuditLog;

impl ExtensionFactory for AuditLog {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Audit::default())
    }
}

/// One request's variables, which a resolver's arguments refer to.
#[derive(Default)]
struct Audit {
    variables: OnceLock<HashMap<Name, Value>>,
}

#[async_trait]
impl Extension for Audit {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        let definitions = document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
        let defaults = definitions.filter_map(|definition| {
            let name = definition.node.name.node.clone();
            let value = variables.get(&name).or_else(|| definition.node.default_value())?.clone();
            Some((name, value))
        });
        let _ = self.variables.set(defaults.collect());
        Ok(document)
    }

    async fn resolve(&self, ctx: &ExtensionContext<'_>, info: ResolveInfo<'_>, next: NextResolve<'_>) -> ServerResult<Option<Value>> {
        if info.parent_type != "Mutation" {
            return next.run(ctx, info).await;
        }
        let (Some(platform), Some(caller)) = (ctx.data_opt::<Platform>(), ctx.data_opt::<Caller>()) else {
            return Err(ServerError::new("A mutation needs a caller.", None));
        };
        let asked = self.asked(&ctx.schema_env.registry, &info);
        let event = event(platform, caller, info.name, asked).await.map_err(unavailable)?;
        let unfinished = Unfinished { platform: platform.clone(), recorded: Some(Recorded::new(event)) };
        let Some(recorded) = unfinished.recorded.clone() else { return next.run(ctx, info).await };
        let answer = audit::record(&recorded, next.run(ctx, info)).await;
        let outcome = match &answer {
            Ok(_) => AuditOutcome::Allowed,
            // What was done stays done when its answer cannot be put together.
            Err(_) if recorded.is_written() => AuditOutcome::Allowed,
            Err(error) => outcome_of(error),
        };
        unfinished.end(outcome).await;
        answer
    }
}

fn unavailable(error: StoreError) -> ServerError {
    async_graphql::Error::from(super::error::Refused(Error::from(error))).into_server_error(async_graphql::Pos::default())
}

fn outcome_of(error: &ServerError) -> AuditOutcome {
    match error.extensions.as_ref().and_then(|extensions| extensions.get("code")) {
        Some(Value::String(code)) if matches!(code.as_str(), "UNAUTHENTICATED" | "FORBIDDEN" | "RATE_LIMITED") => AuditOutcome::Denied,
        _ => AuditOutcome::Failed,
    }
}

/// What a rule answered, noted for the row: by [`super::error::answer`], which every mutation ends with.
pub(super) fn note(error: &Error) {
    audit::note_outcome(match error {
        Error::Unauthenticated | Error::Forbidden | Error::RateLimited { .. } => AuditOutcome::Denied,
        Error::User(_) | Error::NotFound | Error::Unavailable(_) | Error::Internal(_) => AuditOutcome::Failed,
    });
    if let Error::User(errors) = error {
        let word = |error: &UserError| format!("{:?} {}", error.code, error.path.join(".")).trim().to_owned();
        audit::note_refusals(errors.iter().take(MAX_LIST).map(word).collect());
    }
}

/// A mutation under way. One that is dropped before its end, because it took too long or its socket was closed, is written down too.
struct Unfinished {
    platform: Platform,
    recorded: Option<Recorded>,
}

impl Unfinished {
    async fn end(mut self, outcome: AuditOutcome) {
        if let Some(recorded) = self.recorded.take() {
            write(&self.platform, &recorded, outcome).await;
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(recorded) = self.recorded.take().filter(|recorded| !recorded.is_written()) {
            let platform = self.platform.clone();
            tokio::spawn(async move { write(&platform, &recorded, AuditOutcome::Failed).await });
        }
    }
}

/// Writes what no transaction carried. That it cannot be written takes nothing back: it is said in the log.
async fn write(platform: &Platform, recorded: &Recorded, outcome: AuditOutcome) {
    let Some(mut event) = recorded.unwritten(outcome) else { return };
    if recorded.is_written() {
        // A second row about the same mutation, whose later part went wrong.
        event.id = AuditEventId::new(&*platform.clock);
    }
    let written = async {
        let mut tx = platform.db.begin().await?;
        audit::append(&mut tx, &event).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::error!(action = event.action, outcome = %event.outcome, ?error, "a mutation could not be written down");
    }
}

async fn event(platform: &Platform, caller: &Caller, action: &str, asked: Asked) -> Result<NewAuditEvent, StoreError> {
    let mut organization = None;
    if let (Some(viewer), Some(id)) = (&caller.viewer, asked.organization.as_ref().or(asked.subject.as_ref())) {
        let found = audit::organization_of(&mut platform.db.read().await?, id).await?;
        // What strangers try is for the platform to see, and no way to write into a customer's log.
        organization = found.filter(|id| viewer.role_in(*id).is_some());
    }
    Ok(NewAuditEvent {
        id: AuditEventId::new(&*platform.clock),
        organization_id: organization,
        actor_id: caller.viewer.as_ref().and_then(Viewer::user_id),
        credential: caller.credential_id(),
        ip: caller.address.map(|address| address.to_string()),
        user_agent: caller.user_agent.clone(),
        action: action.to_owned(),
        subject: asked.subject,
        outcome: AuditOutcome::Allowed,
        data: Some(Json::Object(asked.data)),
        created_at: platform.now(),
    })
}

/// What a mutation was asked, as far as it is written down.
#[derive(Default)]
struct Asked {
    data: Map<String, Json>,
    /// The first id that is no organization's, or else that one.
    subject: Option<String>,
    organization: Option<String>,
}

impl Audit {
    fn asked(&self, registry: &Registry, info: &ResolveInfo<'_>) -> Asked {
        let mut asked = Asked::default();
        let declared = registry.types.get(info.parent_type).and_then(|meta| meta.field_by_name(info.name));
        for (name, value) in &info.field.arguments {
            let Some(argument) = declared.and_then(|field| field.args.get(name.node.as_str())) else { continue };
            let resolved = value.node.clone().into_const_with(|name| {
                Ok::<_, std::convert::Infallible>(self.variables.get().and_then(|all| all.get(&name)).cloned().unwrap_or(Value::Null))
            });
            let Ok(value) = resolved;
            let words = words(registry, &argument.ty, &value, &mut asked);
            asked.data.insert(name.node.to_string(), words);
        }
        asked.subject = asked.subject.take().or_else(|| asked.organization.clone());
        asked
    }
}

/// What is kept of a value: ids, numbers, switches, times and members of enums. Of text and secrets, that they were given.
fn words(registry: &Registry, kind: &str, value: &Value, asked: &mut Asked) -> Json {
    let given = || Json::from(GIVEN);
    match value {
        Value::Null => Json::Null,
        Value::List(values) => {
            let kind = kind.trim_end_matches('!');
            let kind = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')).unwrap_or(kind);
            values.iter().take(MAX_LIST).map(|value| words(registry, kind, value, asked)).collect()
        }
        Value::Object(fields) => match registry.types.get(MetaTypeName::concrete_typename(kind)) {
            Some(MetaType::InputObject { input_fields, .. }) => {
                // In the order of the schema, so that the first id is the one that the input is about.
                let known = input_fields.values().filter_map(|field| Some((field, fields.get(field.name.as_str())?)));
                known.map(|(field, value)| (field.name.clone(), words(registry, &field.ty, value, asked))).collect()
            }
            _ => given(),
        },
        Value::Boolean(switch) => json!(switch),
        Value::Enum(member) => member_of(registry, kind, member.as_str()),
        Value::Number(number) => json!(number),
        Value::String(text) => match MetaTypeName::concrete_typename(kind) {
            "ID" if is_id(text) => {
                if text.parse::<OrganizationId>().is_ok() {
                    asked.organization.get_or_insert_with(|| text.clone());
                } else {
                    asked.subject.get_or_insert_with(|| text.clone());
                }
                json!(text)
            }
            "BigInt" | "Decimal" | "DateTime" if is_figure(text) => json!(text),
            kind => member_of(registry, kind, text),
        },
        Value::Binary(_) => given(),
    }
}

/// Variables carry members of enums as text.
fn member_of(registry: &Registry, kind: &str, text: &str) -> Json {
    match registry.types.get(MetaTypeName::concrete_typename(kind)) {
        Some(MetaType::Enum { enum_values, .. }) if enum_values.contains_key(text) => json!(text),
        _ => Json::from(GIVEN),
    }
}

/// A prefix and 26 characters: nothing else is an id, whatever stands in its place.
fn is_id(text: &str) -> bool {
    let alphanumeric = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase());
    text.split_once('_').is_some_and(|(prefix, id)| prefix.len() == 3 && id.len() == 26 && alphanumeric(prefix) && alphanumeric(id))
}

/// Digits and what stands between them in numbers and times.
fn is_figure(text: &str) -> bool {
    text.len() <= 40 && text.bytes().all(|b| b.is_ascii_digit() || b"+-.:TZ".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_a_secret_is_kept() {
        assert!(is_id("app_00000000000000000000000000"));
        for text in
            ["", "app_", "canary", "app_0000000000000000000000000G", "app_00000000000000000000000000x", "apps_00000000000000000000000000"]
        {
            assert!(!is_id(text), "{text}");
        }
        assert!(is_figure("-1.5") && is_figure("2026-01-01T00:00:00Z") && !is_figure("hunter2") && !is_figure(&"1".repeat(41)));
    }
}
