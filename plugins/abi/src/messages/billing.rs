//! What a billing plugin is asked. Each question but [`BillingRequest::Rate`] has a usual answer, which is given for plugins that
//! leave it to us and for those that were written before the question was.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingRequest {
    Rate(RateRequest),
    Quote(QuoteRequest),
    Standing(StandingRequest),
    Invoice(InvoiceRequest),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingReply {
    Rate(Vec<Charge>),
    Quote(Quote),
    Standing(Standing),
    Invoice(InvoiceLayout),
}

/// Asks what periods of use cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RateRequest {
    /// ISO 4217.
    pub currency: String,
    pub usage: Vec<UsagePeriod>,
}

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageKind {
    /// An instance of an application.
    #[default]
    Instance,
    /// A managed database.
    Database,
}

/// One thing that ran from `start` (inclusive) to `end` (exclusive). It lies within one hour of the clock.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UsagePeriod {
    /// Given back in the charge.
    pub key: String,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    /// The rate that was frozen when it started, in units of currency per hour.
    pub hourly_rate: Decimal,
    #[serde(default)]
    pub kind: UsageKind,
    /// What the same customer had used in the same calendar month (UTC), in microseconds over all things together, when this period
    /// came to be rated: for prices that depend on how much is used. The order in which periods are rated is the host's, and the
    /// same when it asks again.
    #[serde(default)]
    pub used_before_micros: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    pub key: String,
    /// Units of currency, at most nine decimal places, not negative.
    pub amount: Decimal,
    /// For the invoice.
    pub description: String,
}

/// Asks what something would cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuoteRequest {
    /// ISO 4217.
    pub currency: String,
    /// The plan's price of one instance, in units of currency per hour.
    pub hourly_rate: Decimal,
    /// The plan's price of one instance per month, as its administrator wrote it.
    pub monthly_price: Decimal,
    pub instances: u32,
    #[serde(default)]
    pub kind: UsageKind,
}

/// What it would cost if it ran all the time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    /// That of the request.
    pub currency: String,
    /// Units of currency per hour, at most nine decimal places, not negative.
    pub hourly: Decimal,
    /// Units of currency per month of 730 hours, at most nine decimal places, not negative.
    pub monthly: Decimal,
}

impl Quote {
    /// As many times the plan's prices as there are instances.
    #[must_use]
    pub fn usual(request: &QuoteRequest) -> Option<Self> {
        let times = Decimal::from(request.instances);
        Some(Self {
            currency: request.currency.clone(),
            hourly: request.hourly_rate.checked_mul(times)?.normalize(),
            monthly: request.monthly_price.checked_mul(times)?.normalize(),
        })
    }
}

/// Asks how a customer's account stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandingRequest {
    /// ISO 4217.
    pub currency: String,
    /// What is left in the wallet; negative: what is owed.
    pub balance: Decimal,
    /// How far below zero the balance may fall.
    pub credit_limit: Decimal,
    /// What everything that runs at this moment costs per hour.
    pub hourly_cost: Decimal,
}

/// How an account stands. What follows from it, and after what grace, is the platform's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Good,
    /// It will soon be exhausted: the customer is warned.
    Low,
    /// It covers nothing more: after the platform's grace what runs is suspended.
    Exhausted,
}

impl Standing {
    /// An account that covers less than this of what runs is low.
    pub const LOW_HOURS: u32 = 24;

    /// Exhausted at the credit limit, low a day before.
    #[must_use]
    pub fn usual(request: &StandingRequest) -> Self {
        let left = request.balance.saturating_add(request.credit_limit);
        let day = request.hourly_cost.saturating_mul(Decimal::from(Self::LOW_HOURS));
        if left <= Decimal::ZERO && (left < Decimal::ZERO || !request.hourly_cost.is_zero()) {
            Self::Exhausted
        } else if left < day {
            Self::Low
        } else {
            Self::Good
        }
    }
}

/// Asks for the lines of an invoice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvoiceRequest {
    /// ISO 4217.
    pub currency: String,
    /// Of the customer.
    pub customer: String,
    pub period_start: DateTime<Utc>,
    pub period_end: DateTime<Utc>,
    /// What was charged, by application or database and rate.
    pub items: Vec<InvoiceItem>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvoiceItem {
    /// Given back in the line.
    pub key: String,
    /// Of the application or database.
    pub name: String,
    #[serde(default)]
    pub kind: UsageKind,
    pub micros: u64,
    /// Units of currency per hour.
    pub hourly_rate: Decimal,
    /// What was charged for it, corrections taken off. Not negative as a rule.
    pub amount: Decimal,
}

/// The lines of an invoice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvoiceLayout {
    /// That of the request.
    pub currency: String,
    /// Their amounts add up to those of the items, exactly.
    pub lines: Vec<InvoiceLine>,
    /// Sentences below the total.
    #[serde(default)]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// Of the item that it is about; `None`: of none, such as a discount.
    pub key: Option<String>,
    pub description: String,
    /// Such as hours.
    pub quantity: Decimal,
    /// Of one, in units of currency.
    pub unit_price: Decimal,
    /// Units of currency, at most nine decimal places.
    pub amount: Decimal,
}

impl InvoiceLayout {
    /// One line for each item, in hours.
    #[must_use]
    pub fn usual(request: &InvoiceRequest) -> Self {
        let line = |item: &InvoiceItem| InvoiceLine {
            key: Some(item.key.clone()),
            description: match item.kind {
                UsageKind::Instance => format!("{}, instance hours", item.name),
                UsageKind::Database => format!("{}, database hours", item.name),
            },
            quantity: hours(item.micros),
            unit_price: item.hourly_rate,
            amount: item.amount,
        };
        Self { currency: request.currency.clone(), lines: request.items.iter().map(line).collect(), notes: Vec::new() }
    }
}

/// To four places, for people to read: amounts are not computed from it.
fn hours(micros: u64) -> Decimal {
    (Decimal::from(micros) / Decimal::from(3_600_000_000_u64)).round_dp(4).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(balance: &str, credit_limit: &str, hourly_cost: &str) -> Standing {
        let [balance, credit_limit, hourly_cost] = [balance, credit_limit, hourly_cost].map(|text| text.parse().unwrap());
        Standing::usual(&StandingRequest { currency: "EUR".into(), balance, credit_limit, hourly_cost })
    }

    #[test]
    fn an_account_is_low_a_day_before_it_is_exhausted() {
        assert_eq!(standing("24", "0", "1"), Standing::Good);
        assert_eq!(standing("23.999999999", "0", "1"), Standing::Low);
        assert_eq!(standing("0", "0", "1"), Standing::Exhausted);
        assert_eq!(standing("0", "24", "1"), Standing::Good);
        assert_eq!(standing("-24", "24", "1"), Standing::Exhausted);
        assert_eq!(standing("0", "0", "0"), Standing::Good, "who uses nothing owes nothing");
        assert_eq!(standing("-0.000000001", "0", "0"), Standing::Exhausted);
    }

    #[test]
    fn a_request_of_the_first_version_is_still_understood() {
        let first = r#"{"key":"k","start":"2026-01-01T00:00:00Z","end":"2026-01-01T01:00:00Z","hourly_rate":"1.5"}"#;
        let period: UsagePeriod = serde_json::from_str(first).unwrap();
        assert_eq!((period.kind, period.used_before_micros), (UsageKind::Instance, 0));
    }
}
