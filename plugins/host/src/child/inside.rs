//! What runs in a plugin's process, `slipway plugin-host`: it takes the library from its standard input, gives up every right that
//! it does not need, loads the library and answers.
//!
//! To be called before the program has any other thread: what a process gives up here, a thread that is there already keeps.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use super::{
    confine,
    frames::{self, Begin, Begun, Head},
};
use crate::library::Library;

/// As many as calls may be under way at once.
const WORKERS: usize = 16;

/// Serves until the other side of standard input is closed.
#[must_use]
pub fn serve() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever started it reads nothing but frames: that it ended is what is seen.
        Err(_) => ExitCode::FAILURE,
    }
}

fn run() -> io::Result<()> {
    let mut channel = take_channel()?;
    let Some((_, begin)) = frames::read(&mut channel)? else { return Ok(()) };
    let begin: Begin = serde_json::from_slice(&begin)?;
    let begun = load(&mut channel, begin);
    let answer: Begun = begun.as_ref().map(|library| library.message_version).map_err(Clone::clone);
    frames::write(&mut channel, 0, 0, &serde_json::to_vec(&answer)?)?;
    let Ok(library) = begun else { return Ok(()) };

    let channel = Arc::new(channel);
    let mut workers = Workers::new(library, Arc::new(Mutex::new(Arc::clone(&channel))));
    while let Some((head, request)) = frames::read(&mut &*channel)? {
        workers.give(head, request);
    }
    end(0)
}

/// The channel, out of the plugin's way: its standard input, output and errors are nothing.
fn take_channel() -> io::Result<File> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: descriptor 0 is open, for it was given; the others are overwritten with one that is.
    unsafe {
        let channel = libc::fcntl(0, libc::F_DUPFD_CLOEXEC, FIRST_OWN + 1);
        if channel == -1 {
            return Err(io::Error::last_os_error());
        }
        for standard in 0..3 {
            if libc::dup2(nothing.as_raw_fd(), standard) == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        // Everything else that may be open goes; the channel moves to where it can stay.
        let kept = libc::dup3(channel, FIRST_OWN, libc::O_CLOEXEC);
        if kept == -1 {
            return Err(io::Error::last_os_error());
        }
        std::mem::forget(nothing);
        for between in 3..FIRST_OWN {
            libc::close(between);
        }
        confine::close_from(FIRST_OWN.unsigned_abs() + 1)?;
        Ok(File::from(OwnedFd::from_raw_fd(kept)))
    }
}

/// Where the channel is kept.
const FIRST_OWN: i32 = 9;

fn load(channel: &mut File, begin: Begin) -> Result<Library, String> {
    let library = receive(channel, begin.library_bytes).map_err(|error| format!("the library could not be received: {error}"))?;
    confine::confine(begin.limits, begin.user).map_err(|error| format!("the plugin's process cannot be confined: {error}"))?;
    // By its descriptor, since it has no name: what was looked at and what is loaded are the same bytes.
    let path = PathBuf::from(format!("/proc/self/fd/{}", library.as_raw_fd()));
    let loaded = Library::load(Path::new(&path), begin.manifest_versions).map_err(|error| error.to_string())?;
    drop(library);
    Ok(loaded)
}

/// In memory, and never to be changed again.
fn receive(channel: &mut File, length: u64) -> io::Result<File> {
    // SAFETY: the name is a string with its end; the descriptor is new.
    let mut file = unsafe {
        let file = libc::memfd_create(c"plugin".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        if file == -1 {
            return Err(io::Error::last_os_error());
        }
        File::from(OwnedFd::from_raw_fd(file))
    };
    if io::copy(&mut channel.take(length), &mut file)? != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let seals = libc::F_SEAL_WRITE | libc::F_SEAL_GROW | libc::F_SEAL_SHRINK | libc::F_SEAL_SEAL;
    // SAFETY: numbers only.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

type Asked = (Head, Vec<u8>);

/// Threads that answer, made as they are needed.
struct Workers {
    library: Library,
    asked: Sender<Asked>,
    queue: Arc<Mutex<Receiver<Asked>>>,
    replies: Arc<Mutex<Arc<File>>>,
    idle: Arc<AtomicUsize>,
    made: usize,
}

impl Workers {
    fn new(library: Library, replies: Arc<Mutex<Arc<File>>>) -> Self {
        let (asked, queue) = channel();
        Self { library, asked, queue: Arc::new(Mutex::new(queue)), replies, idle: Arc::default(), made: 0 }
    }

    fn give(&mut self, head: Head, request: Vec<u8>) {
        let is_taken = self.idle.fetch_update(SeqCst, SeqCst, |idle| idle.checked_sub(1)).is_ok();
        if !is_taken && self.made < WORKERS && self.make().is_ok() {
            self.made += 1;
        }
        // The queue is held here, so it is there.
        let _ = self.asked.send((head, request));
    }

    fn make(&self) -> io::Result<()> {
        let (library, queue, replies, idle) = (self.library, Arc::clone(&self.queue), Arc::clone(&self.replies), Arc::clone(&self.idle));
        thread::Builder::new().name("plugin".into()).spawn(move || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok((head, request)) = next else { return };
                answer(library, head, &request, &replies);
                idle.fetch_add(1, SeqCst);
            }
        })?;
        Ok(())
    }
}

fn answer(library: Library, head: Head, request: &[u8], replies: &Mutex<Arc<File>>) {
    let reply = library.call_as(request, head.code.unsigned_abs());
    let (code, bytes) = match reply.bytes {
        Ok(bytes) => (reply.status, bytes),
        Err(problem) => (UNUSABLE, problem.into_bytes()),
    };
    // One reply after the other.
    let channel = replies.lock().unwrap_or_else(PoisonError::into_inner);
    if frames::write(&mut &**channel, head.id, code, &bytes).is_err() {
        // Nobody listens any more.
        end(1);
    }
}

/// At once: what the plugin may have registered to run at the end might not come to one.
fn end(code: i32) -> ! {
    // SAFETY: a number; nothing of this process is looked at afterwards.
    unsafe { libc::_exit(code) }
}

/// In place of a status: what the plugin gave back is no buffer, and the bytes say why.
pub(super) const UNUSABLE: i32 = i32::MIN;
