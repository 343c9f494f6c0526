//! Organizations, who belongs to them and who is invited.

use async_graphql::{Context, ID, InputObject, Object};

use crate::{
    graphql::{
        access::{Permission, Role, auth, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        scalar::Secret,
        types::{Invitation, Membership, Organization, organization::OrganizationQuota},
    },
    invitations::{self, NewInvitation, Newcomer},
    memberships, organizations, quotas,
};

/// What shall be different of an organization; what is left out stays.
#[derive(InputObject)]
struct OrganizationUpdateInput {
    /// The organization.
    id: ID,
    /// What people call it.
    name: Option<String>,
    /// Short name, unique on the platform.
    slug: Option<String>,
}

/// How much an organization may have; what is left out stays.
#[derive(InputObject)]
struct OrganizationQuotaUpdateInput {
    /// The organization.
    organization_id: ID,
    /// Applications.
    max_applications: Option<i64>,
    /// Wanted instances of all its applications together.
    max_instances: Option<i64>,
    /// Builds that go on at once: at least 1.
    max_builds_concurrent: Option<i64>,
}

/// Which organization goes.
#[derive(InputObject)]
struct OrganizationDeleteInput {
    /// The organization. It must have no applications.
    id: ID,
    /// Its short name, typed again: this cannot be undone.
    confirm_slug: String,
}

/// Somebody to invite.
#[derive(InputObject)]
struct InvitationCreateInput {
    /// Where they are asked to join.
    organization_id: ID,
    /// The one address that the invitation is for.
    email: String,
    /// What they shall be there: at most what you are.
    role: Role,
}

/// Which invitation is accepted.
#[derive(InputObject)]
struct InvitationAcceptInput {
    /// As `invitationCreate` gave it.
    token: Secret,
    /// Without an account, and not signed in: what you call yourself.
    name: Option<String>,
    /// Without an account, and not signed in: the password of your new account, 10 characters or more.
    password: Option<Secret>,
}

/// Which invitation is taken back.
#[derive(InputObject)]
struct InvitationRevokeInput {
    /// The invitation.
    id: ID,
}

/// A member's new role.
#[derive(InputObject)]
struct MembershipUpdateInput {
    /// The membership.
    id: ID,
    /// What they shall be: at most what you are.
    role: Role,
}

/// Who leaves an organization.
#[derive(InputObject)]
struct MembershipRemoveInput {
    /// The membership. Your own lets you leave.
    id: ID,
}

payloads! {
    /// What `organizationUpdate` answers.
    OrganizationUpdatePayload {
        /// The organization as it is now.
        organization: Organization,
    }
    /// What `organizationQuotaUpdate` answers.
    OrganizationQuotaUpdatePayload {
        /// How much it may have now, and has.
        quota: OrganizationQuota,
    }
    /// What `organizationDelete` answers.
    OrganizationDeletePayload {
        /// The organization that is gone.
        deleted_id: ID,
    }
    /// What `invitationCreate` answers.
    InvitationCreatePayload {
        /// The new invitation.
        invitation: Invitation,
        /// What whoever is invited shows to `invitationAccept`. It is shown once.
        token: Secret,
    }
    /// What `invitationAccept` answers.
    InvitationAcceptPayload {
        /// Where you belong now.
        membership: Membership,
    }
    /// What `invitationRevoke` answers.
    InvitationRevokePayload {
        /// The invitation that ended.
        revoked_id: ID,
    }
    /// What `membershipUpdate` answers.
    MembershipUpdatePayload {
        /// The membership as it is now.
        membership: Membership,
    }
    /// What `membershipRemove` answers.
    MembershipRemovePayload {
        /// The membership that ended.
        removed_id: ID,
    }
}

#[derive(Default)]
pub(super) struct OrganizationMutation;

#[Object]
impl OrganizationMutation {
    /// Changes what an organization is called.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::OrgWrite))]
    async fn organization_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: OrganizationUpdateInput,
    ) -> Result<OrganizationUpdatePayload> {
        let outcome = async { organizations::update(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.name, input.slug).await };
        answer(outcome.await, |row| OrganizationUpdatePayload { organization: Some(Organization(row)), ..Default::default() })
    }

    /// Changes how much an organization may have. What it has already stays, even if that is more.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn organization_quota_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How much it may have.")] input: OrganizationQuotaUpdateInput,
    ) -> Result<OrganizationQuotaUpdatePayload> {
        let outcome = async {
            let organization = id("organizationId", &input.organization_id)?;
            let change = quotas::QuotaChange {
                max_applications: input.max_applications,
                max_instances: input.max_instances,
                max_builds_concurrent: input.max_builds_concurrent,
            };
            quotas::update(ctx.platform(), ctx.viewer()?, organization, change).await
        };
        answer(outcome.await, |standing| OrganizationQuotaUpdatePayload { quota: Some(standing.into()), ..Default::default() })
    }

    /// Deletes an organization that has no applications. Its memberships, invitations and tokens end.
    #[graphql(directive = permitted::apply(Role::OrgOwner, Permission::OrgWrite))]
    async fn organization_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which organization goes.")] input: OrganizationDeleteInput,
    ) -> Result<OrganizationDeletePayload> {
        let outcome = async { organizations::delete(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, &input.confirm_slug).await };
        answer(outcome.await, |id| OrganizationDeletePayload { deleted_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Invites somebody. The invitation holds for a week; one that was open for the same address ends.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::OrgWrite))]
    async fn invitation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Somebody to invite.")] input: InvitationCreateInput,
    ) -> Result<InvitationCreatePayload> {
        let outcome = async {
            let organization = id("organizationId", &input.organization_id)?;
            let new = NewInvitation { organization, email: input.email, role: input.role.in_organization() };
            invitations::create(ctx.platform(), ctx.viewer()?, new).await
        };
        answer(outcome.await, |(row, token)| InvitationCreatePayload {
            invitation: Some(Invitation(row)),
            token: Some(Secret(token)),
            ..Default::default()
        })
    }

    /// Accepts an invitation: as whoever is signed in, whose address it must be for, or with a password as somebody new.
    #[graphql(directive = auth::apply(Role::Anyone))]
    async fn invitation_accept(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation is accepted.")] input: InvitationAcceptInput,
    ) -> Result<InvitationAcceptPayload> {
        let newcomer = input.password.map(|password| Newcomer { name: input.name, password: password.0 });
        let viewer = ctx.caller().viewer.as_ref();
        let outcome = invitations::accept(ctx.platform(), viewer, input.token.0, newcomer).await;
        answer(outcome, |row| InvitationAcceptPayload { membership: Some(Membership(row)), ..Default::default() })
    }

    /// Takes an invitation back.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::OrgWrite))]
    async fn invitation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation is taken back.")] input: InvitationRevokeInput,
    ) -> Result<InvitationRevokePayload> {
        let outcome = async { invitations::revoke(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| InvitationRevokePayload { revoked_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Gives a member another role. The last owner stays one.
    #[graphql(directive = permitted::apply(Role::OrgOwner, Permission::OrgWrite))]
    async fn membership_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A member's new role.")] input: MembershipUpdateInput,
    ) -> Result<MembershipUpdatePayload> {
        let role = input.role.in_organization();
        let outcome = async { memberships::update(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, role).await };
        answer(outcome.await, |row| MembershipUpdatePayload { membership: Some(Membership(row)), ..Default::default() })
    }

    /// Takes a member out of an organization, or lets you leave it. Their tokens for it end. The last owner stays.
    #[graphql(directive = permitted::apply(Role::Viewer, Permission::OrgWrite))]
    async fn membership_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who leaves.")] input: MembershipRemoveInput,
    ) -> Result<MembershipRemovePayload> {
        let outcome = async { memberships::remove(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| MembershipRemovePayload { removed_id: Some(ID(id.to_string())), ..Default::default() })
    }
}
