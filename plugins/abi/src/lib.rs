//! The binary interface between the host and a plugin: a handful of C symbols, and JSON messages that travel through them.
//!
//! A plugin library exports
//!
//! * `slipway_plugin_abi() -> u32`: called first; anything but [`ABI_VERSION`] and the library is left alone,
//! * `slipway_plugin_table() -> *const PluginTable`: a C table whose first field is its own size in bytes.
//!
//! Requests and replies are the types of [`messages`], as UTF-8 JSON. The SDK writes all of it for the author.

pub mod manifest;
pub mod messages;

pub use manifest::Manifest;

/// The version of the C interface. Raised only when the table's existing fields change meaning.
pub const ABI_VERSION: u32 = 1;

/// The versions of the messages that this crate can speak, lowest and highest.
pub const MESSAGE_VERSIONS: std::ops::RangeInclusive<u32> = 1..=2;

/// The first version in which billing plugins are asked for quotes, standings and invoices.
pub const BILLING_QUESTIONS_SINCE: u32 = 2;

/// A buffer that the plugin owns. The host reads it and hands it back to [`PluginTable::free`].
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct OwnedBuffer {
    pub data: *mut u8,
    pub len: usize,
    pub capacity: usize,
}

/// What a call came to. Anything but `OK` leaves an error message as UTF-8 text in the buffer.
pub mod status {
    pub const OK: i32 = 0;
    /// The plugin refused the request: a typed [`crate::messages::PluginError`] as JSON in the buffer.
    pub const ERROR: i32 = 1;
    /// The plugin panicked; its message as text in the buffer.
    pub const PANIC: i32 = 2;
    /// The request could not be understood.
    pub const BAD_REQUEST: i32 = 3;
}

/// The functions of a plugin. New fields are only ever added at the end; `size` tells which are there.
#[repr(C)]
#[derive(Debug)]
pub struct PluginTable {
    /// `size_of::<PluginTable>()` as the plugin was built.
    pub size: usize,
    pub min_message_version: u32,
    pub max_message_version: u32,
    /// Handles one request. Must not keep `request` beyond the call. May be called from any thread, several at once. Null in the
    /// place of `request` or `reply` is [`status::BAD_REQUEST`]; without a `reply` nothing is written.
    pub call: unsafe extern "C" fn(request: *const u8, len: usize, message_version: u32, reply: *mut OwnedBuffer) -> i32,
    /// Takes back a buffer that `call` filled, or one whose `data` is null.
    pub free: unsafe extern "C" fn(buffer: OwnedBuffer),
}

/// Name of the symbol of type `unsafe extern "C" fn() -> u32`.
pub const ABI_SYMBOL: &[u8] = b"slipway_plugin_abi\0";
/// Name of the symbol of type `unsafe extern "C" fn() -> *const PluginTable`.
pub const TABLE_SYMBOL: &[u8] = b"slipway_plugin_table\0";
