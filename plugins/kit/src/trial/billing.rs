//! What a billing plugin is asked.

use serde_json::{Value, json};

use super::{About, Ask, Theme, asking::Expect};

const FROM: &str = "2026-01-01T00:00:00Z";
/// The most that a decimal can hold.
const HIGHEST: &str = "79228162514264337593543950335";

fn period(key: &str, start: &str, end: &str, hourly_rate: &str) -> Value {
    json!({ "key": key, "start": start, "end": end, "hourly_rate": hourly_rate })
}

fn rate(name: &str, currency: &str, usage: Vec<Value>, expect: Expect) -> Ask {
    Ask::new(name, json!({ "rate": { "currency": currency, "usage": usage } }), expect)
}

fn one(name: &str, end: &str, hourly_rate: &str, expect: Expect) -> Ask {
    rate(name, "EUR", vec![period("ins_1", FROM, end, hourly_rate)], expect)
}

pub(super) fn themes() -> Vec<Theme> {
    let many = (0..500).map(|at| period(&format!("ins_{at}"), FROM, "2026-01-02T03:04:05Z", "0.012")).collect();
    let usual = vec![
        rate("nothing", "EUR", Vec::new(), Expect::Answer),
        one("an hour", "2026-01-01T01:00:00Z", "0.012", Expect::Answer),
        one("a second", "2026-01-01T00:00:01Z", "0.012", Expect::Answer),
        one("a millisecond", "2026-01-01T00:00:00.001Z", "0.012", Expect::Answer),
        one("a month", "2026-02-01T00:00:00Z", "0.012", Expect::Answer),
        one("ten years", "2036-01-01T00:00:00Z", "12.5", Expect::Answer),
        one("free of charge", "2026-01-01T01:00:00Z", "0", Expect::Answer),
        one("the smallest rate", "2026-01-01T01:00:00Z", "0.000000001", Expect::Answer),
        one("no time", FROM, "0.012", Expect::Answer),
        rate("another currency", "JPY", vec![period("ins_1", FROM, "2026-01-01T01:00:00Z", "2")], Expect::Answer),
        rate("many periods", "EUR", many, Expect::Answer),
    ];
    let hour = |key: &str| period(key, FROM, "2026-01-01T01:00:00Z", "0.012");
    let odd = vec![
        one("backwards", "2025-12-31T23:00:00Z", "0.012", Expect::Either),
        one("below zero", "2026-01-01T01:00:00Z", "-0.012", Expect::Either),
        one("backwards and below zero", "2025-12-31T23:00:00Z", "-0.012", Expect::Either),
        one("the highest rate", "2026-01-01T01:00:00Z", HIGHEST, Expect::Either),
        one("the highest rate for ever", "+262142-12-31T23:59:59Z", HIGHEST, Expect::Either),
        one("the lowest rate", "2026-01-01T01:00:00Z", &format!("-{HIGHEST}"), Expect::Either),
        one("a rate of 28 decimals", "2026-01-01T01:00:00Z", "0.0000000000000000000000000001", Expect::Either),
        one("a third of a second of it", "2026-01-01T00:00:00.333333333Z", "0.0000000000000000000000000001", Expect::Either),
        rate("for ever", "EUR", vec![period("ins_1", "-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", "1")], Expect::Either),
        rate("the same key twice", "EUR", vec![hour("ins_1"), hour("ins_1")], Expect::Either),
        rate("one of two backwards", "EUR", vec![hour("ins_1"), period("ins_2", FROM, "2025-01-01T00:00:00Z", "1")], Expect::Either),
    ];
    let names = ["", " ", "eur", "NONE", "💶", "\0", "'; DROP TABLE ledger; --"];
    let currencies = names.map(|currency| rate(&format!("the currency {currency:?}"), currency, vec![hour("ins_1")], Expect::Either));
    let keys = names.map(|key| rate(&format!("the key {key:?}"), "EUR", vec![hour(key)], Expect::Either));
    vec![
        Theme { about: About::Questions, name: "rate", asks: usual },
        Theme { about: About::Hostile, name: "odd times and rates", asks: odd },
        Theme { about: About::Hostile, name: "odd currencies and keys", asks: currencies.into_iter().chain(keys).collect() },
    ]
}
