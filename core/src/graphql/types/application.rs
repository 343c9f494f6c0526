//! Applications: what a customer owns.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use super::{
    Deployment, EnvironmentVariable, Organization, Plan, Region, Runtime, User,
    billing::PlanOffer,
    log::{self, LogPage},
    metrics::{Asked, MetricName, MetricSeries},
    money::Money,
    source::{ApplicationSource, BuildConfig, HealthCheck},
    state::{ApplicationStatus, DeploymentStatus, LogSeverity, LogStream, RestartPolicy, SuspensionReason, VariableScope},
};
use crate::{
    application_logs::Cursor,
    applications,
    error::UserError,
    graphql::{
        access::Permission,
        billed::{PlansOnOffer, SuspensionOf},
        connection::{ApplicationInstanceConnection, DeploymentConnection, EventConnection, OperationConnection},
        context::{Request, id_if},
        cost::cost,
        error::Result,
        lists, load,
        page::page,
    },
    log_history, plan_changes, runtimes, variables,
};

/// What a customer owns: code from somewhere, running as instances under a name.
pub struct Application(pub(crate) store::applications::Application);

/// What a customer owns: code from somewhere, running as instances under a name.
#[Object]
impl Application {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// Short name, unique on the platform; the first part of its system domain.
    async fn slug(&self) -> &str {
        self.0.slug.as_ref()
    }

    /// What people call it.
    async fn name(&self) -> &str {
        self.0.name.as_ref()
    }

    /// What it is doing.
    async fn status(&self) -> ApplicationStatus {
        self.0.status.into()
    }

    /// Why, where that is not plain.
    async fn status_reason(&self) -> Option<&str> {
        self.0.status_reason.as_deref()
    }

    /// Why it is suspended; `null`: it is not.
    async fn suspension_reason(&self, ctx: &Context<'_>) -> Result<Option<SuspensionReason>> {
        Ok(ctx.rows().need_of(SuspensionOf(self.0.id)).await?.map(Into::into))
    }

    /// The plans that it may move to, and of the others why not.
    #[graphql(directive = cost::apply(20, None))]
    async fn plan_offers(&self, ctx: &Context<'_>) -> Result<Vec<PlanOffer>> {
        let rows = ctx.rows();
        let from = rows.need(self.0.plan_id).await?;
        let active = rows.need_of(PlansOnOffer()).await?;
        let release: Option<store::releases::Release> = match self.0.current_release_id {
            Some(id) => rows.load(id).await?,
            None => None,
        };
        let offers = plan_changes::offers(ctx.platform(), &self.0, &from, active, release.as_ref()).await?;
        Ok(offers.into_iter().map(PlanOffer).collect())
    }

    /// What each of its instances gets.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Plan> {
        Ok(Plan(ctx.rows().need(self.0.plan_id).await?))
    }

    /// The runtime it asks for, in the version taken by default; `null`: it is detected.
    async fn runtime(&self, ctx: &Context<'_>) -> Result<Option<Runtime>> {
        Ok(match &self.0.runtime_kind {
            Some(kind) => runtimes::default_of(&ctx.rows().need_of(load::RuntimesOf(kind.clone())).await?).cloned().map(Runtime),
            None => None,
        })
    }

    /// Where it runs.
    async fn region(&self, ctx: &Context<'_>) -> Result<Region> {
        Ok(Region(ctx.rows().need(self.0.region_id).await?))
    }

    /// Where its code comes from; `null`: from archives that are uploaded.
    async fn source(&self) -> Option<ApplicationSource> {
        self.0.source.clone().map(Into::into)
    }

    /// How it is built.
    async fn build_config(&self) -> BuildConfig {
        self.0.build_config.clone().into()
    }

    /// How its instances show that they are well.
    async fn health_check(&self) -> HealthCheck {
        self.0.health_check.clone().unwrap_or_default().into()
    }

    /// How many web instances are wanted.
    async fn desired_instances(&self) -> i64 {
        self.0.desired_instances
    }

    /// Whether its instances are started again when they end by themselves.
    async fn restart_policy(&self) -> RestartPolicy {
        self.0.restart_policy.into()
    }

    /// Whether a push to its branch deploys it.
    async fn auto_deploy(&self) -> bool {
        self.0.auto_deploy
    }

    /// Where visitors reach it, by its system domain.
    async fn url(&self, ctx: &Context<'_>) -> String {
        applications::url(&ctx.platform().config, &self.0.slug)
    }

    /// The deployment that serves.
    async fn current_deployment(&self, ctx: &Context<'_>) -> Result<Option<Deployment>> {
        Ok(match self.0.current_deployment_id {
            Some(id) => ctx.rows().load(id).await?.map(Deployment),
            None => None,
        })
    }

    /// Grows with every change of its settings; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// Who created it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(match self.0.created_by {
            Some(id) => ctx.rows().load(id).await?.map(User),
            None => None,
        })
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When its settings were last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }

    /// Whether you, with what you came with, may do something with it.
    async fn viewer_can(&self, ctx: &Context<'_>, #[graphql(desc = "What you would do.")] permission: Permission) -> Result<bool> {
        Ok(ctx.viewer()?.may(self.0.organization_id, permission.into()))
    }

    /// What its wanted instances cost per hour at today's price of its plan.
    async fn estimated_hourly_cost(&self, ctx: &Context<'_>) -> Result<Money> {
        let plan: store::plans::Plan = ctx.rows().need(self.0.plan_id).await?;
        let nanos = plan.price_hourly.nanos().saturating_mul(self.0.desired_instances);
        Ok(Money::new(slipway_model::Money::from_nanos(nanos), ctx.platform().config.currency))
    }

    /// Its environment variables, by key. Values of sensitive ones are left out.
    async fn variables(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those seen there.")] scope: Option<VariableScope>,
    ) -> Result<Vec<EnvironmentVariable>> {
        let rows = ctx.rows().need_of(load::VariablesOf(self.0.id)).await?.into_iter();
        let scope = scope.map(Into::into);
        Ok(rows.filter(|row| scope.is_none_or(|scope| variables::is_seen_in(row, scope))).map(EnvironmentVariable).collect())
    }

    /// Its deployments, newest first.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn deployments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those in one of these states.")] status: Option<Vec<DeploymentStatus>>,
    ) -> Result<DeploymentConnection> {
        let list = lists::Deployments { status: status.map(|status| status.into_iter().map(Into::into).collect()) };
        Ok(ctx.rows().list(list, self.0.id, page(first, after, last, before)?).await?.into())
    }

    /// Its instances that should run or do, newest first. Those that ended are with their deployment.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn instances(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<ApplicationInstanceConnection> {
        Ok(ctx.rows().list(lists::CurrentInstances {}, self.0.id, page(first, after, last, before)?).await?.into())
    }

    /// Its operations, newest first.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn operations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<OperationConnection> {
        Ok(ctx.rows().list(lists::Operations {}, self.0.id, page(first, after, last, before)?).await?.into())
    }

    /// What happened to it, newest first.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<EventConnection> {
        Ok(ctx.rows().list(lists::Events {}, self.0.id, page(first, after, last, before)?).await?.into())
    }

    /// What it uses and is asked, over time.
    #[graphql(directive = cost::apply(20, Some(vec!["names".to_owned()])))]
    async fn metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be told; none named: everything.")] names: Vec<MetricName>,
        #[graphql(desc = "Where it begins.")] from: DateTime<Utc>,
        #[graphql(desc = "Before where it ends; left out: now.")] to: Option<DateTime<Utc>>,
        #[graphql(desc = "How long each step is: 10 to 86,400 seconds.", default_with = "Some(60)")] step_seconds: Option<i64>,
    ) -> Result<Vec<MetricSeries>> {
        Asked { names, from, to, step_seconds: step_seconds.unwrap_or(60) }.of_application(ctx, self.0.id).await
    }

    /// What its instances wrote: the newest lines, or those before or after a cursor. `applicationLogs` follows it. The output of an
    /// instance goes with it.
    #[graphql(directive = cost::apply(50, None))]
    #[allow(clippy::too_many_arguments, reason = "they are filters, each of which may be left out")]
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many lines: 1 to 500.", default_with = "Some(100)")] first: Option<i32>,
        #[graphql(desc = "Only lines after this cursor, the oldest of them.")] after: Option<String>,
        #[graphql(desc = "Only lines before this cursor, the newest of them.")] before: Option<String>,
        #[graphql(desc = "Only lines after this moment.")] since: Option<DateTime<Utc>>,
        #[graphql(desc = "Only lines up to this moment.")] until: Option<DateTime<Utc>>,
        #[graphql(desc = "Only lines of these streams.")] streams: Option<Vec<LogStream>>,
        #[graphql(desc = "Only lines with this in them, in either case: at most 200 characters.")] search: Option<String>,
        #[graphql(desc = "Only lines of this instance.")] instance_id: Option<ID>,
        #[graphql(desc = "Only lines that say they are at least so bad; those that say nothing of it are left out.")] min_severity: Option<
            LogSeverity,
        >,
    ) -> Result<LogPage> {
        let most = usize::try_from(first.unwrap_or(100)).ok().filter(|most| (1..=500).contains(most));
        let most = most.ok_or_else(|| UserError::invalid("first", "Use 1 to 500."))?;
        let filter = log::filter(streams, search.as_deref(), min_severity)?;
        let cursor = |path, text: Option<String>| {
            let cursor = text.map(|text| text.parse::<Cursor>()).transpose();
            cursor.map_err(|error| UserError::invalid(path, error.to_string()))
        };
        let look = log_history::Look { after: cursor("after", after)?, before: cursor("before", before)?, since, until, filter, most };
        let only: Option<slipway_model::InstanceId> = id_if("instanceId", instance_id.as_ref())?;
        let mut instances = ctx.rows().list(lists::CurrentInstances {}, self.0.id, store::Page::first(store::Page::MOST)).await?.items;
        instances.retain(|instance| only.is_none_or(|only| only == instance.id));
        Ok(log_history::look(ctx.platform(), &instances, &look).await.into())
    }
}
