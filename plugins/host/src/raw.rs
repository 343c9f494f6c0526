//! A library called by hand, with any bytes in any version of the messages: for who tries a plugin, and wants to know what it
//! says to what no platform would ask.

use std::{path::Path, sync::Arc, time::Duration};

use slipway_buildpack_host::{Responder, Session};
use slipway_plugin_abi::{
    MESSAGE_VERSIONS,
    manifest::{Form, Manifest},
    status,
};
use tokio::{runtime::Handle, sync::Mutex};

use crate::{
    LoadError, Misconduct, Options,
    component::unanswered,
    deadline::{Missed, within},
    elf,
    library::{Library, RawReply},
    manifest,
    plugin::Unanswered,
    reply::shortened,
    runner::{loaded, start_engine},
};

#[derive(Debug)]
pub struct Raw {
    form: Held,
    message_version: u32,
    spoken: [u32; 2],
}

#[derive(Debug)]
enum Held {
    Library(Library),
    /// With the one instance that is asked, until it misbehaves.
    Component(Responder, Arc<Mutex<Option<Session>>>),
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
    /// Loads the library of the plugin in `directory`, once more if a host has it already: a native one is the same library then.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(directory: &Path, options: &Options) -> Result<Self, LoadError> {
        let manifest = manifest::read(directory)?;
        let path = manifest::inside(directory, &manifest.library)?;
        let Manifest { library: file, message_versions: [lowest, highest], form, .. } = manifest;
        let read = move || std::fs::read(&path).map(|bytes| (bytes, path.clone())).map_err(|cause| LoadError::Unreadable { path, cause });
        if form == Form::Native {
            let work = move || {
                let (bytes, path) = read()?;
                let not_a_library = |problem| LoadError::NotALibrary { file, problem };
                elf::check(&bytes, bytes.len() as u64).map_err(not_a_library)?;
                Library::load(&path, [lowest, highest])
            };
            let library = loaded(options.load_deadline, work).await?;
            return Ok(Self { message_version: library.message_version, spoken: library.table_versions, form: Held::Library(library) });
        }
        let engine = start_engine(options)?;
        let load = move || {
            let (bytes, _) = read()?;
            engine.load(&bytes).map_err(|error| LoadError::NotLoadable(error.to_string()))
        };
        let responder = loaded(options.load_deadline, load).await?;
        let (time, asked) = (options.call_deadline, responder.clone());
        let begun = where_it_may_block(async move {
            let mut session = asked.start(time).await?;
            let spoken = session.message_versions(time).await?;
            Ok::<_, slipway_buildpack_host::HostError>((session, spoken))
        });
        let begun = begun.await.map_err(LoadError::Stopped)?;
        let (session, spoken) = begun.map_err(|error| LoadError::NotStarted(error.to_string()))?;
        let message_version = highest.min(spoken.1).min(*MESSAGE_VERSIONS.end());
        Ok(Self { form: Held::Component(responder, Arc::new(Mutex::new(Some(session)))), message_version, spoken: [spoken.0, spoken.1] })
    }

    /// The version of the messages that the platform would use with it.
    #[must_use]
    pub fn message_version(&self) -> u32 {
        self.message_version
    }

    /// The lowest and the highest version that the library itself says it speaks, whatever its manifest says.
    #[must_use]
    pub fn library_versions(&self) -> [u32; 2] {
        self.spoken
    }

    /// Makes one call.
    pub async fn call(&self, request: Vec<u8>, message_version: u32, deadline: Duration) -> Said {
        let (responder, session) = match &self.form {
            Held::Library(library) => {
                let library = *library;
                return match within(deadline, move || library.call_as(&request, message_version)).await {
                    Ok(raw) => said(raw),
                    Err(missed) => Said::Misconduct(misconduct(missed, deadline)),
                };
            }
            Held::Component(responder, session) => (responder.clone(), Arc::clone(session)),
        };
        let answer = where_it_may_block(async move {
            let mut kept = session.lock().await;
            let mut session = match kept.take() {
                Some(session) => session,
                None => responder.start(deadline).await?,
            };
            let answer = session.call(&request, message_version, deadline).await?;
            *kept = Some(session);
            Ok(answer)
        });
        match answer.await {
            Ok(Ok((status, bytes))) => said(RawReply { status, bytes: Ok(bytes) }),
            Ok(Err(error)) => match unanswered(error, deadline) {
                Unanswered::Misconduct(misconduct) => Said::Misconduct(misconduct),
                Unanswered::NotMade(cause) => Said::Misconduct(Misconduct::BadReply(cause)),
                Unanswered::Refused(_) | Unanswered::Busy => Said::Misconduct(Misconduct::BadReply("it was not asked".into())),
            },
            Err(cause) => Said::Misconduct(Misconduct::BadReply(cause)),
        }
    }

    /// Calls with null in the place of the request, then with null in the place of the reply: whether both are bad requests. A
    /// component has no such places.
    ///
    /// # Errors
    /// The calls did not end.
    pub async fn refuses_null(&self, deadline: Duration) -> Result<bool, Misconduct> {
        let Held::Library(library) = self.form else { return Ok(true) };
        let statuses = within(deadline, move || library.call_with_nothing()).await.map_err(|missed| misconduct(missed, deadline))?;
        Ok(statuses == [status::BAD_REQUEST; 2])
    }
}

/// A guest that computes does so on a thread that nobody else needs.
async fn where_it_may_block<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, String> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(work)).await.map_err(|error| error.to_string())
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
