//! What organizations pay with, what they were charged, and what they are told of it.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_model::{self as model, ApplicationId, BillingAccountId};
use slipway_store as store;
use slipway_store::{billing_accounts::Account, ledger::Charged};
use uuid::Uuid;

use super::{Application, Organization, Plan, money::Money};
use crate::{
    billing::{self, invoices, reports},
    graphql::{
        billed::{AlertsOf, ChargedOf, DaysOf, RunRateOf},
        connection::{InvoiceConnection, LedgerEntryConnection},
        context::Request,
        cost::cost,
        error::Result,
        lists,
        page::page,
        scalar::Decimal,
        types::state::{BillingAccountStatus, InvoiceStatus, LedgerAccount, LedgerEntryKind},
    },
};

fn money(ctx: &Context<'_>, amount: model::Money) -> Money {
    Money::new(amount, ctx.platform().config.currency)
}

/// Microseconds as hours, to nine places.
fn hours(micros: i64) -> Decimal {
    let nanos = i128::from(micros) * 5 / 18;
    Decimal(model::Money::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX)))
}

/// What an organization pays from. For its administrators.
pub struct BillingAccount(pub(crate) Account);

/// What an organization pays from. For its administrators.
#[Object]
impl BillingAccount {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(BillingAccountId::from_uuid(self.0.organization_id.uuid()).to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// How it stands.
    async fn status(&self) -> BillingAccountStatus {
        self.0.status.into()
    }

    /// Since when it stands so.
    async fn status_since(&self) -> DateTime<Utc> {
        self.0.status_since
    }

    /// What is in the wallet; negative: what is owed.
    async fn balance(&self, ctx: &Context<'_>) -> Money {
        money(ctx, self.0.balance)
    }

    /// How far below zero the balance may fall.
    async fn credit_limit(&self, ctx: &Context<'_>) -> Money {
        money(ctx, self.0.credit_limit)
    }

    /// What everything that runs costs per hour, at the rates that it started with.
    async fn run_rate_hourly(&self, ctx: &Context<'_>) -> Result<Money> {
        Ok(money(ctx, ctx.rows().need_of(RunRateOf(self.0.organization_id)).await?))
    }

    /// What was charged for this calendar month (UTC) so far, up to the last whole hour.
    async fn month_to_date(&self, ctx: &Context<'_>) -> Result<Money> {
        let month = billing::month_of(ctx.platform().now());
        let days = ctx.rows().need_of(DaysOf(self.0.organization_id, month, billing::month_after(month))).await?;
        Ok(money(ctx, model::Money::from_nanos(days.iter().map(|day| day.amount.nanos()).sum())))
    }

    /// When what runs is suspended, unless the wallet is topped up.
    async fn grace_ends_at(&self) -> Option<DateTime<Utc>> {
        self.0.grace_ends_at
    }

    /// Every movement of money, newest first.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn ledger(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only entries of one of these kinds.")] kind: Option<Vec<LedgerEntryKind>>,
    ) -> Result<LedgerEntryConnection> {
        let list = lists::LedgerEntries { kinds: kind.map(|kinds| kinds.into_iter().map(Into::into).collect()) };
        Ok(ctx.rows().list(list, self.0.organization_id, page(first, after, last, before)?).await?.into())
    }

    /// Its invoices, newest first. The last month's is a draft until an administrator of the platform issues it.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<InvoiceConnection> {
        Ok(ctx.rows().list(lists::Invoices {}, self.0.organization_id, page(first, after, last, before)?).await?.into())
    }

    /// What was used in hours that begin in a span of time, by application and database.
    #[graphql(directive = cost::apply(20, None))]
    async fn usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From then on.")] from: DateTime<Utc>,
        #[graphql(desc = "Until then; at most three years later.")] to: DateTime<Utc>,
    ) -> Result<UsageReport> {
        reports::check_span(from, to)?;
        let rows = ctx.rows().need_of(ChargedOf(self.0.organization_id, from, to)).await?;
        Ok(UsageReport { from, to, rows })
    }

    /// What was used part by part, the parts without use too.
    #[graphql(directive = cost::apply(20, None))]
    async fn usage_trend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the day (UTC) of then on.")] from: DateTime<Utc>,
        #[graphql(desc = "Until then; at most three years later.")] to: DateTime<Utc>,
        #[graphql(desc = "How long each part is.", default_with = "UsageStep::Day")] step: UsageStep,
    ) -> Result<Vec<UsagePoint>> {
        reports::check_span(from, to)?;
        let step: reports::Step = step.into();
        let start = match step {
            reports::Step::Day => billing::day_of(from),
            reports::Step::Month => billing::month_of(from),
        };
        let days = ctx.rows().need_of(DaysOf(self.0.organization_id, start, to)).await?;
        let currency = ctx.platform().config.currency;
        Ok(reports::trend(&days, step, from, to).into_iter().map(|point| UsagePoint::of(point, currency)).collect())
    }

    /// The amounts at whose reaching its administrators are told, oldest first.
    async fn spending_alerts(&self, ctx: &Context<'_>) -> Result<Vec<SpendingAlert>> {
        Ok(ctx.rows().need_of(AlertsOf(self.0.organization_id)).await?.into_iter().map(SpendingAlert).collect())
    }

    /// Where the ledger is had as comma-separated values: a GET with the same `Authorization`, and `from` and `to` as RFC 3339 in the
    /// query.
    async fn ledger_csv_url(&self, ctx: &Context<'_>) -> String {
        url(ctx, &format!("billing/{}/ledger.csv", self.0.organization_id))
    }
}

fn url(ctx: &Context<'_>, path: &str) -> String {
    let base = ctx.platform().config.public_url.as_str().trim_end_matches('/').to_owned();
    format!("{base}/{path}")
}

/// A movement of money: it takes from one account and gives to another.
pub struct LedgerEntry(pub(crate) store::ledger::LedgerEntry);

/// A movement of money: it takes from one account and gives to another.
#[Object]
impl LedgerEntry {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What it is for.
    async fn kind(&self) -> LedgerEntryKind {
        self.0.kind.into()
    }

    /// What it adds to the wallet; negative: what it takes.
    async fn amount(&self) -> Money {
        Money::new(self.0.of_wallet(), self.0.currency)
    }

    /// What it takes from.
    async fn debit(&self) -> LedgerAccount {
        self.0.debit.into()
    }

    /// What it gives to.
    async fn credit(&self) -> LedgerAccount {
        self.0.credit.into()
    }

    /// How much it moves between them: what it is worth also while nobody is charged.
    async fn moved(&self) -> Money {
        Money::new(self.0.amount, self.0.currency)
    }

    /// What was in the wallet then.
    async fn balance_after(&self) -> Money {
        Money::new(self.0.balance_after, self.0.currency)
    }

    /// For people.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// Of usage: the application, also after it was deleted.
    async fn application(&self, ctx: &Context<'_>) -> Result<Option<Application>> {
        application(ctx, self.0.subject_id).await
    }

    /// Of usage: when it began.
    async fn period_start(&self) -> Option<DateTime<Utc>> {
        self.0.period_start
    }

    /// Of usage: when it ended.
    async fn period_end(&self) -> Option<DateTime<Utc>> {
        self.0.period_end
    }

    /// What it was written under, once.
    async fn idempotency_key(&self) -> &str {
        &self.0.idempotency_key
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

async fn application(ctx: &Context<'_>, subject: Option<Uuid>) -> Result<Option<Application>> {
    Ok(match subject {
        Some(id) => ctx.rows().load(ApplicationId::from_uuid(id)).await?.map(Application),
        None => None,
    })
}

/// What was charged for a month. A draft has no number and may still change.
pub struct Invoice(pub(crate) store::invoices::Invoice);

/// What was charged for a month. A draft has no number and may still change.
#[Object]
impl Invoice {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// Of the whole platform, without gaps; `null`: it is a draft.
    async fn number(&self) -> Option<String> {
        invoices::number(&self.0)
    }

    /// How far it is.
    async fn status(&self) -> InvoiceStatus {
        self.0.status.into()
    }

    /// What the organization was called when it was written.
    async fn customer(&self) -> &str {
        &self.0.customer
    }

    /// The first moment of the month.
    async fn period_start(&self) -> DateTime<Utc> {
        self.0.period_start
    }

    /// The first moment after it.
    async fn period_end(&self) -> DateTime<Utc> {
        self.0.period_end
    }

    /// The sum of its lines.
    async fn total(&self) -> Money {
        Money::new(self.0.total, self.0.currency)
    }

    /// What it is made of.
    async fn lines(&self) -> Result<Vec<InvoiceLine>> {
        let (lines, _) = invoices::lines(&self.0)?;
        Ok(lines.into_iter().map(|line| InvoiceLine { line, currency: self.0.currency }).collect())
    }

    /// Sentences below the total.
    async fn notes(&self) -> Result<Vec<String>> {
        Ok(invoices::lines(&self.0)?.1)
    }

    /// Where it is had as PDF: a GET with the same `Authorization`.
    async fn pdf_url(&self, ctx: &Context<'_>) -> String {
        url(ctx, &format!("billing/invoices/{}.pdf", self.0.id))
    }

    /// When it was issued.
    async fn issued_at(&self) -> Option<DateTime<Utc>> {
        self.0.issued_at
    }

    /// When it was taken back.
    async fn voided_at(&self) -> Option<DateTime<Utc>> {
        self.0.voided_at
    }

    /// When it was drafted.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// A line of an invoice.
pub struct InvoiceLine {
    line: invoices::Line,
    currency: model::Currency,
}

/// A line of an invoice.
#[Object]
impl InvoiceLine {
    /// For people.
    async fn description(&self) -> &str {
        &self.line.description
    }

    /// Such as hours.
    async fn quantity(&self) -> Decimal {
        Decimal(model::Money::rounded(self.line.quantity).unwrap_or_default())
    }

    /// Of one.
    async fn unit_price(&self) -> Money {
        Money::new(self.line.unit_price, self.currency)
    }

    /// What was charged for it.
    async fn amount(&self) -> Money {
        Money::new(self.line.amount, self.currency)
    }

    /// What it is about, also after it was deleted; `null`: of no application.
    async fn application(&self, ctx: &Context<'_>) -> Result<Option<Application>> {
        application(ctx, self.line.subject).await
    }
}

/// What was used in a span of time.
pub struct UsageReport {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) rows: Vec<Charged>,
}

/// What was used in a span of time.
#[Object]
impl UsageReport {
    /// From then on.
    async fn from(&self) -> DateTime<Utc> {
        self.from
    }

    /// Until then.
    async fn to(&self) -> DateTime<Utc> {
        self.to
    }

    /// What it came to.
    async fn total(&self, ctx: &Context<'_>) -> Money {
        money(ctx, model::Money::from_nanos(self.rows.iter().map(|row| row.amount.nanos()).sum()))
    }

    /// Each application, the dearest first.
    async fn by_application(&self) -> Vec<UsageLine> {
        let of_applications = self.rows.iter().filter(|row| row.kind == model::state::UsageKind::Instance);
        of_applications.map(|row| UsageLine(row.clone())).collect()
    }
}

/// What one application used.
pub struct UsageLine(Charged);

/// What one application used.
#[Object]
impl UsageLine {
    /// The application, also after it was deleted.
    async fn application(&self, ctx: &Context<'_>) -> Result<Option<Application>> {
        application(ctx, Some(self.0.subject_id)).await
    }

    /// Hours of all its instances together.
    async fn hours(&self) -> Decimal {
        hours(self.0.micros)
    }

    /// What they came to.
    async fn amount(&self, ctx: &Context<'_>) -> Money {
        money(ctx, self.0.amount)
    }
}

/// How long each part of a trend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "reports::Step")]
pub enum UsageStep {
    /// A day (UTC).
    Day,
    /// A calendar month (UTC).
    Month,
}

/// What was used in a part of a trend.
#[derive(SimpleObject)]
pub struct UsagePoint {
    /// From then on.
    from: DateTime<Utc>,
    /// Until then.
    to: DateTime<Utc>,
    /// Hours of everything together.
    hours: Decimal,
    /// What they came to.
    amount: Money,
}

impl UsagePoint {
    fn of(point: reports::Point, currency: model::Currency) -> Self {
        Self { from: point.from, to: point.to, hours: hours(point.micros), amount: Money::new(point.amount, currency) }
    }
}

/// An amount of a calendar month at whose reaching an organization's administrators are told.
pub struct SpendingAlert(pub(crate) store::spending_alerts::SpendingAlert);

/// An amount of a calendar month at whose reaching an organization's administrators are told.
#[Object]
impl SpendingAlert {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// The one application whose spending counts; `null`: that of everything together.
    async fn application(&self, ctx: &Context<'_>) -> Result<Option<Application>> {
        application(ctx, self.0.application_id.map(|id| id.uuid())).await
    }

    /// The amount.
    async fn threshold(&self, ctx: &Context<'_>) -> Money {
        money(ctx, self.0.threshold)
    }

    /// The first day of the last month in which it was reached.
    async fn reached_in(&self) -> Option<DateTime<Utc>> {
        self.0.reached_in
    }

    /// Since when there is one.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// What something would cost if it ran all the time.
#[derive(SimpleObject)]
pub struct CostEstimate {
    /// Per hour.
    pub(crate) hourly: Money,
    /// Per month of 730 hours.
    pub(crate) monthly: Money,
}

/// A plan that an application may move to.
pub struct PlanOffer(pub(crate) crate::plan_changes::Offer);

/// A plan that an application may move to.
#[Object]
impl PlanOffer {
    /// The plan.
    async fn plan(&self) -> Plan {
        Plan(self.0.plan.clone())
    }

    /// What it would cost more per hour; negative: less.
    async fn price_change(&self, ctx: &Context<'_>) -> Money {
        money(ctx, self.0.price_change)
    }

    /// Why it may not, such as that it does not fit; `null`: it may.
    async fn refusal(&self) -> Option<&str> {
        self.0.refusal.as_deref()
    }
}
