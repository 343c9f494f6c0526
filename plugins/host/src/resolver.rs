//! A runtime plugin asked for versions alone, by a program that ends right after: without the digests that an administrator
//! approves, without settings, and without a record of its conduct. Making those takes longer than the question.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use slipway_plugin_abi::{
    Manifest,
    manifest::Form,
    messages::{Reply, Request, Resolution, ResolveRequest, RuntimeReply, RuntimeRequest},
};

use crate::{
    CallError, LoadError, Misconduct,
    deadline::{Missed, within},
    elf,
    library::{Library, RawReply},
    manifest,
    plugin::{Unanswered, decode},
    reply,
};

/// For loading, and for one answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// As much of a library as its headers are found in.
const HEAD_BYTES: u64 = 4096;

#[derive(Debug)]
pub struct Resolver {
    id: String,
    library: Library,
}

impl Resolver {
    /// # Errors
    /// See [`LoadError`].
    pub async fn load(directory: &Path) -> Result<Self, LoadError> {
        let Manifest { id, library, message_versions, form, .. } = manifest::read(directory)?;
        if form == Form::Wasm {
            return Err(LoadError::NoPlaceToRun("a sandbox"));
        }
        let path = manifest::inside(directory, &library)?;
        let work = move || {
            check(&path)?.map_err(|problem| LoadError::NotALibrary { file: library, problem })?;
            Library::load(&path, message_versions)
        };
        match within(DEADLINE, work).await {
            Ok(library) => Ok(Self { id, library: library? }),
            Err(Missed::Overran) => Err(LoadError::Overran(DEADLINE)),
            Err(Missed::Died) => Err(LoadError::Stopped("its thread died".into())),
            Err(Missed::NoThread(error)) => Err(LoadError::Stopped(error.to_string())),
        }
    }

    /// Which version and images satisfy a tool's constraint.
    ///
    /// # Errors
    /// As [`Plugin::runtime_resolve`](crate::Plugin::runtime_resolve).
    pub async fn resolve(&self, request: ResolveRequest) -> Result<Resolution, CallError> {
        let not_made = |cause: String| CallError::NotMade { plugin: self.id.clone(), cause };
        let misconduct = |misconduct| CallError::Misconduct { plugin: self.id.clone(), misconduct };
        let request =
            serde_json::to_vec(&Request::Runtime(RuntimeRequest::Resolve(request))).map_err(|error| not_made(error.to_string()))?;
        let library = self.library;
        let raw: RawReply = within(DEADLINE, move || library.call(&request)).await.map_err(|missed| match missed {
            Missed::Overran => misconduct(Misconduct::Overran(DEADLINE)),
            Missed::Died => not_made("its thread died".into()),
            Missed::NoThread(error) => not_made(error.to_string()),
        })?;
        let answer = match decode(raw) {
            Ok(Reply::Runtime(RuntimeReply::Resolve(resolution))) => reply::check_resolution(resolution),
            Ok(other) => reply::unexpected(&other),
            Err(Unanswered::Refused(error)) => return Err(CallError::Refused(error)),
            Err(Unanswered::Misconduct(theirs)) => return Err(misconduct(theirs)),
            Err(Unanswered::Busy) => return Err(not_made("it is busy".into())),
            Err(Unanswered::NotMade(cause)) => return Err(not_made(cause)),
        };
        answer.map_err(|problem| misconduct(Misconduct::BadReply(problem)))
    }
}

/// The inner error is about the file's content.
fn check(path: &PathBuf) -> Result<Result<(), String>, LoadError> {
    let read = || -> io::Result<_> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
        Ok(elf::check(&head, length))
    };
    read().map_err(|cause| LoadError::Unreadable { path: path.clone(), cause })
}
