//! People: what they call themselves and sign in with, and who is let in at all.

use async_graphql::{Context, ID, InputObject, Object};

use crate::{
    graphql::{
        access::{Permission, Role, auth, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        scalar::Secret,
        types::User,
    },
    people::{self, NewPassword},
    two_factor,
};

/// What shall be different of your account; what is left out stays.
#[derive(InputObject)]
struct UserUpdateInput {
    /// You.
    id: ID,
    /// What you call yourself.
    name: Option<String>,
    /// What you sign in with today; needed for a new password.
    current_password: Option<Secret>,
    /// 10 characters or more. Your other sessions end.
    new_password: Option<Secret>,
}

/// A second thing to sign in with.
#[derive(InputObject)]
struct TwoFactorEnableInput {
    /// What your authenticator shows, to confirm it. Left out: begin, and get the secret for the authenticator.
    otp: Option<Secret>,
}

/// No second thing to sign in with any more.
#[derive(InputObject)]
struct TwoFactorDisableInput {
    /// What your authenticator shows, or a recovery code.
    otp: Secret,
    /// Your password.
    password: Secret,
}

/// Who is let in no longer, or again.
#[derive(InputObject)]
struct UserDisableInput {
    /// The person.
    id: ID,
    /// `false` lets them in again.
    #[graphql(default = true)]
    disabled: bool,
}

payloads! {
    /// What `userUpdate` answers.
    UserUpdatePayload {
        /// You, as you are now.
        user: User,
    }
    /// What `twoFactorEnable` answers.
    TwoFactorEnablePayload {
        /// You, once it is confirmed.
        user: User,
        /// What to type into the authenticator, when it is begun. It is shown once.
        secret: Secret,
        /// The same, to be shown to the authenticator as a QR code.
        otpauth_uri: Secret,
        /// For when the authenticator is gone, each good for one use. They are shown once, when it is confirmed.
        recovery_codes: Vec<Secret>,
    }
    /// What `twoFactorDisable` answers.
    TwoFactorDisablePayload {
        /// You.
        user: User,
    }
    /// What `userDisable` answers.
    UserDisablePayload {
        /// The person.
        user: User,
    }
}

#[derive(Default)]
pub(super) struct PersonMutation;

#[Object]
impl PersonMutation {
    /// Changes your name or your password. A new password ends your other sessions.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn user_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: UserUpdateInput,
    ) -> Result<UserUpdatePayload> {
        let outcome = async {
            let id = id("id", &input.id)?;
            let current = input.current_password.map(|password| password.0);
            let password = input.new_password.map(|new| NewPassword { current, new: new.0 });
            people::update(ctx.platform(), ctx.login_attempts(), ctx.caller(), id, input.name, password).await
        };
        answer(outcome.await, |row| UserUpdatePayload { user: Some(User(row)), ..Default::default() })
    }

    /// Adds codes of an authenticator to what you sign in with, in two steps: without a code it begins, with one it is confirmed.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn two_factor_enable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A second thing to sign in with.")] input: TwoFactorEnableInput,
    ) -> Result<TwoFactorEnablePayload> {
        let Some(otp) = input.otp else {
            let outcome = async { two_factor::begin(ctx.platform(), ctx.viewer()?).await };
            return answer(outcome.await, |setup| TwoFactorEnablePayload {
                secret: Some(Secret(setup.secret)),
                otpauth_uri: Some(Secret(setup.uri)),
                ..Default::default()
            });
        };
        let outcome = two_factor::confirm(ctx.platform(), ctx.login_attempts(), ctx.caller(), otp.0).await;
        answer(outcome, |(user, codes)| TwoFactorEnablePayload {
            user: Some(User(user)),
            recovery_codes: Some(codes.into_iter().map(Secret).collect()),
            ..Default::default()
        })
    }

    /// Takes the codes of an authenticator out of what you sign in with.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn two_factor_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "No second thing to sign in with any more.")] input: TwoFactorDisableInput,
    ) -> Result<TwoFactorDisablePayload> {
        let (platform, attempts) = (ctx.platform(), ctx.login_attempts());
        let outcome = two_factor::disable(platform, attempts, ctx.caller(), input.password.0, input.otp.0).await;
        answer(outcome, |row| TwoFactorDisablePayload { user: Some(User(row)), ..Default::default() })
    }

    /// Lets somebody in no longer: their sessions end, and their tokens open nothing. Or lets them in again.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn user_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is let in no longer, or again.")] input: UserDisableInput,
    ) -> Result<UserDisablePayload> {
        let outcome = async { people::set_disabled(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.disabled).await };
        answer(outcome.await, |row| UserDisablePayload { user: Some(User(row)), ..Default::default() })
    }
}
