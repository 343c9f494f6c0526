//! Amounts of money.

use async_graphql::SimpleObject;
use slipway_model::Currency;

use crate::graphql::scalar::Decimal;

/// An exact amount of money.
#[derive(Debug, Clone, SimpleObject)]
pub struct Money {
    /// In units of the currency.
    pub amount: Decimal,
    /// ISO 4217.
    pub currency: String,
}

impl Money {
    pub fn new(amount: slipway_model::Money, currency: Currency) -> Self {
        Self { amount: Decimal(amount), currency: currency.to_string() }
    }
}
