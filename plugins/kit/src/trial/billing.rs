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

fn used_before(name: &str, used_before_micros: u64, expect: Expect) -> Ask {
    let mut period = period("ins_1", FROM, "2026-01-01T01:00:00Z", "0.012");
    period["used_before_micros"] = json!(used_before_micros);
    rate(name, "EUR", vec![period], expect)
}

fn one(name: &str, end: &str, hourly_rate: &str, expect: Expect) -> Ask {
    rate(name, "EUR", vec![period("ins_1", FROM, end, hourly_rate)], expect)
}

/// Since then, billing plugins are asked more than what use costs.
const MORE_QUESTIONS_SINCE: u32 = 2;

pub(super) fn themes(message_version: u32) -> Vec<Theme> {
    let mut themes = ratings();
    if message_version >= MORE_QUESTIONS_SINCE {
        themes.extend(further());
    }
    themes
}

fn quote(name: &str, hourly_rate: &str, monthly_price: &str, instances: u32, expect: Expect) -> Ask {
    let ask = json!({ "currency": "EUR", "hourly_rate": hourly_rate, "monthly_price": monthly_price, "instances": instances });
    Ask::new(name, json!({ "quote": ask }), expect)
}

fn standing(name: &str, balance: &str, credit_limit: &str, hourly_cost: &str, expect: Expect) -> Ask {
    let ask = json!({ "currency": "EUR", "balance": balance, "credit_limit": credit_limit, "hourly_cost": hourly_cost });
    Ask::new(name, json!({ "standing": ask }), expect)
}

fn invoice(name: &str, items: Vec<Value>, expect: Expect) -> Ask {
    let (period_start, period_end) = (FROM, "2026-02-01T00:00:00Z");
    let ask = json!({ "currency": "EUR", "customer": "acme", "period_start": period_start, "period_end": period_end, "items": items });
    Ask::new(name, json!({ "invoice": ask }), expect)
}

fn item(key: &str, name: &str, micros: u64, amount: &str) -> Value {
    json!({ "key": key, "name": name, "micros": micros, "hourly_rate": "0.012", "amount": amount })
}

/// Quotes, how accounts stand, and invoices.
fn further() -> Vec<Theme> {
    let hour = 3_600_000_000;
    let quotes = vec![
        quote("one instance", "0.012", "8.76", 1, Expect::Answer),
        quote("none", "0.012", "8.76", 0, Expect::Answer),
        quote("a thousand", "0.012", "8.76", 1000, Expect::Answer),
        quote("free of charge", "0", "0", 3, Expect::Answer),
    ];
    let standings = vec![
        standing("full", "100", "0", "0.012", Expect::Answer),
        standing("empty", "0", "0", "0.012", Expect::Answer),
        standing("within its credit", "-5", "10", "0.012", Expect::Answer),
        standing("beyond its credit", "-15", "10", "0.012", Expect::Answer),
        standing("nothing runs", "0", "0", "0", Expect::Answer),
    ];
    let invoices = vec![
        invoice("nothing", Vec::new(), Expect::Answer),
        invoice("one item", vec![item("a", "shop", hour, "0.012")], Expect::Answer),
        invoice("several", vec![item("a", "shop", hour, "0.012"), item("b", "blog", 7, "0.000000023")], Expect::Answer),
        invoice("a correction", vec![item("a", "shop", 0, "-0.012")], Expect::Answer),
    ];
    let odd = vec![
        quote("the highest rate", HIGHEST, HIGHEST, u32::MAX, Expect::Either),
        quote("below zero", "-0.012", "-8.76", 1, Expect::Either),
        standing("the most", HIGHEST, HIGHEST, HIGHEST, Expect::Either),
        standing("the least", &format!("-{HIGHEST}"), "0", HIGHEST, Expect::Either),
        standing("a credit below zero", "0", "-1", "0.012", Expect::Either),
        invoice("for ever", vec![item("a", "shop", u64::MAX, "0")], Expect::Either),
        invoice("odd names", vec![item("", "", 0, "0"), item("\0", "💶\n", 0, "0")], Expect::Either),
        invoice("the same key twice", vec![item("a", "shop", hour, "1"), item("a", "shop", hour, "1")], Expect::Either),
    ];
    vec![
        Theme { about: About::Questions, name: "quote", asks: quotes },
        Theme { about: About::Questions, name: "standing", asks: standings },
        Theme { about: About::Questions, name: "invoice", asks: invoices },
        Theme { about: About::Hostile, name: "odd accounts and invoices", asks: odd },
    ]
}

/// What use costs.
fn ratings() -> Vec<Theme> {
    let many = (0..500).map(|at| period(&format!("ins_{at}"), FROM, "2026-01-02T03:04:05Z", "0.012")).collect();
    let usual = vec![
        rate("nothing", "EUR", Vec::new(), Expect::Answer),
        one("an hour", "2026-01-01T01:00:00Z", "0.012", Expect::Answer),
        one("a second", "2026-01-01T00:00:01Z", "0.012", Expect::Answer),
        one("a millisecond", "2026-01-01T00:00:00.001Z", "0.012", Expect::Answer),
        used_before("late in a month", 2_000_000_000_000, Expect::Answer),
        one("free of charge", "2026-01-01T01:00:00Z", "0", Expect::Answer),
        one("the smallest rate", "2026-01-01T01:00:00Z", "0.000000001", Expect::Answer),
        one("no time", FROM, "0.012", Expect::Answer),
        rate("another currency", "JPY", vec![period("ins_1", FROM, "2026-01-01T01:00:00Z", "2")], Expect::Answer),
        rate("many periods", "EUR", many, Expect::Answer),
    ];
    let hour = |key: &str| period(key, FROM, "2026-01-01T01:00:00Z", "0.012");
    let odd = vec![
        one("a month", "2026-02-01T00:00:00Z", "0.012", Expect::Either),
        one("ten years", "2036-01-01T00:00:00Z", "12.5", Expect::Either),
        used_before("no more can have been used", u64::MAX, Expect::Either),
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
