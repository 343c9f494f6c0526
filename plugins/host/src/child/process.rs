//! One run of a plugin's process, from its start to its end.

use std::{
    collections::HashMap,
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    sync::oneshot,
};

use super::{
    frames::{self, Begin, Begun, HEAD, Head},
    inside::UNUSABLE,
};
use crate::library::RawReply;

/// For a process that has closed its channel to end by itself.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// A process that answers, until it ends.
#[derive(Debug)]
pub(super) struct Process {
    pub message_version: u32,
    channel: tokio::sync::Mutex<OwnedWriteHalf>,
    shared: Arc<Shared>,
    next: AtomicU64,
    /// Dropped, it ends the process.
    end: Mutex<Option<oneshot::Sender<()>>>,
    /// Somebody has been told that it ended by its own doing: others of the same moment are not to count it again.
    is_blamed: AtomicBool,
}

#[derive(Debug, Default)]
struct Shared(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    waiting: HashMap<u64, oneshot::Sender<(i32, Vec<u8>)>>,
    /// How it ended.
    ended: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        // Every change is one insertion, removal or assignment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Lost {
    /// The process ended, with how. Told to one call of those that were under way.
    Ended(String),
    /// The same, told to the others.
    EndedBeside(String),
}

impl Process {
    /// Starts `PROGRAM plugin-host` and hands it the library.
    pub async fn start(program: &Path, begin: &Begin, library: &[u8]) -> io::Result<Result<Self, String>> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(program);
        command.arg("plugin-host").env_clear().current_dir("/").kill_on_drop(true);
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        // It holds the other end of the channel, whose closing is how the process's end is seen.
        drop(command);
        let (mut read, mut write) = UnixStream::from_std(ours)?.into_split();
        let begun = async {
            write.write_all(&frames::frame(0, 0, &serde_json::to_vec(begin)?)).await?;
            write.write_all(library).await?;
            let Some((_, bytes)) = read_frame(&mut read).await? else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            Ok::<Begun, io::Error>(serde_json::from_slice(&bytes)?)
        };
        match begun.await {
            Ok(Ok(message_version)) => {
                let shared = Arc::<Shared>::default();
                let (end, ending) = oneshot::channel();
                tokio::spawn(attend(child, read, Arc::clone(&shared), ending));
                Ok(Ok(Self {
                    message_version,
                    channel: tokio::sync::Mutex::new(write),
                    shared,
                    next: AtomicU64::new(1),
                    end: Mutex::new(Some(end)),
                    is_blamed: AtomicBool::new(false),
                }))
            }
            Ok(Err(reason)) => Ok(Err(reason)),
            Err(_) => Ok(Err(format!("its process {} before the library was loaded", how(end_of(&mut child).await)))),
        }
    }

    pub fn is_running(&self) -> bool {
        self.shared.lock().ended.is_none()
    }

    /// Never ends by itself if the plugin does not answer.
    pub async fn call(&self, request: &[u8]) -> Result<RawReply, Lost> {
        let id = self.next.fetch_add(1, Relaxed);
        let (answer, answered) = oneshot::channel();
        {
            let mut calls = self.shared.lock();
            if let Some(ended) = &calls.ended {
                return Err(Lost::EndedBeside(ended.clone()));
            }
            calls.waiting.insert(id, answer);
        }
        let _forgotten = Forget { shared: &self.shared, id };
        let frame = frames::frame(id, i32::try_from(self.message_version).unwrap_or(i32::MAX), request);
        // A process that is gone is seen by its attendant, who drops what waits.
        let _ = self.channel.lock().await.write_all(&frame).await;
        match answered.await {
            Ok((UNUSABLE, problem)) => Ok(RawReply { status: 0, bytes: Err(String::from_utf8_lossy(&problem).into_owned()) }),
            Ok((status, bytes)) => Ok(RawReply { status, bytes: Ok(bytes) }),
            Err(_) => Err(self.lost()),
        }
    }

    fn lost(&self) -> Lost {
        let ended = self.shared.lock().ended.clone().unwrap_or_else(|| "ended".into());
        if self.is_blamed.swap(true, Relaxed) { Lost::EndedBeside(ended) } else { Lost::Ended(ended) }
    }

    /// Ends the process, which is known not to answer. Calls that are under way beside are told, and not held against it.
    pub fn kill(&self) {
        self.is_blamed.store(true, Relaxed);
        self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A call that is given up is not waited for.
struct Forget<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.lock().waiting.remove(&self.id);
    }
}

/// Hands out replies until the process ends or is to end.
async fn attend(mut child: Child, mut read: OwnedReadHalf, shared: Arc<Shared>, mut ending: oneshot::Receiver<()>) {
    let ended = loop {
        let frame = tokio::select! {
            frame = read_frame(&mut read) => frame,
            _ = &mut ending => {
                let _ = child.kill().await;
                break "was ended".to_owned();
            }
        };
        match frame {
            Ok(Some((head, bytes))) => {
                let waiting = shared.lock().waiting.remove(&head.id);
                if let Some(answer) = waiting {
                    // Given up in this moment.
                    let _ = answer.send((head.code, bytes));
                }
            }
            Ok(None) => break how(end_of(&mut child).await),
            Err(error) => {
                let _ = child.kill().await;
                break format!("was ended: its channel cannot be read: {error}");
            }
        }
    };
    let mut calls = shared.lock();
    calls.ended = Some(ended);
    calls.waiting.clear();
}

async fn read_frame(read: &mut OwnedReadHalf) -> io::Result<Option<(Head, Vec<u8>)>> {
    let mut head = [0; HEAD];
    match read.read_exact(&mut head).await {
        Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => return Ok(None),
        read => read?,
    };
    let head = Head::of(head);
    if head.length > frames::LONGEST {
        return Err(io::Error::other(format!("a reply of {} bytes", head.length)));
    }
    let mut bytes = vec![0; head.length];
    read.read_exact(&mut bytes).await?;
    Ok(Some((head, bytes)))
}

/// Of a process that has closed its channel. One that goes on all the same is killed.
async fn end_of(child: &mut Child) -> Option<ExitStatus> {
    match tokio::time::timeout(LAST_MOMENT, child.wait()).await {
        Ok(status) => status.ok(),
        Err(_) => {
            let _ = child.kill().await;
            None
        }
    }
}

/// Reads on from "its process".
fn how(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "closed its channel and was ended".into() };
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal} ({})", signal_name(signal)),
        (None, Some(code)) => format!("ended by itself with code {code}"),
        (None, None) => "ended".into(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "abort",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGBUS => "bus error",
        libc::SIGILL => "illegal instruction",
        libc::SIGFPE => "arithmetic error",
        libc::SIGKILL => "killed",
        libc::SIGXFSZ => "wrote a file",
        libc::SIGSYS => "forbidden system call",
        libc::SIGTRAP => "trap",
        _ => "signal",
    }
}
