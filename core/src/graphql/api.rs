//! One door to the executor, for HTTP and WebSocket alike: guard, then execute that same parsed document, then tidy the answer.

use std::panic::AssertUnwindSafe;

use async_graphql::{Response, ServerError, Variables};
use futures::{FutureExt, Stream, StreamExt};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Schemas, SlipwaySchema,
    cost::Tab,
    guard::{self, Kind},
    load, plain,
    turn::{Turn, turns},
};
use crate::{
    Platform,
    auth::{Allowance, Caller, Points},
};

/// Bytes of a request's variables, as JSON.
const MAX_VARIABLES_BYTES: usize = 256 * 1024;
/// Told at once of what is wrong with a document.
const MAX_REFUSALS: usize = 20;

/// The GraphQL API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    schemas: Schemas,
    platform: Platform,
    points: Points,
}

/// A request as its JSON says it.
#[derive(Debug, Clone, Default)]
pub struct Payload {
    pub query: String,
    pub operation_name: Option<String>,
    pub variables: Map<String, Value>,
}

/// A request that passed the guard.
#[derive(Debug)]
pub struct Prepared {
    pub kind: Kind,
    request: async_graphql::Request,
}

/// What goes back, and whether it got as far as executing anything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<async_graphql::Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
    /// Whether there is `data`, be it null.
    #[serde(skip)]
    pub executed: bool,
    /// What the caller has left, once the cost of the document is known.
    #[serde(skip)]
    pub allowance: Option<Allowance>,
}

impl Answer {
    /// A refusal of the whole request.
    #[must_use]
    pub fn refused(code: &str, message: &str) -> Self {
        Self::of_error(json!({"message": message, "extensions": {"code": code}}))
    }

    fn of_error(error: Value) -> Self {
        Self { data: None, errors: vec![error], executed: false, allowance: None }
    }

    /// A refusal for want of points.
    #[must_use]
    pub fn rate_limited(allowance: Allowance, retry_after_seconds: u64) -> Self {
        let Allowance { limit, remaining, .. } = allowance;
        let message =
            format!("Of {limit} points a minute {remaining} are left, and this costs more. Try again in {retry_after_seconds} seconds.");
        let extensions = json!({"code": "RATE_LIMITED", "retryAfterSeconds": retry_after_seconds});
        Self { allowance: Some(allowance), ..Self::of_error(json!({"message": message, "extensions": extensions})) }
    }

    /// Whether nothing was executed for want of points.
    #[must_use]
    pub fn is_rate_limited(&self) -> bool {
        !self.executed && self.errors().first().is_some_and(|error| error["extensions"]["code"] == "RATE_LIMITED")
    }

    /// Whether nothing came of it.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.data.as_ref().is_none_or(|data| *data == async_graphql::Value::Null)
    }

    /// Errors, as they stand in the body.
    #[must_use]
    pub fn errors(&self) -> &[Value] {
        &self.errors
    }

    /// The body: `{"data": …, "errors": […]}`, without `data` if nothing was executed.
    #[must_use]
    pub fn to_json(&self) -> String {
        // The executor's values are JSON: nothing in them could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Payload {
    /// Reads a request from JSON. `null` members count as absent.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    pub fn from_json(body: Value) -> Result<Self, String> {
        let Value::Object(mut body) = body else {
            return Err("Send one request as a JSON object; a list of requests is not taken.".to_owned());
        };
        let query = match body.remove("query") {
            Some(Value::String(query)) => query,
            _ => return Err("`query` is missing or not a string.".to_owned()),
        };
        let operation_name = match body.remove("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(_) => return Err("`operationName` is not a string.".to_owned()),
        };
        let variables = match body.remove("variables") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(variables)) => variables,
            Some(_) => return Err("`variables` is not an object.".to_owned()),
        };
        if !matches!(body.remove("extensions"), None | Some(Value::Null | Value::Object(_))) {
            return Err("`extensions` is not an object.".to_owned());
        }
        Ok(Self { query, operation_name, variables })
    }

    /// # Errors
    /// The guard's refusal, without data.
    pub fn prepare(self) -> Result<Prepared, Answer> {
        let refused = |message: &str| Answer::refused("QUERY_REJECTED", message);
        if serde_json::to_vec(&self.variables).map_or(usize::MAX, |json| json.len()) > MAX_VARIABLES_BYTES {
            return Err(refused("The variables are larger than 256 KiB."));
        }
        let checked = guard::check(&self.query).map_err(|refusal| refused(&refusal.to_string()))?;
        let mut request = async_graphql::Request::new(self.query).variables(Variables::from_json(Value::Object(self.variables)));
        request.operation_name = self.operation_name;
        request.set_parsed_query(checked.document);
        Ok(Prepared { kind: checked.kind, request })
    }
}

impl Api {
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { schemas: super::schemas(&platform), points: Points::new(platform.config.points_per_minute), platform }
    }

    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Takes points of a caller. Of none, it only fails when none are left.
    ///
    /// # Errors
    /// When fewer are left: none are taken then.
    pub fn spend(&self, caller: &Caller, points: u32) -> Result<Allowance, Allowance> {
        let allowance = self.points.spend(caller, points, self.platform.now())?;
        if points == 0 && allowance.remaining == 0 { Err(allowance) } else { Ok(allowance) }
    }

    fn may_introspect(&self, caller: &Caller) -> bool {
        caller.viewer.is_some() || self.platform.config.development
    }

    fn request(&self, prepared: Prepared, caller: Caller, tab: Tab, turn: Turn) -> async_graphql::Request {
        let request = if self.may_introspect(&caller) { prepared.request } else { prepared.request.disable_introspection() };
        let rows = load::rows(&self.platform, &caller, turn);
        request.data(caller).data(rows).data(tab)
    }

    /// What a document is executed with, once it is paid for where that is not the executor's to ask.
    fn schema_for(&self, prepared: &mut Prepared, caller: &Caller, tab: &Tab) -> Result<SlipwaySchema, Answer> {
        let asking = Ok(self.schemas.asking.clone());
        let Some(registry) = self.schemas.known.registry() else { return asking };
        let variables = prepared.request.variables.clone();
        let Ok(document) = prepared.request.parsed_query() else { return asking };
        if !plain::is_plain(registry, document, caller.viewer.as_ref()) {
            return asking;
        }
        match tab.charge_plain(&self.platform, caller, registry, document, &variables) {
            Ok(true) => Ok(self.schemas.plain.clone()),
            Ok(false) => asking,
            Err(error) => {
                let refused = tidy(Response::from_errors(vec![error]), self.may_introspect(caller));
                Err(Answer { allowance: tab.charged().map(|charged| charged.allowance), ..refused })
            }
        }
    }

    /// Answers a query or mutation.
    pub async fn execute(&self, mut prepared: Prepared, caller: Caller) -> Answer {
        let tab = Tab::new(&self.points);
        let may_introspect = self.may_introspect(&caller);
        let turn = Turn::default();
        let schema = match self.schema_for(&mut prepared, &caller, &tab) {
            Ok(schema) => schema,
            Err(refused) => return refused,
        };
        let request = self.request(prepared, caller, tab.clone(), turn.clone());
        // A bug in one resolver must not take the connection of others' requests with it.
        let execution = AssertUnwindSafe(turn.of(schema.execute(request))).catch_unwind();
        let limit = self.platform.config.answer_within;
        let answer = match tokio::time::timeout(limit, execution).await {
            Ok(Ok(response)) => tidy(response, may_introspect),
            Ok(Err(_)) => {
                tracing::error!("a resolver panicked");
                Answer::refused("INTERNAL", "Something went wrong on our side. It has been recorded.")
            }
            Err(_) => {
                let message = format!("This took longer than {} seconds. Ask for less, or try again later.", limit.as_secs_f32());
                Answer::refused("UNAVAILABLE", &message)
            }
        };
        Answer { allowance: tab.charged().map(|charged| charged.allowance), ..answer }
    }

    /// Answers any operation, one message at a time.
    pub fn stream(&self, prepared: Prepared, caller: Caller) -> impl Stream<Item = Answer> + Send + use<> {
        let api = self.clone();
        async move {
            if prepared.kind == Kind::Subscription {
                let (may_introspect, tab, turn) = (api.may_introspect(&caller), Tab::new(&api.points), Turn::default());
                let mut prepared = prepared;
                let schema = match api.schema_for(&mut prepared, &caller, &tab) {
                    Ok(schema) => schema,
                    Err(refused) => return futures::stream::once(std::future::ready(refused)).boxed(),
                };
                let request = api.request(prepared, caller, tab, turn.clone());
                turns(turn, schema.execute_stream(request)).map(move |response| tidy(response, may_introspect)).boxed()
            } else {
                let answer = api.execute(prepared, caller).await;
                futures::stream::once(std::future::ready(answer)).boxed()
            }
        }
        .flatten_stream()
    }
}

/// Gives every error a code, and leaves `data` out where nothing was executed. What somebody may not introspect, suggestions do not
/// tell them either.
fn tidy(mut response: Response, may_introspect: bool) -> Answer {
    response.errors.iter_mut().for_each(give_code);
    if !may_introspect {
        response.errors.iter_mut().for_each(forget_suggestions);
    }
    let executed =
        response.errors.is_empty() || response.data != async_graphql::Value::Null || response.errors.iter().any(|e| !e.path.is_empty());
    if !executed {
        // A document full of mistakes is not worth an answer that is many times as long.
        response.errors.truncate(MAX_REFUSALS);
    }
    let errors = response.errors.iter().map(|error| json!(error)).collect();
    Answer { data: executed.then_some(response.data), errors, executed, allowance: None }
}

/// Errors of our own have a code. The others are the executor's opinion about the document and its variables.
fn give_code(error: &mut ServerError) {
    let extensions = error.extensions.get_or_insert_with(Default::default);
    if extensions.get("code").is_none() {
        extensions.set("code", "QUERY_REJECTED");
    }
}

fn forget_suggestions(error: &mut ServerError) {
    if let Some(at) = error.message.find(" Did you mean") {
        error.message.truncate(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Payload, String> {
        Payload::from_json(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_request_is_one_object_with_a_query() {
        let payload = read(r#"{"query": "{ a }", "variables": {"x": 1}, "operationName": null, "extensions": {}}"#).unwrap();
        assert_eq!((payload.query.as_str(), payload.variables.len()), ("{ a }", 1));
        for bad in [
            "[]",
            "1",
            "{}",
            r#"{"query": 1}"#,
            r#"{"query": "{a}", "variables": "x"}"#,
            r#"{"query": "{a}", "variables": []}"#,
            r#"{"query": "{a}", "operationName": 1}"#,
            r#"{"query": "{a}", "extensions": 1}"#,
            r#"[{"query": "{a}"}]"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn variables_that_are_too_large_are_refused() {
        let mut payload = Payload { query: "{ a }".to_owned(), ..Payload::default() };
        payload.variables.insert("x".to_owned(), Value::String("x".repeat(MAX_VARIABLES_BYTES)));
        let answer = payload.prepare().unwrap_err();
        assert_eq!(answer.errors()[0]["extensions"]["code"], "QUERY_REJECTED");
    }
}
