//! The C side of a plugin: pointers in, pointers out, and no panic across. The only unsafe code of a plugin.

use std::{
    any::Any,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
};

use slipway_plugin_abi::{MESSAGE_VERSIONS, OwnedBuffer, PluginTable, messages::Request, status};

use crate::dispatch::{Exported, Failure};

/// The table of a plugin.
#[must_use]
pub const fn table<E: Exported>() -> PluginTable {
    PluginTable {
        size: size_of::<PluginTable>(),
        min_message_version: *MESSAGE_VERSIONS.start(),
        max_message_version: *MESSAGE_VERSIONS.end(),
        call: call::<E>,
        free,
    }
}

/// Answers one request.
///
/// # Safety
/// `request` points to `len` readable bytes, `reply` to a writable [`OwnedBuffer`]; neither is touched after the return.
pub unsafe extern "C" fn call<E: Exported>(request: *const u8, len: usize, message_version: u32, reply: *mut OwnedBuffer) -> i32 {
    if reply.is_null() {
        return status::BAD_REQUEST;
    }
    // Nothing can be seen half-changed after a panic but the plugin's own value, whose author was told that it may be called again.
    let (status, bytes) = catch_unwind(AssertUnwindSafe(|| {
        if request.is_null() {
            return (status::BAD_REQUEST, b"the request is null".to_vec());
        }
        // SAFETY: the caller vouches for `len` readable bytes, and `request` is not null.
        let request = unsafe { std::slice::from_raw_parts(request, len) };
        answer::<E>(request, message_version)
    }))
    .unwrap_or_else(|payload| (status::PANIC, panic_message(payload)));
    // SAFETY: the caller vouches for `reply`, which is not null.
    unsafe { reply.write(give_away(bytes)) };
    status
}

/// Takes back a buffer that [`call`] filled.
///
/// # Safety
/// `buffer` comes from [`call`] of this library and has not been given back before.
pub unsafe extern "C" fn free(buffer: OwnedBuffer) {
    if !buffer.data.is_null() {
        // SAFETY: these are the parts of the `Vec` that `give_away` took apart.
        drop(unsafe { Vec::from_raw_parts(buffer.data, buffer.len, buffer.capacity) });
    }
}

/// The status and the bytes that answer a request, in either form of a plugin.
#[must_use]
pub fn answer<E: Exported>(request: &[u8], message_version: u32) -> (i32, Vec<u8>) {
    if !MESSAGE_VERSIONS.contains(&message_version) {
        return (status::BAD_REQUEST, format!("message version {message_version} is not spoken here").into_bytes());
    }
    let request: Request = match serde_json::from_slice(request) {
        Ok(request) => request,
        Err(error) => return (status::BAD_REQUEST, error.to_string().into_bytes()),
    };
    let encoded = match E::answer(request) {
        Ok(reply) => serde_json::to_vec(&reply).map(|bytes| (status::OK, bytes)),
        Err(Failure::Refused(error)) => serde_json::to_vec(&error).map(|bytes| (status::ERROR, bytes)),
        Err(Failure::NotUnderstood(message)) => return (status::BAD_REQUEST, message.into_bytes()),
    };
    // The messages have no map with keys that are no strings, which is all that JSON could refuse.
    encoded.unwrap_or_else(|error| (status::PANIC, error.to_string().into_bytes()))
}

fn give_away(bytes: Vec<u8>) -> OwnedBuffer {
    let mut bytes = ManuallyDrop::new(bytes);
    OwnedBuffer { data: bytes.as_mut_ptr(), len: bytes.len(), capacity: bytes.capacity() }
}

fn panic_message(payload: Box<dyn Any + Send>) -> Vec<u8> {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return text.as_bytes().to_vec();
    }
    match payload.downcast::<String>() {
        Ok(text) => text.into_bytes(),
        Err(unknown) => {
            // Its destructor is the plugin's code and could panic again, outside of the catch.
            std::mem::forget(unknown);
            b"a panic without a message".to_vec()
        }
    }
}
