//! Exact money.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency code, such as `EUR`. One per platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    pub const EUR: Self = Self(*b"EUR");
    pub const USD: Self = Self(*b"USD");
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).unwrap_or("???"))
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.to_string()
    }
}

impl TryFrom<String> for Currency {
    type Error = ParseMoneyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Currency {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(ParseMoneyError::Currency),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseMoneyError {
    #[error("not a currency code (expected three capital letters of ISO 4217)")]
    Currency,
    #[error("not an exact amount (expected a decimal number with at most nine decimal places)")]
    Amount,
}

/// An amount in billionths (10⁻⁹) of the platform's currency: an integer in both databases, so that sums are exact;
/// fine enough that an hour's price divides by the second; up to nine billion units of currency either way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money(i64);

impl Money {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 9).normalize()
    }

    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Rounds half to even at the ninth decimal place; `None` beyond nine billion units.
    #[must_use]
    pub fn rounded(amount: Decimal) -> Option<Self> {
        let nanos = amount.checked_mul(Decimal::from(1_000_000_000))?;
        nanos.round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven).to_i64().map(Self)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_decimal().fmt(f)
    }
}

impl FromStr for Money {
    type Err = ParseMoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let amount = Decimal::from_str_exact(text).map_err(|_| ParseMoneyError::Amount)?;
        if amount.normalize().scale() > 9 {
            return Err(ParseMoneyError::Amount);
        }
        Self::rounded(amount).ok_or(ParseMoneyError::Amount)
    }
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_survives_text() {
        for text in ["0", "0.000000001", "12.5", "-3.25", "9000000000"] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_amount_finer_than_a_billionth_is_refused() {
        assert_eq!("0.0000000001".parse::<Money>(), Err(ParseMoneyError::Amount));
        assert_eq!("10000000000".parse::<Money>(), Err(ParseMoneyError::Amount));
        assert_eq!("1e3".parse::<Money>(), Err(ParseMoneyError::Amount));
    }
}
