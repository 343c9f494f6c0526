//! Scalars of our own: whole numbers and amounts that JSON numbers would bend, and text that must not be shown.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// A whole number of 64 bits, as a string: JSON numbers are exact only to 53 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BigInt(pub i64);

/// A whole number of 64 bits, sent as a string, because JSON numbers are exact only to 53 bits. Input may be a string or a number.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| InputValueError::custom("Expected a whole number of at most 64 bits, as a string."))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An exact decimal number, as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal(pub slipway_model::Money);

/// An exact decimal number with at most nine decimal places, sent as a string; never a float.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_i64() => number.to_string(),
            _ => return Err(InputValueError::custom("Expected a decimal number, as a string.")),
        };
        text.parse().map(Self).map_err(|error: slipway_model::ParseMoneyError| InputValueError::custom(error.to_string()))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A short name whose members plugins add to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slug(pub String);

/// A short lower-case name, `[a-z][a-z0-9-]*`, where plugins may add members, as with kinds of runtimes.
#[Scalar]
impl ScalarType for Slug {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            _ => Err(InputValueError::custom("Expected a string.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// Text that must not be seen.
#[derive(Debug, Clone)]
pub struct Secret(pub slipway_model::Secret);

/// A secret. In inputs it is never repeated back; in payloads it is given once, where it was made or asked for by name.
#[Scalar]
impl ScalarType for Secret {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(slipway_model::Secret::new(text))),
            // The value is not repeated: it may be the secret in another form.
            _ => Err(InputValueError::custom("Expected a string.")),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.expose().to_owned())
    }
}
