//! Compiling in a process of its own. A long-lived process keeps what a compiler needs for a moment, half of what it needs
//! itself; and a component that makes the compiler fail takes only that process with it.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use crate::HostError;

/// The largest components take ten seconds on a slow machine.
const DEADLINE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(10);
const MAX_MESSAGE_BYTES: u64 = 4 << 10;

/// Has `PROGRAM precompile FILE --cache DIR` put the compiled component into the store at `dir`.
///
/// # Errors
/// [`HostError::InvalidComponent`] with what the program said, or that it took too long; [`HostError::Cache`] when it cannot be run.
pub fn compile(program: &Path, dir: &Path, wasm: &[u8]) -> Result<(), HostError> {
    let mut component = tempfile::NamedTempFile::new_in(dir).map_err(HostError::Cache)?;
    component.write_all(wasm).map_err(HostError::Cache)?;
    let mut command = Command::new(program);
    command.arg("precompile").arg(component.path()).arg("--cache").arg(dir);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(HostError::Cache)?;
    let ended = wait(&mut child).map_err(HostError::Cache)?;
    let reason = match ended {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("its compilation ended with {status}: {}", message(&mut child)),
        None => format!("its compilation took longer than {} s", DEADLINE.as_secs()),
    };
    Err(HostError::InvalidComponent { reason })
}

/// `None` when its time was up; it is ended then.
fn wait(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    while begin.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// The program writes a line or two, which a pipe holds until it is read.
fn message(child: &mut Child) -> String {
    let mut bytes = Vec::new();
    if let Some(errors) = child.stderr.take() {
        // What cannot be read is not told.
        let _ = errors.take(MAX_MESSAGE_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
