//! How each type of the program is written as a value of the database. Its way back is in `column`.

use serde::Serialize;
use slipway_model::{Money, Timestamp};
use sqlx::types::Json;
use uuid::Uuid;

use crate::Value;

pub trait Bind {
    /// The absent value of this type.
    const NULL: Value;

    /// # Errors
    /// The value cannot be written as JSON.
    fn into_value(self) -> Result<Value, serde_json::Error>;
}

impl<T: Bind> Bind for Option<T> {
    const NULL: Value = T::NULL;

    fn into_value(self) -> Result<Value, serde_json::Error> {
        self.map_or(Ok(Self::NULL), Bind::into_value)
    }
}

macro_rules! bind {
    ($($variant:ident: $($type:ty = |$value:ident| $into:expr),+;)+) => {
        $($(
            impl Bind for $type {
                const NULL: Value = Value::$variant(None);

                fn into_value(self) -> Result<Value, serde_json::Error> {
                    let $value = self;
                    Ok(Value::$variant(Some($into)))
                }
            }
        )+)+
    };
}

bind! {
    Uuid: Uuid = |id| id;
    Text: &str = |text| text.to_owned(), String = |text| text, &String = |text| text.clone();
    Integer: i64 = |n| n, i32 = |n| n.into(), u32 = |n| n.into(), u16 = |n| n.into(), Money = |amount| amount.nanos();
    Real: f64 = |n| n;
    Bool: bool = |flag| flag;
    Time: Timestamp = |at| at;
    Bytes: Vec<u8> = |bytes| bytes, &Vec<u8> = |bytes| bytes.clone(), &[u8] = |bytes| bytes.to_vec();
}

impl<const N: usize> Bind for &[u8; N] {
    const NULL: Value = Value::Bytes(None);

    fn into_value(self) -> Result<Value, serde_json::Error> {
        Ok(Value::Bytes(Some(self.to_vec())))
    }
}

impl<T: Serialize> Bind for Json<T> {
    const NULL: Value = Value::Json(None);

    fn into_value(self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.0).map(|value| Value::Json(Some(value)))
    }
}
