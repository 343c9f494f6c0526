//! The C interface from the host's side: two symbols, a table, and buffers that go back to where they came from.

use std::{ffi::c_void, path::Path, ptr};

use libloading::os::unix::{self, RTLD_LOCAL, RTLD_NOW};
use slipway_plugin_abi::{ABI_SYMBOL, ABI_VERSION, MESSAGE_VERSIONS, OwnedBuffer, PluginTable, TABLE_SYMBOL};

use crate::LoadError;

/// A longer reply is refused, for it would be copied and parsed.
const LONGEST_REPLY: usize = 64 * 1024 * 1024;

type AbiFn = unsafe extern "C" fn() -> u32;
type TableFn = unsafe extern "C" fn() -> *const PluginTable;
type CallFn = unsafe extern "C" fn(*const u8, usize, u32, *mut OwnedBuffer) -> i32;
type FreeFn = unsafe extern "C" fn(OwnedBuffer);

/// A loaded library. It is never unloaded, since its threads, thread-locals and abandoned calls may still run its code; that is
/// what makes a copy of its function pointers good for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Library {
    call: CallFn,
    free: FreeFn,
    /// The highest version that host, manifest and table have in common.
    pub message_version: u32,
    /// Lowest and highest, as the table says.
    pub table_versions: [u32; 2],
}

/// What came back, copied out of the plugin's memory.
#[derive(Debug)]
pub(crate) struct RawReply {
    pub status: i32,
    /// Or what is wrong with the buffer.
    pub bytes: Result<Vec<u8>, String>,
}

impl Library {
    /// Loads the library at `path`, an absolute path to a file that has been looked at before.
    pub fn load(path: &Path, manifest_versions: [u32; 2]) -> Result<Self, LoadError> {
        // SAFETY: this runs the library's initialisers. That is what an administrator agreed to by installing the plugin.
        // RTLD_NOW: a function that is missing is an error here, and not the end of the process at the first call.
        let library =
            unsafe { unix::Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| LoadError::NotLoadable(error.to_string()))?;
        let handle = library.into_raw();
        // SAFETY: the types are those that the interface gives to these names; the version is asked for first, and the table
        // only if the version is ours.
        unsafe {
            let abi: AbiFn = symbol(handle, ABI_SYMBOL)?;
            let version = abi();
            if version != ABI_VERSION {
                return Err(LoadError::WrongAbi(version));
            }
            let table: TableFn = symbol(handle, TABLE_SYMBOL)?;
            Self::from_table(table(), manifest_versions)
        }
    }

    /// # Safety
    /// `table` is null, or points to a table that lives as long as the process and is as long as its first field says.
    unsafe fn from_table(table: *const PluginTable, [lowest, highest]: [u32; 2]) -> Result<Self, LoadError> {
        if table.is_null() || !table.is_aligned() {
            return Err(LoadError::BadTable("it is null or misaligned".into()));
        }
        // SAFETY: the caller vouches for the first field; the others are read only if the size covers them. The functions are
        // read as options, because a null pointer is no function.
        let (table_lowest, table_highest, call, free) = unsafe {
            let size = (&raw const (*table).size).read();
            if size < size_of::<PluginTable>() {
                return Err(LoadError::BadTable(format!("{size} bytes, {} expected", size_of::<PluginTable>())));
            }
            (
                (&raw const (*table).min_message_version).read(),
                (&raw const (*table).max_message_version).read(),
                (&raw const (*table).call).cast::<Option<CallFn>>().read(),
                (&raw const (*table).free).cast::<Option<FreeFn>>().read(),
            )
        };
        let (Some(call), Some(free)) = (call, free) else {
            return Err(LoadError::BadTable("a function is null".into()));
        };
        let lowest = lowest.max(table_lowest).max(*MESSAGE_VERSIONS.start());
        let message_version = highest.min(table_highest).min(*MESSAGE_VERSIONS.end());
        if lowest > message_version {
            return Err(LoadError::NoCommonMessageVersion(table_lowest, table_highest));
        }
        Ok(Self { call, free, message_version, table_versions: [table_lowest, table_highest] })
    }

    /// Blocks until the plugin answers, if ever.
    pub fn call(&self, request: &[u8]) -> RawReply {
        self.call_as(request, self.message_version)
    }

    /// The same in any version of the messages, agreed on or not.
    pub fn call_as(&self, request: &[u8], message_version: u32) -> RawReply {
        let mut buffer = OwnedBuffer { data: ptr::null_mut(), len: 0, capacity: 0 };
        // SAFETY: the function comes from a library that is never unloaded; the pointers are of live values; the buffer is
        // copied before it is given back, and given back once.
        unsafe {
            let status = (self.call)(request.as_ptr(), request.len(), message_version, &raw mut buffer);
            if buffer.data.is_null() {
                return RawReply { status, bytes: Err("the buffer is null".into()) };
            }
            let bytes = if buffer.len > LONGEST_REPLY || buffer.len > buffer.capacity {
                Err(format!("a buffer of {} bytes", buffer.len))
            } else {
                Ok(std::slice::from_raw_parts(buffer.data, buffer.len).to_vec())
            };
            (self.free)(buffer);
            RawReply { status, bytes }
        }
    }

    /// Calls without a request, then without a place for the reply, and gives both statuses. A library has to survive it.
    pub fn call_with_nothing(&self) -> [i32; 2] {
        let mut buffer = OwnedBuffer { data: ptr::null_mut(), len: 0, capacity: 0 };
        // SAFETY: the interface has libraries accept null; what is not null is live, and a buffer is given back once.
        unsafe {
            let without_request = (self.call)(ptr::null(), 0, self.message_version, &raw mut buffer);
            if !buffer.data.is_null() {
                (self.free)(buffer);
            }
            (self.free)(OwnedBuffer { data: ptr::null_mut(), len: 0, capacity: 0 });
            [without_request, (self.call)(b"{}".as_ptr(), 2, self.message_version, ptr::null_mut())]
        }
    }
}

/// # Safety
/// `handle` is of a loaded library that is never unloaded, and `name` names a function of type `T` in it.
unsafe fn symbol<T: Copy>(handle: *mut c_void, name: &[u8]) -> Result<T, LoadError> {
    // SAFETY: the caller vouches for the handle. Forgetting the library keeps it loaded.
    let library = std::mem::ManuallyDrop::new(unsafe { unix::Library::from_raw(handle) });
    // SAFETY: the caller vouches for the type.
    let found = unsafe { library.get::<T>(name) }.map(|symbol| *symbol);
    found.map_err(|_| LoadError::MissingSymbol(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()))
}
