//! Who asks, where they belong, and anything at all by its id.

use async_graphql::{Context, ID, Object, OutputType, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_model as model;
use slipway_store as store;

use crate::{
    audit,
    billing::{accounts, invoices},
    error::UserError,
    graphql::{
        access::{Role, auth, opens},
        connection::OrganizationConnection,
        context::{Request, id_if},
        cost::cost,
        error::Result,
        load::Living,
        page::page,
        types::{
            ApiToken, Application, ApplicationInstance, AuditEvent, BillingAccount, Build, Deployment, EnvironmentVariable, Invitation,
            Invoice, LedgerEntry, Membership, Node, NodeEnrollmentToken, Operation, Organization, Plan, Plugin, Region, Runtime, Session,
            SourceUpload, SpendingAlert, User, WorkerNode,
        },
    },
    invitations, organizations, plugins,
};

/// Ids that `nodes` takes at once.
const MAX_NODES: usize = 100;

/// What this control plane is.
#[derive(SimpleObject)]
struct ServerInfo {
    /// Of the control plane.
    version: &'static str,
    /// Its clock.
    time: DateTime<Utc>,
    /// The database engine it uses: `sqlite` or `postgres`.
    database: &'static str,
    /// ISO 4217: of all money on this platform.
    currency: String,
    /// An application's system domain is its slug and this.
    platform_domain: String,
}

#[derive(Default)]
pub(super) struct AccountQuery;

#[Object]
impl AccountQuery {
    /// You.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(match ctx.viewer()?.user_id() {
            Some(id) => ctx.rows().load(id).await?.map(User),
            None => None,
        })
    }

    /// Anything by its id; `null` if there is nothing of that id that you may see.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Of any kind of thing.")] id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// Several things by their ids, in their order.
    #[graphql(directive = auth::apply(Role::Viewer), directive = cost::apply(1, Some(vec!["ids".to_owned()])))]
    async fn nodes(&self, ctx: &Context<'_>, #[graphql(desc = "At most 100.")] ids: Vec<ID>) -> Result<Vec<Option<Node>>> {
        if ids.len() > MAX_NODES {
            return Err(UserError::too_long("ids", format!("Ask for at most {MAX_NODES} at once.")).into());
        }
        futures::future::try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }

    /// What this control plane is.
    #[graphql(directive = auth::apply(Role::Anyone))]
    async fn server_info(&self, ctx: &Context<'_>) -> ServerInfo {
        let platform = ctx.platform();
        ServerInfo {
            version: env!("CARGO_PKG_VERSION"),
            time: platform.now(),
            database: match platform.db.engine() {
                store::Engine::Sqlite => "sqlite",
                store::Engine::Postgres => "postgres",
            },
            currency: platform.config.currency.to_string(),
            platform_domain: platform.config.platform_domain.to_string(),
        }
    }

    /// An organization that you belong to, by its id or its slug.
    #[graphql(directive = auth::apply(Role::OrgMember))]
    async fn organization(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Option<ID>,
        #[graphql(desc = "Its short name.")] slug: Option<String>,
    ) -> Result<Option<Organization>> {
        let (platform, viewer) = (ctx.platform(), ctx.viewer()?);
        let found = match (id_if("id", id.as_ref()), slug) {
            (Ok(Some(id)), _) => organizations::find(platform, viewer, id).await?,
            (Ok(None), Some(slug)) => organizations::by_slug(platform, viewer, &slug).await?,
            (Ok(None) | Err(_), _) => None,
        };
        Ok(found.map(Organization))
    }

    /// The organizations that you belong to, newest first.
    #[graphql(directive = auth::apply(Role::Viewer), directive = cost::apply(1, cost::page()))]
    async fn organizations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<OrganizationConnection> {
        let page = page(first, after, last, before)?;
        Ok(organizations::list(ctx.platform(), ctx.viewer()?, &page).await?.into())
    }
}

/// Members who are no administrators do not see what is paid.
fn pays(viewer: &model::Viewer, organization: model::OrganizationId) -> bool {
    organizations::require(viewer, organization, model::Role::Admin).is_ok()
}

/// What the caller's token does not open is not there: the executor asks for fields that all kinds have by no kind's name.
pub(in crate::graphql) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let viewer = ctx.viewer()?;
    Ok(look_up(ctx, id).await?.filter(|node| opens(viewer, &node.introspection_type_name())))
}

/// The kind of thing is told by the prefix of its id.
async fn look_up(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    macro_rules! parsed {
        () => {
            match id.as_str().parse() {
                Ok(id) => id,
                Err(_) => return Ok(None),
            }
        };
    }
    let (platform, viewer) = (ctx.platform(), ctx.viewer()?);
    let admin = viewer.is_platform_admin();
    let own = |user: model::UserId| Some(user) == viewer.user_id();
    let rows = ctx.rows();
    let prefix = id.split('_').next().unwrap_or_default();
    Ok(match prefix {
        model::UserId::PREFIX => {
            let found = rows.load::<model::UserId>(parsed!()).await?;
            found.filter(|user| admin || own(user.id)).map(|user| Node::User(User(user)))
        }
        model::SessionId::PREFIX => {
            let found = store::sessions::find(&mut platform.db.read_once().await?, parsed!()).await?;
            found.filter(|session| own(session.user_id)).map(|session| Node::Session(Session(session)))
        }
        model::ApiTokenId::PREFIX => {
            let found = rows.load::<model::ApiTokenId>(parsed!()).await?;
            found.filter(|token| own(token.user_id)).map(|token| Node::ApiToken(ApiToken(token)))
        }
        model::OrganizationId::PREFIX => rows.load(Living(parsed!())).await?.map(|row| Node::Organization(Organization(row))),
        model::MembershipId::PREFIX => store::memberships::find(&mut platform.db.read_as(viewer).await?, viewer, parsed!())
            .await?
            .map(|row| Node::Membership(Membership(row))),
        model::InvitationId::PREFIX => invitations::find(platform, viewer, parsed!()).await?.map(|row| Node::Invitation(Invitation(row))),
        model::AuditEventId::PREFIX => audit::find(platform, viewer, parsed!()).await?.map(|row| Node::AuditEvent(AuditEvent(row))),
        model::PlanId::PREFIX => rows.load::<model::PlanId>(parsed!()).await?.map(|row| Node::Plan(Plan(row))),
        model::RuntimeId::PREFIX => rows.load::<model::RuntimeId>(parsed!()).await?.map(|row| Node::Runtime(Runtime(row))),
        model::RegionId::PREFIX => rows.load::<model::RegionId>(parsed!()).await?.map(|row| Node::Region(Region(row))),
        model::NodeId::PREFIX if admin => rows.load::<model::NodeId>(parsed!()).await?.map(|row| Node::WorkerNode(WorkerNode(row))),
        model::EnrollmentTokenId::PREFIX if admin => {
            rows.load::<model::EnrollmentTokenId>(parsed!()).await?.map(|row| Node::NodeEnrollmentToken(NodeEnrollmentToken(row)))
        }
        model::ApplicationId::PREFIX => rows
            .load::<model::ApplicationId>(parsed!())
            .await?
            .filter(|row| row.deleted_at.is_none())
            .map(|row| Node::Application(Application(row))),
        model::InstanceId::PREFIX => {
            rows.load::<model::InstanceId>(parsed!()).await?.map(|row| Node::ApplicationInstance(ApplicationInstance(row)))
        }
        model::DeploymentId::PREFIX => rows.load::<model::DeploymentId>(parsed!()).await?.map(|row| Node::Deployment(Deployment(row))),
        model::BuildId::PREFIX => {
            let id: model::BuildId = parsed!();
            let deployment = model::DeploymentId::from_uuid(id.uuid());
            rows.load(deployment).await?.map(|row| Node::Build(Build(row)))
        }
        model::VariableId::PREFIX => store::variables::find(&mut platform.db.read_as(viewer).await?, viewer, parsed!())
            .await?
            .map(|row| Node::EnvironmentVariable(EnvironmentVariable(row))),
        model::UploadId::PREFIX => {
            let found = store::uploads::find(&mut platform.db.read_as(viewer).await?, viewer, parsed!()).await?;
            found.map(|row| Node::SourceUpload(SourceUpload { row, ticket: None }))
        }
        model::OperationId::PREFIX => rows.load::<model::OperationId>(parsed!()).await?.map(|row| Node::Operation(Operation(row))),
        model::BillingAccountId::PREFIX => {
            let id: model::BillingAccountId = parsed!();
            let account = accounts::find(platform, viewer, model::OrganizationId::from_uuid(id.uuid())).await;
            account.ok().map(|account| Node::BillingAccount(BillingAccount(account)))
        }
        model::LedgerEntryId::PREFIX => {
            let found = store::ledger::find(&mut platform.db.read_as(viewer).await?, viewer, parsed!()).await?;
            found.filter(|row| pays(viewer, row.organization_id)).map(|row| Node::LedgerEntry(LedgerEntry(row)))
        }
        model::InvoiceId::PREFIX => invoices::find(platform, viewer, parsed!()).await?.map(|row| Node::Invoice(Invoice(row))),
        model::SpendingAlertId::PREFIX => {
            let found = store::spending_alerts::find(&mut platform.db.read_as(viewer).await?, viewer, parsed!()).await?;
            found.filter(|row| pays(viewer, row.organization_id)).map(|row| Node::SpendingAlert(SpendingAlert(row)))
        }
        model::PluginRowId::PREFIX if admin => plugins::find(platform, viewer, parsed!()).await?.map(|plugin| Node::Plugin(Plugin(plugin))),
        _ => None,
    })
}
