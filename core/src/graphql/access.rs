//! Who may call which field: said once, by the `@auth` directive, which is both what the schema prints and what is enforced.
//!
//! A root field without it is refused, so forgetting it shows. Roles inside an organization depend on the row, and are asked for by
//! the rule that loads it; here they mean that somebody must be signed in.

use std::{borrow::Cow, sync::Arc};

use async_graphql::{
    Enum, PathSegment, QueryPathNode, QueryPathSegment, ServerError, ServerResult, TypeDirective, Value, Variables,
    async_trait::async_trait,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextResolve, ResolveInfo},
    parser::types::{ExecutableDocument, OperationType, Selection},
    registry::{MetaDirectiveInvocation, Registry, location_traits::Directive_At_FIELD_DEFINITION},
};

use slipway_model as model;

use super::{error::Refused, plain::Known};
use crate::{auth::Caller, error::Error};

/// What somebody must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Role {
    /// Anybody, signed in or not.
    Anyone,
    /// Anybody who is signed in; inside an organization, one who may only look.
    Viewer,
    /// A member of the organization that the thing belongs to.
    OrgMember,
    /// An administrator of that organization.
    OrgAdmin,
    /// An owner of that organization.
    OrgOwner,
    /// An administrator of the platform.
    PlatformAdmin,
}

impl From<slipway_model::Role> for Role {
    fn from(role: slipway_model::Role) -> Self {
        match role {
            slipway_model::Role::Viewer => Self::Viewer,
            slipway_model::Role::Member => Self::OrgMember,
            slipway_model::Role::Admin => Self::OrgAdmin,
            slipway_model::Role::Owner => Self::OrgOwner,
        }
    }
}

impl Role {
    /// What somebody is in an organization; `None`: what nobody is there.
    pub(super) const fn in_organization(self) -> Option<slipway_model::Role> {
        match self {
            Self::Viewer => Some(slipway_model::Role::Viewer),
            Self::OrgMember => Some(slipway_model::Role::Member),
            Self::OrgAdmin => Some(slipway_model::Role::Admin),
            Self::OrgOwner => Some(slipway_model::Role::Owner),
            Self::Anyone | Self::PlatformAdmin => None,
        }
    }
}

/// Who may use this field.
#[TypeDirective(location = "FieldDefinition", name = "auth")]
pub fn declared(
    #[graphql(desc = "The least that the caller must be.")] role: Role,
    #[graphql(desc = "What an API token must be made for, if it is not for everything.")] permission: Option<Permission>,
) {
}

/// As `#[graphql(directive = auth::apply(Role::…))]`: by role alone. A token that is not for everything does not open such a field.
#[allow(non_camel_case_types, reason = "it stands where the directive's name does")]
pub struct auth;

impl auth {
    pub fn apply(role: Role) -> MetaDirectiveInvocation {
        declared::apply(role, None)
    }
}

/// As `#[graphql(directive = permitted::apply(Role::…, Permission::…))]`: by role, and for tokens by what they were made for.
#[allow(non_camel_case_types, reason = "it stands where the directive's name does")]
pub struct permitted;

impl permitted {
    pub fn apply(role: Role, permission: Permission) -> MetaDirectiveInvocation {
        declared::apply(role, Some(permission))
    }
}

macro_rules! stand_for_the_directive {
    ($($name:ident),+) => {
        $(
            impl TypeDirective for $name {
                fn name(&self) -> Cow<'static, str> {
                    declared.name()
                }

                fn register(&self, registry: &mut Registry) {
                    declared.register(registry);
                }
            }

            impl Directive_At_FIELD_DEFINITION for $name {}
        )+
    };
}

stand_for_the_directive!(auth, permitted);

/// What an API token may be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "slipway_model::Permission")]
pub enum Permission {
    /// To see applications and what happens to them.
    AppRead,
    /// To create, change, scale and delete applications.
    AppWrite,
    /// To deploy, restart, stop and start applications.
    AppDeploy,
    /// To set and reveal variables.
    AppSecrets,
    /// To see databases.
    DbRead,
    /// To create, change and delete databases.
    DbWrite,
    /// To see what databases are opened with.
    DbSecrets,
    /// To give applications domains.
    DomainWrite,
    /// To see what was used and paid.
    BillingRead,
    /// To pay.
    BillingWrite,
    /// To change an organization, its members and its invitations.
    OrgWrite,
    /// To see worker nodes.
    NodeRead,
    /// To add, change and remove worker nodes.
    NodeWrite,
    /// To see what the platform does.
    PlatformRead,
    /// To change plans, runtimes and regions.
    PlatformWrite,
    /// To install and switch plugins.
    PluginWrite,
    /// To see what was done, by whom.
    AuditRead,
}

/// Root fields that every token opens, whatever it was made for. What lies behind them asks for itself.
const OPEN_TO_EVERY_TOKEN: &[&str] = &["viewer", "node", "nodes", "organization", "organizations", "rateLimit"];

/// What a token must be made for to see anything of a type, however it got there. `Some(None)`: no such token does.
fn needed_for(kind: &str) -> Option<Option<model::Permission>> {
    Some(match kind {
        "Application" | "ApplicationInstance" | "Deployment" | "Build" | "EnvironmentVariable" | "SourceUpload" | "Operation" | "Event" => {
            Some(model::Permission::AppRead)
        }
        "WorkerNode" | "NodeEnrollmentToken" => Some(model::Permission::NodeRead),
        "Plugin" => Some(model::Permission::PlatformRead),
        "Invitation" => Some(model::Permission::OrgWrite),
        "AuditEvent" => Some(model::Permission::AuditRead),
        "BillingAccount" | "LedgerEntry" | "Invoice" | "SpendingAlert" => Some(model::Permission::BillingRead),
        "Session" | "ApiToken" => None,
        _ => return None,
    })
}

/// Whether what somebody came with opens things of a type at all.
pub(super) fn opens(viewer: &model::Viewer, kind: &str) -> bool {
    let grant = viewer.grant().filter(|grant| grant.permissions.is_some());
    match grant.and_then(|grant| Some((grant, needed_for(kind)?))) {
        Some((grant, needed)) => needed.is_some_and(|needed| grant.allows(needed)),
        None => true,
    }
}

/// Enforces `@auth`, and lets the types and fields be known.
#[derive(Clone, Default)]
pub(super) struct Access(pub(super) Known);

impl ExtensionFactory for Access {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Extension for Access {
    /// A subscription's resolver runs before the first [`Extension::resolve`], so its root fields are checked here.
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        self.0.learn(ctx.schema_env);
        let document = next.run(ctx, query, variables).await?;
        for (_, operation) in document.operations.iter().filter(|(_, operation)| operation.node.ty == OperationType::Subscription) {
            for selection in &operation.node.selection_set.node.items {
                match &selection.node {
                    Selection::Field(field) => ask(ctx, "Subscription", &field.node.name.node)?,
                    // The executor would answer such a subscription with silence.
                    Selection::FragmentSpread(_) | Selection::InlineFragment(_) => {
                        return Err(ServerError::new(
                            "Name the field of a subscription at its root, not in a fragment.",
                            Some(selection.pos),
                        ));
                    }
                }
            }
        }
        Ok(document)
    }

    async fn resolve(&self, ctx: &ExtensionContext<'_>, info: ResolveInfo<'_>, next: NextResolve<'_>) -> ServerResult<Option<Value>> {
        if !info.name.starts_with("__") {
            ask(ctx, info.parent_type, info.name)
                .map_err(|error| ServerError { locations: vec![info.field.name.pos], ..error }.with_path(path(info.path_node)))?;
        }
        next.run(ctx, info).await
    }
}

/// Where in the answer a field stands.
fn path(node: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut path: Vec<PathSegment> = std::iter::successors(Some(node), |node| node.parent)
        .map(|node| match node.segment {
            QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
            QueryPathSegment::Index(index) => PathSegment::Index(index),
        })
        .collect();
    path.reverse();
    path
}

fn ask(ctx: &ExtensionContext<'_>, parent: &str, field: &str) -> ServerResult<()> {
    let caller = ctx.data_opt::<Caller>().and_then(|caller| caller.viewer.as_ref());
    check(&ctx.schema_env.registry, caller, parent, field).map_err(refuse)
}

/// Whether a caller may use a field, wherever it stands.
pub(super) fn check(registry: &Registry, caller: Option<&model::Viewer>, parent: &str, field: &str) -> Result<(), Error> {
    let meta = registry.types.get(parent).and_then(|meta| meta.field_by_name(field));
    let invocation = meta.and_then(|field| field.directive_invocations.iter().find(|directive| directive.name == "auth"));
    let role = match invocation.and_then(|directive| directive.args.get("role")) {
        Some(Value::Enum(role)) => role.as_str(),
        _ if matches!(parent, "Query" | "Mutation" | "Subscription") => return Err(Error::Forbidden),
        _ => {
            // Not a root field: a token is asked for the type that it stands in.
            return if caller.is_none_or(|viewer| opens(viewer, parent)) { Ok(()) } else { Err(Error::Forbidden) };
        }
    };
    if role == "ANYONE" {
        return Ok(());
    }
    let viewer = caller.ok_or(Error::Unauthenticated)?;
    if role == "PLATFORM_ADMIN" && !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    if let Some(grant) = viewer.grant().filter(|grant| grant.permissions.is_some()) {
        let needed = match invocation.and_then(|directive| directive.args.get("permission")) {
            Some(Value::Enum(permission)) => permission.as_str().to_lowercase().parse::<model::Permission>().ok(),
            _ => None,
        };
        let is_open = parent == "Query" && OPEN_TO_EVERY_TOKEN.contains(&field);
        if !is_open && !needed.is_some_and(|needed| grant.allows(needed)) {
            return Err(Error::Forbidden);
        }
    }
    Ok(())
}

fn refuse(error: Error) -> ServerError {
    async_graphql::Error::from(Refused(error)).into_server_error(async_graphql::Pos::default())
}
