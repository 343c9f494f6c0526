//! A library called by hand, with any bytes in any version of the messages: for who tries a plugin, and wants to know what it
//! says to what no platform would ask.

use std::{path::Path, time::Duration};

use slipway_plugin_abi::status;

use crate::{
    LoadError, Misconduct,
    deadline::{Missed, within},
    elf,
    library::{Library, RawReply},
    manifest,
    reply::shortened,
};

/// For reading and loading the library.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Raw {
    library: Library,
}

/// What a library says to a call, before anything is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Answer(Vec<u8>),
    Refusal(Vec<u8>),
    /// It says that the request is no request.
    NotUnderstood(String),
    /// The only one of these that no call should come to.
    Misconduct(Misconduct),
}

impl Raw {
    /// Loads the library of the plugin in `directory`, once more if a host has it already: that is the same library then.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(directory: &Path) -> Result<Self, LoadError> {
        let manifest = manifest::read(directory)?;
        let path = manifest::inside(directory, &manifest.library)?;
        let work = move || {
            let bytes = std::fs::read(&path).map_err(|cause| LoadError::Unreadable { path: path.clone(), cause })?;
            let not_a_library = |problem| LoadError::NotALibrary { file: manifest.library.clone(), problem };
            elf::check(&bytes, bytes.len() as u64).map_err(not_a_library)?;
            Library::load(&path, manifest.message_versions)
        };
        match within(LOAD_DEADLINE, work).await {
            Ok(library) => Ok(Self { library: library? }),
            Err(Missed::Overran) => Err(LoadError::Overran(LOAD_DEADLINE)),
            Err(Missed::Died) => Err(LoadError::Stopped("its thread died".into())),
            Err(Missed::NoThread(error)) => Err(LoadError::Stopped(error.to_string())),
        }
    }

    /// The version of the messages that the platform would use with it.
    #[must_use]
    pub fn message_version(&self) -> u32 {
        self.library.message_version
    }

    /// The lowest and the highest version that the library itself says it speaks, whatever its manifest says.
    #[must_use]
    pub fn library_versions(&self) -> [u32; 2] {
        self.library.table_versions
    }

    /// Makes one call.
    pub async fn call(&self, request: Vec<u8>, message_version: u32, deadline: Duration) -> Said {
        let library = self.library;
        match within(deadline, move || library.call_as(&request, message_version)).await {
            Ok(raw) => said(raw),
            Err(missed) => Said::Misconduct(misconduct(missed, deadline)),
        }
    }

    /// Calls with null in the place of the request, then with null in the place of the reply: whether both are bad requests.
    ///
    /// # Errors
    /// The calls did not end.
    pub async fn refuses_null(&self, deadline: Duration) -> Result<bool, Misconduct> {
        let library = self.library;
        let statuses = within(deadline, move || library.call_with_nothing()).await.map_err(|missed| misconduct(missed, deadline))?;
        Ok(statuses == [status::BAD_REQUEST; 2])
    }
}

fn said(raw: RawReply) -> Said {
    let bytes = match raw.bytes {
        Ok(bytes) => bytes,
        Err(problem) => return Said::Misconduct(Misconduct::BadReply(problem)),
    };
    let text = || shortened(&String::from_utf8_lossy(&bytes));
    match raw.status {
        status::OK => Said::Answer(bytes),
        status::ERROR => Said::Refusal(bytes),
        status::BAD_REQUEST => Said::NotUnderstood(text()),
        status::PANIC => Said::Misconduct(Misconduct::Panicked(text())),
        other => Said::Misconduct(Misconduct::BadReply(format!("the unknown status {other}"))),
    }
}

fn misconduct(missed: Missed, deadline: Duration) -> Misconduct {
    match missed {
        Missed::Overran => Misconduct::Overran(deadline),
        Missed::Died => Misconduct::BadReply("its thread died".into()),
        Missed::NoThread(error) => Misconduct::BadReply(error.to_string()),
    }
}
