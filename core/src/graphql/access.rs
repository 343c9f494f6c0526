//! Who may call which field: said once, by the `@auth` directive, which is both what the schema prints and what is enforced.
//!
//! A root field without it is refused, so forgetting it shows. Roles inside an organization depend on the row, and are asked for by
//! the rule that loads it; here they mean that somebody must be signed in.

use std::sync::Arc;

use async_graphql::{
    Enum, PathSegment, QueryPathNode, QueryPathSegment, ServerError, ServerResult, TypeDirective, Value, Variables,
    async_trait::async_trait,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextParseQuery, NextResolve, ResolveInfo},
    parser::types::{ExecutableDocument, OperationType, Selection},
};

use super::error::Refused;
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
#[TypeDirective(location = "FieldDefinition")]
pub fn auth(#[graphql(desc = "The least that the caller must be.")] role: Role) {}

/// Enforces `@auth`.
pub(super) struct Access;

impl ExtensionFactory for Access {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
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
        let document = next.run(ctx, query, variables).await?;
        for (_, operation) in document.operations.iter().filter(|(_, operation)| operation.node.ty == OperationType::Subscription) {
            for selection in &operation.node.selection_set.node.items {
                match &selection.node {
                    Selection::Field(field) => check(ctx, "Subscription", &field.node.name.node)?,
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
            check(ctx, info.parent_type, info.name)
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

fn check(ctx: &ExtensionContext<'_>, parent: &str, field: &str) -> ServerResult<()> {
    let declared = ctx.schema_env.registry.types.get(parent).and_then(|meta| meta.field_by_name(field)).and_then(|field| {
        let directive = field.directive_invocations.iter().find(|directive| directive.name == "auth")?;
        directive.args.get("role")
    });
    let role = match declared {
        Some(Value::Enum(role)) => role.as_str(),
        _ if matches!(parent, "Query" | "Mutation" | "Subscription") => return Err(refuse(Error::Forbidden)),
        _ => return Ok(()),
    };
    if role == "ANYONE" {
        return Ok(());
    }
    let viewer = ctx.data_opt::<Caller>().and_then(|caller| caller.viewer.as_ref()).ok_or_else(|| refuse(Error::Unauthenticated))?;
    if role == "PLATFORM_ADMIN" && !viewer.is_platform_admin() {
        return Err(refuse(Error::Forbidden));
    }
    Ok(())
}

fn refuse(error: Error) -> ServerError {
    async_graphql::Error::from(Refused(error)).into_server_error(async_graphql::Pos::default())
}
