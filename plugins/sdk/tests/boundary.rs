//! The C table that `export_plugin!` makes, called as a host calls it.
#![allow(unsafe_code)]

use slipway_plugin_sdk::{
    BillingPlugin, Charge, PluginError, RateRequest, Value,
    abi::{ABI_VERSION, OwnedBuffer, PluginTable, status},
    export_plugin,
    messages::{BillingReply, BillingRequest, Reply, Request, RuntimeRequest},
};

/// Panics, refuses or answers, as the currency says.
#[derive(Default)]
struct Moody;

struct PanicsAgainWhenDropped;

impl Drop for PanicsAgainWhenDropped {
    fn drop(&mut self) {
        panic!("a second panic");
    }
}

impl BillingPlugin for Moody {
    fn rate(&self, request: RateRequest) -> Result<Vec<Charge>, PluginError> {
        match request.currency.as_str() {
            "PANIC" => panic!("out of {}", "cheese"),
            "PAYLOAD" => std::panic::panic_any(PanicsAgainWhenDropped),
            "REFUSE" => Err(PluginError::new("NO", "not today").with_fix("come back tomorrow")),
            _ => Ok(Vec::new()),
        }
    }
}

export_plugin!(billing: Moody);

unsafe extern "C" {
    fn slipway_plugin_abi() -> u32;
    fn slipway_plugin_table() -> *const PluginTable;
}

fn call_raw(request: &[u8], message_version: u32) -> (i32, String) {
    let mut reply = OwnedBuffer { data: std::ptr::null_mut(), len: 0, capacity: 0 };
    // SAFETY: the table is the one that the macro made, and the pointers are of live values.
    unsafe {
        let table = &*slipway_plugin_table();
        let status = (table.call)(request.as_ptr(), request.len(), message_version, &raw mut reply);
        let text = String::from_utf8(std::slice::from_raw_parts(reply.data, reply.len).to_vec()).unwrap();
        (table.free)(reply);
        (status, text)
    }
}

fn call(request: &Request) -> (i32, String) {
    call_raw(&serde_json::to_vec(request).unwrap(), 1)
}

fn rate(currency: &str) -> (i32, String) {
    call(&Request::Billing(BillingRequest::Rate(RateRequest { currency: currency.into(), usage: Vec::new() })))
}

#[test]
fn the_symbols_tell_the_version_and_the_size() {
    // SAFETY: both are the functions that the macro made.
    let (version, size) = unsafe { (slipway_plugin_abi(), (*slipway_plugin_table()).size) };
    assert_eq!(version, ABI_VERSION);
    assert_eq!(size, size_of::<PluginTable>());
}

#[test]
fn an_answer_comes_back_as_json() {
    let (status, text) = rate("USD");
    assert_eq!(status, status::OK);
    assert_eq!(serde_json::from_str::<Reply>(&text).unwrap(), Reply::Billing(BillingReply::Rate(Vec::new())));
}

#[test]
fn a_refusal_is_typed() {
    let (status, text) = rate("REFUSE");
    assert_eq!(status, status::ERROR);
    let error: PluginError = serde_json::from_str(&text).unwrap();
    assert_eq!((error.code.as_str(), error.fix.as_deref()), ("NO", Some("come back tomorrow")));
}

#[test]
fn a_panic_is_caught_and_the_next_call_answers() {
    assert_eq!(rate("PANIC"), (status::PANIC, "out of cheese".into()));
    assert_eq!(rate("PAYLOAD"), (status::PANIC, "a panic without a message".into()));
    assert_eq!(rate("USD").0, status::OK);
}

#[test]
fn what_is_no_request_is_not_understood() {
    assert_eq!(call_raw(b"{", 1).0, status::BAD_REQUEST);
    assert_eq!(call_raw(b"", 1).0, status::BAD_REQUEST);
    assert_eq!(call_raw(b"\xff\xfe", 1).0, status::BAD_REQUEST);
}

#[test]
fn a_question_for_another_kind_is_not_understood() {
    let (status, text) = call(&Request::Runtime(RuntimeRequest::Describe));
    assert_eq!(status, status::BAD_REQUEST);
    assert!(text.contains("kind billing"), "{text}");
}

#[test]
fn an_unknown_message_version_is_not_understood() {
    let request = serde_json::to_vec(&Request::Configure(Value::Null)).unwrap();
    for version in [1, 2] {
        assert_eq!(call_raw(&request, version).0, status::OK);
    }
    for version in [0, 3, u32::MAX] {
        let (status, text) = call_raw(&request, version);
        assert_eq!(status, status::BAD_REQUEST);
        assert!(text.contains(&version.to_string()), "{text}");
    }
}

#[test]
fn settings_that_nobody_reads_are_refused() {
    assert_eq!(call(&Request::Configure(serde_json::json!({}))).0, status::OK);
    let (status, text) = call(&Request::Configure(serde_json::json!({ "colour": "green" })));
    assert_eq!(status, status::ERROR);
    assert!(text.contains("NO_SETTINGS"), "{text}");
}

#[test]
fn null_pointers_are_survived() {
    let mut reply = OwnedBuffer { data: std::ptr::null_mut(), len: 0, capacity: 0 };
    // SAFETY: null is what is tested; the buffer is live and given back once.
    unsafe {
        let table = &*slipway_plugin_table();
        assert_eq!((table.call)(std::ptr::null(), 0, 1, &raw mut reply), status::BAD_REQUEST);
        (table.free)(reply);
        assert_eq!((table.call)(b"{}".as_ptr(), 2, 1, std::ptr::null_mut()), status::BAD_REQUEST);
        (table.free)(OwnedBuffer { data: std::ptr::null_mut(), len: 0, capacity: 0 });
    }
}
