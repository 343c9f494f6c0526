//! Wallets, invoices, alerts, plans and suspensions.

use async_graphql::{Context, ID, InputObject, Object};

use crate::{
    billing::{
        accounts,
        alerts::{self, NewAlert},
        invoices, suspension,
        wallet::{self, Adjustment, TopUp},
    },
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id, id_if},
        error::{Result, answer, payloads},
        scalar::Decimal,
        types::{Application, BillingAccount, Invoice, LedgerEntry, Operation, SpendingAlert, money::Money, state::SuspensionReason},
    },
    plan_changes,
};

/// A payment that came in.
#[derive(InputObject)]
struct BillingTopUpInput {
    /// Whose wallet it goes into.
    organization_id: ID,
    /// How much, in the platform's currency: more than 0.
    amount: Decimal,
    /// The same key is one payment, however often it is sent: 1 to 200 characters.
    idempotency_key: String,
}

/// Something that an administrator of the platform gives or takes.
#[derive(InputObject)]
struct BillingAdjustInput {
    /// Whose wallet it changes.
    organization_id: ID,
    /// How much, in the platform's currency: negative to take.
    amount: Decimal,
    /// What it is for, which its customer reads.
    reason: String,
    /// The same key is one adjustment, however often it is sent: 1 to 200 characters.
    idempotency_key: String,
}

/// What shall be different of an account.
#[derive(InputObject)]
struct BillingAccountUpdateInput {
    /// Whose account it is.
    organization_id: ID,
    /// How far below zero its balance may fall.
    credit_limit: Decimal,
}

/// Which invoice is issued.
#[derive(InputObject)]
struct InvoiceFinalizeInput {
    /// A draft.
    id: ID,
}

/// Which invoice is taken back.
#[derive(InputObject)]
struct InvoiceVoidInput {
    /// One that was issued.
    id: ID,
}

/// An alert to set.
#[derive(InputObject)]
struct SpendingAlertCreateInput {
    /// Whose spending it is about.
    organization_id: ID,
    /// The one application whose spending counts; left out: everything together.
    application_id: Option<ID>,
    /// The amount of a calendar month at whose reaching its administrators are told.
    threshold: Decimal,
}

/// Which alert goes.
#[derive(InputObject)]
struct SpendingAlertDeleteInput {
    /// The alert.
    id: ID,
}

/// Which application moves to which plan.
#[derive(InputObject)]
struct ApplicationPlanChangeInput {
    /// The application.
    id: ID,
    /// Where it moves.
    plan_id: ID,
    /// Refuse if it is no longer of this version.
    expected_version: Option<i64>,
}

/// Which application is suspended.
#[derive(InputObject)]
struct ApplicationSuspendInput {
    /// The application.
    id: ID,
    /// Why: `ABUSE` or `ADMIN`.
    reason: SuspensionReason,
}

/// Which application is no longer suspended.
#[derive(InputObject)]
struct ApplicationResumeInput {
    /// The application.
    id: ID,
}

payloads! {
    /// What `billingTopUp` answers.
    BillingTopUpPayload {
        /// What was written into the ledger.
        entry: LedgerEntry,
        /// The account as it is now.
        account: BillingAccount,
    }
    /// What `billingAdjust` answers.
    BillingAdjustPayload {
        /// What was written into the ledger.
        entry: LedgerEntry,
        /// The account as it is now.
        account: BillingAccount,
    }
    /// What `billingAccountUpdate` answers.
    BillingAccountUpdatePayload {
        /// The account as it is now.
        account: BillingAccount,
    }
    /// What `invoiceFinalize` answers.
    InvoiceFinalizePayload {
        /// The invoice, with its number.
        invoice: Invoice,
    }
    /// What `invoiceVoid` answers.
    InvoiceVoidPayload {
        /// The invoice, which keeps its number.
        invoice: Invoice,
    }
    /// What `spendingAlertCreate` answers.
    SpendingAlertCreatePayload {
        /// The new alert.
        alert: SpendingAlert,
    }
    /// What `spendingAlertDelete` answers.
    SpendingAlertDeletePayload {
        /// The alert that is gone.
        deleted_id: ID,
    }
    /// What `applicationPlanChange` answers.
    ApplicationPlanChangePayload {
        /// The application, on its new plan.
        application: Application,
        /// The work that puts new instances in the place of the old ones; `null`: nothing runs.
        operation: Operation,
        /// What it costs more per hour; negative: less.
        price_change: Money,
    }
    /// What `applicationSuspend` answers.
    ApplicationSuspendPayload {
        /// The application.
        application: Application,
    }
    /// What `applicationResume` answers.
    ApplicationResumePayload {
        /// The application.
        application: Application,
    }
}

#[derive(Default)]
pub(super) struct BillingMutation;

#[Object]
impl BillingMutation {
    /// Records a payment into a wallet, and resumes what was suspended for want of it. Where the platform's administrators record
    /// payments, others are refused.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::BillingWrite))]
    async fn billing_top_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A payment that came in.")] input: BillingTopUpInput,
    ) -> Result<BillingTopUpPayload> {
        let outcome = async {
            let (platform, viewer) = (ctx.platform(), ctx.viewer()?);
            let organization = id("organizationId", &input.organization_id)?;
            let new = TopUp { organization, amount: input.amount.0, key: input.idempotency_key };
            let entry = wallet::top_up(platform, viewer, new).await?;
            Ok((entry, accounts::of(platform, organization).await?))
        };
        answer(outcome.await, |(entry, account)| BillingTopUpPayload {
            entry: Some(LedgerEntry(entry)),
            account: Some(BillingAccount(account)),
            ..Default::default()
        })
    }

    /// Gives something into a wallet, or takes it out.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::BillingWrite))]
    async fn billing_adjust(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is given or taken.")] input: BillingAdjustInput,
    ) -> Result<BillingAdjustPayload> {
        let outcome = async {
            let (platform, viewer) = (ctx.platform(), ctx.viewer()?);
            let organization = id("organizationId", &input.organization_id)?;
            let new = Adjustment { organization, amount: input.amount.0, reason: input.reason, key: input.idempotency_key };
            let entry = wallet::adjust(platform, viewer, new).await?;
            Ok((entry, accounts::of(platform, organization).await?))
        };
        answer(outcome.await, |(entry, account)| BillingAdjustPayload {
            entry: Some(LedgerEntry(entry)),
            account: Some(BillingAccount(account)),
            ..Default::default()
        })
    }

    /// Lets the balance of an account fall so far below zero.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::BillingWrite))]
    async fn billing_account_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: BillingAccountUpdateInput,
    ) -> Result<BillingAccountUpdatePayload> {
        let outcome = async {
            let organization = id("organizationId", &input.organization_id)?;
            accounts::set_credit_limit(ctx.platform(), ctx.viewer()?, organization, input.credit_limit.0).await
        };
        answer(outcome.await, |account| BillingAccountUpdatePayload { account: Some(BillingAccount(account)), ..Default::default() })
    }

    /// Issues a draft: it gets its number, and changes no more.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::BillingWrite))]
    async fn invoice_finalize(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invoice is issued.")] input: InvoiceFinalizeInput,
    ) -> Result<InvoiceFinalizePayload> {
        let outcome = async { invoices::finalize(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |row| InvoiceFinalizePayload { invoice: Some(Invoice(row)), ..Default::default() })
    }

    /// Takes an issued invoice back. What it was about is drafted again.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::BillingWrite))]
    async fn invoice_void(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invoice is taken back.")] input: InvoiceVoidInput,
    ) -> Result<InvoiceVoidPayload> {
        let outcome = async { invoices::void(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |row| InvoiceVoidPayload { invoice: Some(Invoice(row)), ..Default::default() })
    }

    /// Has an organization's administrators told, by an event, when a month's spending reaches an amount.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::BillingWrite))]
    async fn spending_alert_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An alert to set.")] input: SpendingAlertCreateInput,
    ) -> Result<SpendingAlertCreatePayload> {
        let outcome = async {
            let organization = id("organizationId", &input.organization_id)?;
            let application = id_if("applicationId", input.application_id.as_ref())?;
            alerts::create(ctx.platform(), ctx.viewer()?, NewAlert { organization, application, threshold: input.threshold.0 }).await
        };
        answer(outcome.await, |row| SpendingAlertCreatePayload { alert: Some(SpendingAlert(row)), ..Default::default() })
    }

    /// Removes a spending alert.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::BillingWrite))]
    async fn spending_alert_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which alert goes.")] input: SpendingAlertDeleteInput,
    ) -> Result<SpendingAlertDeletePayload> {
        let outcome = async { alerts::delete(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| SpendingAlertDeletePayload { deleted_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Moves an application to another plan. New instances take the place of the old ones, and are charged at the new rate from their
    /// start; if they do not become healthy, everything is as it was.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::AppWrite))]
    async fn application_plan_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application moves to which plan.")] input: ApplicationPlanChangeInput,
    ) -> Result<ApplicationPlanChangePayload> {
        let outcome = async {
            let (application, plan) = (id("id", &input.id)?, id("planId", &input.plan_id)?);
            plan_changes::change(ctx.platform(), ctx.viewer()?, application, plan, input.expected_version).await
        };
        let currency = ctx.platform().config.currency;
        answer(outcome.await, |change| ApplicationPlanChangePayload {
            application: Some(Application(change.application)),
            operation: change.operation.map(Operation),
            price_change: Some(Money::new(change.price_change, currency)),
            ..Default::default()
        })
    }

    /// Suspends an application: its instances end, and with them what they cost; its data stays.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn application_suspend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application is suspended.")] input: ApplicationSuspendInput,
    ) -> Result<ApplicationSuspendPayload> {
        let outcome = async { suspension::suspend(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.reason.into()).await };
        answer(outcome.await, |row| ApplicationSuspendPayload { application: Some(Application(row)), ..Default::default() })
    }

    /// Ends a suspension: what ran runs again.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn application_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which application is no longer suspended.")] input: ApplicationResumeInput,
    ) -> Result<ApplicationResumePayload> {
        let outcome = async { suspension::resume(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |row| ApplicationResumePayload { application: Some(Application(row)), ..Default::default() })
    }
}
