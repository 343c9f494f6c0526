//! Where a plugin's code runs, by how far it is trusted.

use std::{sync::Arc, time::Duration};

use slipway_buildpack_host::Responders;
use slipway_plugin_abi::manifest::Form;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    LoadError, Misconduct, Options,
    child::{Native, Origin},
    component::{self, Component},
    deadline::{Missed, within},
    discovery::{Examined, read_approved},
    library::{Library, RawReply},
    plugin::Unanswered,
};

/// What stands between a plugin's code and the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Nothing: it runs in the platform's own process.
    None,
    /// A process of its own, without rights.
    Process,
    /// A WebAssembly sandbox.
    Sandbox,
}

#[derive(Debug)]
pub(crate) enum Runner {
    Here(Library),
    Apart(Box<Native>),
    Sandboxed(Component),
}

impl Runner {
    /// `engine` is asked for only where there is a component to run.
    pub async fn start(
        plugin: &Examined,
        options: &Options,
        is_trusted: bool,
        engine: impl FnOnce() -> Result<Responders, LoadError>,
    ) -> Result<Self, LoadError> {
        let (path, sha256, versions) = (plugin.library.clone(), plugin.library_sha256.clone(), plugin.manifest.message_versions);
        let deadline = options.load_deadline;
        match plugin.manifest.form {
            Form::Native if is_trusted => loaded(deadline, move || Library::load(&path, versions)).await.map(Self::Here),
            Form::Native => {
                let program = options.program.as_deref().ok_or(LoadError::NoPlaceToRun("a program to run its process"))?;
                let id = &plugin.manifest.id;
                let limits = options.limits;
                let origin =
                    Origin { program, id, library: path, sha256: &sha256, manifest_versions: versions, limits, load_deadline: deadline };
                Ok(Self::Apart(Box::new(Native::open(origin).await?)))
            }
            Form::Wasm => {
                let engine = engine()?;
                let load = move || {
                    let bytes = read_approved(&path, &sha256)?;
                    engine.load(&bytes).map_err(|error| LoadError::NotLoadable(error.to_string()))
                };
                let responder = loaded(deadline, load).await?;
                Component::open(responder, versions, options.call_deadline).await.map(Self::Sandboxed)
            }
        }
    }

    pub fn isolation(&self) -> Isolation {
        match self {
            Self::Here(_) => Isolation::None,
            Self::Apart(_) => Isolation::Process,
            Self::Sandboxed(_) => Isolation::Sandbox,
        }
    }

    pub fn message_version(&self) -> u32 {
        match self {
            Self::Here(library) => library.message_version,
            Self::Apart(native) => native.message_version(),
            Self::Sandboxed(component) => component.message_version(),
        }
    }

    pub fn restarts(&self) -> u64 {
        match self {
            Self::Here(_) => 0,
            Self::Apart(native) => native.restarts(),
            Self::Sandboxed(component) => component.restarts(),
        }
    }

    /// One call. In this process `place` is kept for as long as the plugin's code runs, which may be longer than the call.
    pub async fn call(&self, request: Vec<u8>, deadline: Duration, place: OwnedSemaphorePermit) -> Result<RawReply, Unanswered> {
        match self {
            Self::Here(library) => {
                let library = *library;
                let call = move || {
                    let reply = library.call(&request);
                    drop(place);
                    reply
                };
                within(deadline, call).await.map_err(|missed| match missed {
                    Missed::Overran => Misconduct::Overran(deadline).into(),
                    Missed::Died => Unanswered::NotMade("its thread died".into()),
                    Missed::NoThread(error) => Unanswered::NotMade(error.to_string()),
                })
            }
            Self::Apart(native) => native.call(&request, deadline).await,
            Self::Sandboxed(component) => component.call(request, deadline).await,
        }
    }

    /// Settings that it has accepted, as the request was: whatever is started again is given them first.
    pub fn keep_settings(&self, request: Arc<[u8]>) {
        match self {
            Self::Here(_) => {}
            Self::Apart(native) => native.keep_settings(request),
            Self::Sandboxed(component) => component.keep_settings(request),
        }
    }

    /// Ends what runs. A library in this process stays loaded.
    pub async fn stop(&self) {
        match self {
            Self::Here(_) => {}
            Self::Apart(native) => native.stop().await,
            Self::Sandboxed(component) => component.stop(),
        }
    }
}

/// Loading that may never end, on a thread that is then left behind.
pub(crate) async fn loaded<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    within(deadline, work).await.unwrap_or_else(|missed| {
        Err(match missed {
            Missed::Overran => LoadError::Overran(deadline),
            Missed::Died => LoadError::Stopped("its thread died".into()),
            Missed::NoThread(error) => LoadError::Stopped(error.to_string()),
        })
    })
}

pub(crate) fn start_engine(options: &Options) -> Result<Responders, LoadError> {
    let directory = options.compiled.as_deref().ok_or(LoadError::NoPlaceToRun("a directory for compiled components"))?;
    component::engine(directory, options.program.as_deref())
}
