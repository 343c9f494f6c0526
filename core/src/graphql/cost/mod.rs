//! What a document costs: said once, by the `@cost` directive, which is both what the schema prints and what is counted.
//!
//! The sum over a document is its complexity. A document that is too complex is refused; any other one is paid for in points,
//! of which everybody has so many per minute.

mod sum;

use std::sync::{Arc, OnceLock};

use async_graphql::{
    Response, ServerError, ServerResult, TypeDirective, Value, Variables,
    async_trait::async_trait,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextResolve, ResolveInfo},
    parser::types::ExecutableDocument,
    registry::Registry,
};

use self::sum::Sum;
use super::error::Refused;
use crate::{
    Platform,
    auth::{Allowance, Caller, Points},
    error::Error,
};

/// The most that a document may come to.
pub const MAX_COMPLEXITY: u64 = 5_000;
/// Of complexity, begun hundreds counted whole.
const COMPLEXITY_PER_POINT: u64 = 100;

/// What this field adds to a document's complexity, where that is not 1: `weight`, and what is selected below it, times `multiplier`.
#[TypeDirective(location = "FieldDefinition")]
pub fn cost(
    #[graphql(desc = "Of the field itself.")] weight: i32,
    #[graphql(desc = "The arguments of which the first that is given says how often what is below is counted: a number counts as \
                      itself, a list as its length, and none of them as 25.")]
    multiplier: Option<Vec<String>>,
) {
}

impl cost {
    /// As a multiplier: the arguments that say how long a page is.
    pub(super) fn page() -> Option<Vec<String>> {
        Some(vec!["first".to_owned(), "last".to_owned()])
    }
}

/// Of a request: who pays, and what it came to.
#[derive(Debug, Clone)]
pub(super) struct Tab {
    points: Points,
    charged: Arc<OnceLock<Charged>>,
}

/// What a request came to.
#[derive(Debug, Clone)]
pub(super) struct Charged {
    pub points: u32,
    pub allowance: Allowance,
    /// The names under which the answer has `rateLimit`, where that asks for nothing to be done.
    dry_run: Option<Vec<String>>,
}

impl Tab {
    pub(super) fn new(points: &Points) -> Self {
        Self { points: points.clone(), charged: Arc::default() }
    }

    /// Nothing before the document has been looked at.
    pub(super) fn charged(&self) -> Option<&Charged> {
        self.charged.get()
    }

    /// Charges for a document that is executed without asking. `false`: it has to be asked about, and has cost nothing yet.
    pub(super) fn charge_plain(
        &self,
        platform: &Platform,
        caller: &Caller,
        registry: &Registry,
        document: &ExecutableDocument,
        variables: &Variables,
    ) -> Result<bool, ServerError> {
        let sum = sum::of(registry, document, variables);
        if sum.dry_run.is_some() {
            return Ok(false);
        }
        self.charge(platform, caller, sum)?;
        Ok(true)
    }

    fn charge(&self, platform: &Platform, caller: &Caller, sum: Sum) -> Result<(), ServerError> {
        let now = platform.now();
        let too_complex = sum.complexity > MAX_COMPLEXITY;
        let points = u32::try_from(sum.complexity.div_ceil(COMPLEXITY_PER_POINT).max(1)).unwrap_or(u32::MAX);
        // What is not executed costs what it takes to refuse it.
        let due = if too_complex || sum.dry_run.is_some() { 1 } else { points };
        let paid = self.points.spend(caller, due, now);
        let (Ok(allowance) | Err(allowance)) = paid;
        let _ = self.charged.set(Charged { points, allowance, dry_run: sum.dry_run });
        if paid.is_err() {
            let retry_after_seconds = allowance.seconds_to_reset(now);
            let error = async_graphql::Error::from(Refused(Error::RateLimited { retry_after_seconds }));
            return Err(error.into_server_error(async_graphql::Pos::default()));
        }
        if too_complex {
            let message = format!("The document's complexity is {}, and at most {MAX_COMPLEXITY}: ask for fewer at once.", sum.complexity);
            return Err(ServerError::new(message, None));
        }
        Ok(())
    }
}

/// Counts and charges.
pub(super) struct Costs;

impl ExtensionFactory for Costs {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for Costs {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let document = next.run(ctx, query, variables).await?;
        let sum = sum::of(&ctx.schema_env.registry, &document, variables);
        ctx.data_unchecked::<Tab>().charge(ctx.data_unchecked::<Platform>(), ctx.data_unchecked::<Caller>(), sum)?;
        Ok(document)
    }

    async fn resolve(&self, ctx: &ExtensionContext<'_>, info: ResolveInfo<'_>, next: NextResolve<'_>) -> ServerResult<Option<Value>> {
        let at_root = info.path_node.parent.is_none();
        if at_root && info.name != "rateLimit" && is_dry_run(ctx).is_some() {
            return Ok(None);
        }
        next.run(ctx, info).await
    }

    async fn execute(&self, ctx: &ExtensionContext<'_>, operation_name: Option<&str>, next: NextExecute<'_>) -> Response {
        let mut response = next.run(ctx, operation_name).await;
        if let (Some(names), Value::Object(data)) = (is_dry_run(ctx), &mut response.data) {
            data.retain(|name, _| names.iter().any(|kept| kept == name.as_str()));
        }
        response
    }
}

fn is_dry_run<'a>(ctx: &'a ExtensionContext<'_>) -> Option<&'a [String]> {
    ctx.data_opt::<Tab>()?.charged()?.dry_run.as_deref()
}
