//! Applications: created, changed, restarted, stopped, scaled, deleted.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use super::variable::EnvironmentVariableInput;
use crate::{
    Platform,
    applications::{self, ApplicationFields, NewApplication},
    error::{Refusals, Result as Outcome},
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id, id_if},
        error::{Result, answer, payloads},
        types::{
            Application, Operation,
            money::Money,
            source::{ApplicationSourceInput, BuildConfigInput, HealthCheckInput},
            state::RestartPolicy,
        },
    },
    lifecycle::{self, Scaled},
    plan_changes, transfer,
};

/// An application to create.
#[derive(InputObject)]
struct ApplicationCreateInput {
    /// Whose it is.
    organization_id: ID,
    /// What people call it.
    name: String,
    /// Short name, unique on the platform and the first part of its system domain; left out: the nearest to the name.
    slug: Option<String>,
    /// What each of its instances gets.
    plan_id: ID,
    /// Where it runs.
    region_id: ID,
    /// The runtime it asks for; left out: detected.
    runtime_id: Option<ID>,
    /// Where its code comes from; left out: from archives that are uploaded.
    source: Option<ApplicationSourceInput>,
    /// How it is built.
    build_config: Option<BuildConfigInput>,
    /// How its instances show that they are well.
    health_check: Option<HealthCheckInput>,
    /// Its first environment variables.
    variables: Option<Vec<EnvironmentVariableInput>>,
    /// Whether a push to its branch deploys it.
    #[graphql(default = true)]
    auto_deploy: bool,
    /// How many web instances are wanted.
    #[graphql(default = 1)]
    instances: i64,
}

impl ApplicationCreateInput {
    fn decode(self) -> Outcome<NewApplication> {
        let mut refusals = Refusals::new();
        let source = self.source.map(|source| source.decode(&mut refusals));
        let build_config = self.build_config.unwrap_or_default().decode(&mut refusals);
        let health_check = self.health_check.map(|check| check.decode(&mut refusals));
        refusals.done()?;
        Ok(NewApplication {
            organization: id("organizationId", &self.organization_id)?,
            name: self.name,
            slug: self.slug,
            plan: id("planId", &self.plan_id)?,
            region: id("regionId", &self.region_id)?,
            runtime: id_if("runtimeId", self.runtime_id.as_ref())?,
            source: source.flatten(),
            build_config,
            health_check,
            variables: self.variables.unwrap_or_default().into_iter().map(Into::into).collect(),
            auto_deploy: self.auto_deploy,
            instances: self.instances,
        })
    }
}

/// What shall be different of an application; what is left out stays.
#[derive(InputObject)]
struct ApplicationUpdateInput {
    /// The application.
    id: ID,
    /// Refuse if it is no longer of this version.
    expected_version: Option<i64>,
    /// What people call it.
    name: Option<String>,
    /// Short name; the system domain changes with it, at once.
    slug: Option<String>,
    /// The runtime it asks for; `null`: detected.
    runtime_id: MaybeUndefined<ID>,
    /// Where its code comes from.
    source: Option<ApplicationSourceInput>,
    /// How it is built, as a whole.
    build_config: Option<BuildConfigInput>,
    /// How its instances show that they are well; `null`: as usual.
    health_check: MaybeUndefined<HealthCheckInput>,
    /// Whether a push to its branch deploys it.
    auto_deploy: Option<bool>,
    /// Whether its instances are started again when they end by themselves. In force at once.
    restart_policy: Option<RestartPolicy>,
}

impl ApplicationUpdateInput {
    fn decode(self) -> Outcome<ApplicationFields> {
        let mut refusals = Refusals::new();
        let source = self.source.and_then(|source| source.decode(&mut refusals));
        let build_config = self.build_config.map(|config| config.decode(&mut refusals));
        let health_check = match self.health_check {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(check) => Some(Some(check.decode(&mut refusals))),
        };
        refusals.done()?;
        let runtime = match self.runtime_id {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(runtime) => Some(Some(id("runtimeId", &runtime)?)),
        };
        let (name, slug, auto_deploy) = (self.name, self.slug, self.auto_deploy);
        let restart_policy = self.restart_policy.map(Into::into);
        Ok(ApplicationFields { name, slug, runtime, source, build_config, health_check, auto_deploy, restart_policy })
    }
}

/// Which application is restarted.
#[derive(InputObject)]
struct ApplicationRestartInput {
    /// The application.
    id: ID,
}

/// Which application is stopped.
#[derive(InputObject)]
struct ApplicationStopInput {
    /// The application.
    id: ID,
}

/// Which application is started.
#[derive(InputObject)]
struct ApplicationStartInput {
    /// The application.
    id: ID,
}

/// How many instances shall be.
#[derive(InputObject)]
struct ApplicationScaleInput {
    /// The application.
    id: ID,
    /// How many web instances are wanted: from 1 to what its plan allows.
    instances: i64,
    /// Refuse if it is no longer of this version.
    expected_version: Option<i64>,
}

/// Which application changes hands.
#[derive(InputObject)]
struct ApplicationTransferInput {
    /// The application. Nothing of it may run: stop it first.
    id: ID,
    /// Whose it shall be.
    organization_id: ID,
}

/// Which application goes.
#[derive(InputObject)]
struct ApplicationDeleteInput {
    /// The application.
    id: ID,
    /// Its short name, typed again: this cannot be undone.
    confirm_slug: String,
}

payloads! {
    /// What `applicationCreate` answers.
    ApplicationCreatePayload {
        /// The new application.
        application: Application,
    }
    /// What `applicationUpdate` answers.
    ApplicationUpdatePayload {
        /// The application as it is now.
        application: Application,
    }
    /// What `applicationRestart` answers.
    ApplicationRestartPayload {
        /// The application.
        application: Application,
        /// The work that was begun.
        operation: Operation,
    }
    /// What `applicationStop` answers.
    ApplicationStopPayload {
        /// The application.
        application: Application,
        /// The work that was begun.
        operation: Operation,
    }
    /// What `applicationStart` answers.
    ApplicationStartPayload {
        /// The application.
        application: Application,
        /// The work that was begun.
        operation: Operation,
    }
    /// What `applicationScale` answers.
    ApplicationScalePayload {
        /// The application.
        application: Application,
        /// The work that was begun.
        operation: Operation,
        /// By how much what it costs per hour changes, by what the billing plugin says of today's price; `null`: it does not say.
        price_change: Money,
    }
    /// What `applicationTransfer` answers.
    ApplicationTransferPayload {
        /// The application as it is now.
        application: Application,
    }
    /// What `applicationDelete` answers.
    ApplicationDeletePayload {
        /// The application that goes.
        deleted_id: ID,
        /// The work that was begun.
        operation: Operation,
    }
}

/// What was done is done, whether or not it can be said what it costs.
async fn price_change(p: &Platform, scaled: &Scaled) -> Option<Money> {
    let application = &scaled.application;
    let price = plan_changes::price_of_scaling(p, application.plan_id, scaled.before, application.desired_instances).await;
    price
        .inspect_err(|error| tracing::warn!(?error, "what other instances cost is not known"))
        .ok()
        .map(|price| Money::new(price, p.config.currency))
}

#[derive(Default)]
pub(super) struct ApplicationMutation;

#[Object]
impl ApplicationMutation {
    /// Creates an application. Nothing runs before its first deployment.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppWrite))]
    async fn application_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An application to create.")] input: ApplicationCreateInput,
    ) -> Result<ApplicationCreatePayload> {
        let outcome = async { applications::create(ctx.platform(), ctx.viewer()?, input.decode()?).await };
        answer(outcome.await, |row| ApplicationCreatePayload { application: Some(Application(row)), ..Default::default() })
    }

    /// Changes an application's settings. What runs goes on as it is until the next deployment.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppWrite))]
    async fn application_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: ApplicationUpdateInput,
    ) -> Result<ApplicationUpdatePayload> {
        let outcome = async {
            let (id, version) = (id("id", &input.id)?, input.expected_version);
            applications::update(ctx.platform(), ctx.viewer()?, id, version, input.decode()?).await
        };
        answer(outcome.await, |row| ApplicationUpdatePayload { application: Some(Application(row)), ..Default::default() })
    }

    /// Replaces all instances of an application by new ones of the same release.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn application_restart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application is restarted.")] input: ApplicationRestartInput,
    ) -> Result<ApplicationRestartPayload> {
        let outcome = async { lifecycle::restart(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |(application, operation)| ApplicationRestartPayload {
            application: Some(Application(application)),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }

    /// Stops an application, and with it its billing.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn application_stop(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application is stopped.")] input: ApplicationStopInput,
    ) -> Result<ApplicationStopPayload> {
        let outcome = async { lifecycle::stop(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |(application, operation)| ApplicationStopPayload {
            application: Some(Application(application)),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }

    /// Starts a stopped application again, with the release that it had.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn application_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application is started.")] input: ApplicationStartInput,
    ) -> Result<ApplicationStartPayload> {
        let outcome = async { lifecycle::start(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |(application, operation)| ApplicationStartPayload {
            application: Some(Application(application)),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }

    /// Changes how many instances of an application are wanted.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppWrite))]
    async fn application_scale(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many instances shall be.")] input: ApplicationScaleInput,
    ) -> Result<ApplicationScalePayload> {
        let outcome = async {
            let id = id("id", &input.id)?;
            lifecycle::scale(ctx.platform(), ctx.viewer()?, id, input.instances, input.expected_version).await
        };
        let outcome = outcome.await;
        let price_change = match &outcome {
            Ok(scaled) => price_change(ctx.platform(), scaled).await,
            Err(_) => None,
        };
        answer(outcome, |scaled| ApplicationScalePayload {
            application: Some(Application(scaled.application)),
            operation: scaled.operation.map(Operation),
            price_change,
            ..Default::default()
        })
    }

    /// Gives an application to another organization, of which you are an administrator. What it cost stays with the one that paid.
    #[graphql(directive = permitted::apply(Role::OrgOwner, Permission::AppWrite))]
    async fn application_transfer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application changes hands.")] input: ApplicationTransferInput,
    ) -> Result<ApplicationTransferPayload> {
        let outcome = async {
            let organization = id("organizationId", &input.organization_id)?;
            transfer::give(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, organization).await
        };
        answer(outcome.await, |row| ApplicationTransferPayload { application: Some(Application(row)), ..Default::default() })
    }

    /// Deletes an application with its containers, images and routes.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::AppWrite))]
    async fn application_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application goes.")] input: ApplicationDeleteInput,
    ) -> Result<ApplicationDeletePayload> {
        let outcome = async {
            let id = id("id", &input.id)?;
            lifecycle::delete(ctx.platform(), ctx.viewer()?, id, &input.confirm_slug).await
        };
        answer(outcome.await, |operation| ApplicationDeletePayload {
            deleted_id: Some(input.id.clone()),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }
}
