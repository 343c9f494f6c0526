//! What hangs on organizations and applications of billing, batched.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use slipway_model::{ApplicationId, Money, OrganizationId, Timestamp, Viewer, state::SuspensionReason};
use slipway_store::{
    billing_accounts::{self, Account},
    ledger::{self, Charged},
    plans::{self, Plan},
    spending_alerts::{self, SpendingAlert},
    suspensions, usage,
};

use super::load::{LoadError, Tables};

macro_rules! keys {
    ($($(#[$doc:meta])* $name:ident($($field:ty),*);)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
            pub(super) struct $name($(pub(super) $field),*);
        )+
    };
}

keys! {
    /// An organization's account.
    AccountOf(OrganizationId);
    /// What everything of an organization that runs costs per hour.
    RunRateOf(OrganizationId);
    /// An organization's spending alerts, oldest first.
    AlertsOf(OrganizationId);
    /// What each subject of an organization used from then to then, dearest first.
    ChargedOf(OrganizationId, Timestamp, Timestamp);
    /// The days of an organization from then to then.
    DaysOf(OrganizationId, Timestamp, Timestamp);
    /// Why an application is suspended.
    SuspensionOf(ApplicationId);
    /// The plans on offer.
    PlansOnOffer();
}

impl Loader<AccountOf> for Tables {
    type Value = Account;
    type Error = LoadError;

    async fn load(&self, keys: &[AccountOf]) -> Result<HashMap<AccountOf, Account>, LoadError> {
        let (viewer, ids, now) = (self.viewer(), keys.iter().map(|key| key.0).collect::<Vec<_>>(), self.now());
        let mut found = self.read(async |tx| billing_accounts::of_each(tx, &viewer, &ids).await).await?;
        Ok(keys.iter().map(|key| (*key, found.remove(&key.0).unwrap_or_else(|| Account::blank(key.0, now)))).collect())
    }
}

impl Loader<RunRateOf> for Tables {
    type Value = Money;
    type Error = LoadError;

    async fn load(&self, keys: &[RunRateOf]) -> Result<HashMap<RunRateOf, Money>, LoadError> {
        let (viewer, ids) = (self.viewer(), keys.iter().map(|key| key.0).collect::<Vec<_>>());
        let found = self.read(async |tx| usage::run_rates(tx, &viewer, &ids).await).await?;
        Ok(keys.iter().map(|key| (*key, found.get(&key.0).copied().unwrap_or_default())).collect())
    }
}

impl Loader<AlertsOf> for Tables {
    type Value = Vec<SpendingAlert>;
    type Error = LoadError;

    async fn load(&self, keys: &[AlertsOf]) -> Result<HashMap<AlertsOf, Self::Value>, LoadError> {
        let (viewer, ids) = (self.viewer(), keys.iter().map(|key| key.0).collect::<Vec<_>>());
        let mut found = self.read(async |tx| spending_alerts::of_each(tx, &viewer, &ids).await).await?;
        Ok(keys.iter().map(|key| (*key, found.remove(&key.0).unwrap_or_default())).collect())
    }
}

impl Loader<ChargedOf> for Tables {
    type Value = Vec<Charged>;
    type Error = LoadError;

    async fn load(&self, keys: &[ChargedOf]) -> Result<HashMap<ChargedOf, Self::Value>, LoadError> {
        let viewer = self.viewer();
        let mut found: HashMap<ChargedOf, Vec<Charged>> = keys.iter().map(|key| (*key, Vec::new())).collect();
        for ((from, to), organizations) in spans(keys.iter().map(|key| (key.0, key.1, key.2))) {
            let rows = self.read(async |tx| ledger::charged(tx, &viewer, Some(&organizations), from, to).await).await?;
            for row in rows {
                found.entry(ChargedOf(row.organization_id, from, to)).or_default().push(row);
            }
        }
        Ok(found)
    }
}

impl Loader<DaysOf> for Tables {
    type Value = Vec<usage::UsageDay>;
    type Error = LoadError;

    async fn load(&self, keys: &[DaysOf]) -> Result<HashMap<DaysOf, Self::Value>, LoadError> {
        let viewer = self.viewer();
        let mut found: HashMap<DaysOf, Vec<usage::UsageDay>> = keys.iter().map(|key| (*key, Vec::new())).collect();
        for ((from, to), organizations) in spans(keys.iter().map(|key| (key.0, key.1, key.2))) {
            let rows = self.read(async |tx| usage::days(tx, &viewer, &organizations, from, to).await).await?;
            for row in rows {
                found.entry(DaysOf(row.organization_id, from, to)).or_default().push(row);
            }
        }
        Ok(found)
    }
}

/// Almost always one span: a field asks the same of each organization.
fn spans(keys: impl Iterator<Item = (OrganizationId, Timestamp, Timestamp)>) -> HashMap<(Timestamp, Timestamp), Vec<OrganizationId>> {
    let mut spans: HashMap<_, Vec<_>> = HashMap::new();
    for (organization, from, to) in keys {
        spans.entry((from, to)).or_default().push(organization);
    }
    spans
}

impl Loader<SuspensionOf> for Tables {
    type Value = Option<SuspensionReason>;
    type Error = LoadError;

    async fn load(&self, keys: &[SuspensionOf]) -> Result<HashMap<SuspensionOf, Self::Value>, LoadError> {
        let (viewer, ids): (Viewer, Vec<_>) = (self.viewer(), keys.iter().map(|key| key.0).collect());
        let found = self.read(async |tx| suspensions::of_each(tx, &viewer, &ids).await).await?;
        Ok(keys.iter().map(|key| (*key, found.get(&key.0).copied())).collect())
    }
}

impl Loader<PlansOnOffer> for Tables {
    type Value = Vec<Plan>;
    type Error = LoadError;

    async fn load(&self, keys: &[PlansOnOffer]) -> Result<HashMap<PlansOnOffer, Self::Value>, LoadError> {
        let page = slipway_store::Page::first(slipway_store::Page::MOST);
        let offered = self.read(async |tx| plans::list(tx, true, &page).await).await?.items;
        Ok(keys.iter().map(|key| (*key, offered.clone())).collect())
    }
}
