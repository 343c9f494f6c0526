//! What went wrong, for the person whose app it is. The cause in the words of programs goes to the agent's own log.

use std::io;

use slipway_protocol::TaskFailure;

use crate::{
    blob::BlobError,
    docker::buildkit::{BuildError, PullError, Vertex},
};

use super::progress::{Readable, readable};

/// The node's disk did not do it.
pub fn disk(error: &io::Error) -> TaskFailure {
    tracing::error!(%error, "cannot write a source");
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return disk_full();
    }
    TaskFailure::new("NODE_FAULT", "the node cannot write to its disk").fix("Tell the platform's administrator.")
}

pub fn disk_full() -> TaskFailure {
    TaskFailure::new("NODE_DISK_FULL", "the node has too little disk space left for this build")
        .fix("Make the app or its dependencies smaller, or tell the platform's administrator.")
}

pub fn from_blob(error: &BlobError) -> TaskFailure {
    tracing::warn!(%error, "cannot fetch a blob");
    match error {
        BlobError::TooLarge { max_bytes, .. } => {
            TaskFailure::new("SOURCE_TOO_LARGE", format!("the archive is larger than {} MiB", max_bytes >> 20))
                .fix("Leave out dependencies and generated files.")
        }
        BlobError::NotFound(_) => {
            TaskFailure::new("SOURCE_MISSING", "the uploaded source is no longer there").fix("Upload the source again and deploy that.")
        }
        BlobError::WrongContent { .. } => TaskFailure::new("SOURCE_DAMAGED", "the uploaded source was damaged on its way to the node")
            .fix("Deploy again; if it happens again, upload the source again."),
        BlobError::Unreachable { .. } => TaskFailure::new("SOURCE_UNREACHABLE", "the node could not fetch the file from the control plane")
            .fix("Deploy again in a moment."),
        BlobError::Write { source, .. } => disk(source),
    }
}

pub fn docker_unavailable(reason: &str) -> TaskFailure {
    tracing::error!(reason, "the Docker engine does not answer");
    TaskFailure::new("DOCKER_UNAVAILABLE", "the Docker engine of the node does not answer")
        .fix("Deploy again; if it happens again, tell the platform's administrator.")
}

pub fn from_pull(error: PullError, image: &str) -> TaskFailure {
    match error {
        PullError::Unreachable(reason) => docker_unavailable(&reason),
        PullError::NotFound => {
            TaskFailure::new("IMAGE_NOT_FOUND", format!("there is no image `{image}`, or it may not be read without signing in"))
                .fix("Check the image's name and tag, and that its registry gives it to everybody.")
        }
        PullError::Failed(reason) => {
            tracing::warn!(image, reason, "cannot pull");
            TaskFailure::new("IMAGE_PULL_FAILED", format!("the image `{image}` could not be fetched: {}", one_line(&reason)))
                .fix("Deploy again in a moment; if it happens again, check that the registry can be reached from the node.")
        }
    }
}

/// Why a build failed: the engine's error, and the step that it failed in.
pub fn from_build(error: BuildError, failed: Option<&Vertex>) -> TaskFailure {
    let message = match error {
        BuildError::Unreachable(error) => return docker_unavailable(&error.to_string()),
        BuildError::Interrupted(reason) => {
            tracing::error!(reason, "a build was interrupted");
            return TaskFailure::new("BUILD_INTERRUPTED", "the build was interrupted on the node").fix("Deploy again.");
        }
        BuildError::Failed(message) => message,
    };
    tracing::info!(message, vertex = failed.map(|vertex| vertex.name.as_str()), "a build failed");
    let lower = message.to_ascii_lowercase();
    if lower.contains("no space left on device") {
        return disk_full();
    }
    let name = failed.map_or("", |vertex| vertex.name.as_str());
    if let Some(image) = name.strip_prefix("[internal] load metadata for ") {
        return base_image(image);
    }
    if let Some(image) = name.strip_prefix("resolve image config for ") {
        let image = image.trim_start_matches("docker-image://");
        return TaskFailure::new(
            "BASE_IMAGE_UNAVAILABLE",
            format!("the Dockerfile's `# syntax=` line asks for `{image}`, which the node cannot fetch"),
        )
        .fix("Remove the `# syntax=` line: the frontend that is built into the engine is used then.");
    }
    if let Some((_, rest)) = message.split_once("dockerfile parse error") {
        let mut failure = TaskFailure::new(
            "DOCKERFILE_INVALID",
            format!("the Dockerfile cannot be read: {}", one_line(rest.trim_start_matches([' ', ':']))),
        )
        .fix("Correct the Dockerfile; `docker build .` shows the same error.");
        failure.line = line_number(rest);
        return failure;
    }
    let exit_code = exit_code(&message);
    let step = readable(name);
    match exit_code {
        Some(code) => command_failed(&step, code),
        None if is_missing_file(&lower) => TaskFailure::new(
            "COPY_SOURCE_MISSING",
            format!("{}: a file that is to be copied is not there ({})", step.instruction(), one_line(&tail(&message))),
        )
        .fix("Check the path, and that neither `.dockerignore` nor `.gitignore` leaves the file out."),
        None if failed.is_some() => {
            TaskFailure::new("BUILD_FAILED", format!("{} failed: {}", step.instruction(), one_line(&tail(&message))))
                .fix("The end of the build log says more.")
        }
        None => TaskFailure::new("BUILD_FAILED", format!("the build could not be done: {}", one_line(&tail(&message))))
            .fix("Correct what the message names; for a Dockerfile, `docker build .` shows the same error."),
    }
}

fn base_image(image: &str) -> TaskFailure {
    let image = image.strip_prefix("docker.io/library/").or_else(|| image.strip_prefix("docker.io/")).unwrap_or(image);
    TaskFailure::new("BASE_IMAGE_UNAVAILABLE", format!("the base image `{image}` is not on the node and cannot be fetched"))
        .fix("Check its name and tag; if they are right, its registry cannot be reached from the node: try again later or tell the platform's administrator.")
}

fn command_failed(step: &Readable, code: i64) -> TaskFailure {
    let (how, fix) = match code {
        137 => (
            "was killed (exit code 137), most likely because it needed more memory than a build may use".to_owned(),
            "Make the build need less memory, for example by limiting its parallel work.",
        ),
        126 => ("could not be executed (exit code 126)".to_owned(), "Check that the file is executable and made for this platform."),
        127 => ("was not found (exit code 127)".to_owned(), "Check that the program is installed in the build: the log names it."),
        code if code > 128 => (format!("was ended by signal {} (exit code {code})", code - 128), "The end of the build log says more."),
        code => (
            format!("ended with exit code {code}"),
            "The end of the build log says why; the same command fails in the same way on another machine.",
        ),
    };
    let mut failure = TaskFailure::new("BUILD_COMMAND_FAILED", format!("the command `{}`{} {how}", step.command, step.place())).fix(fix);
    failure.exit_code = Some(code);
    failure
}

/// `… exit code: 3` (20.10 and later alike).
fn exit_code(message: &str) -> Option<i64> {
    let (_, rest) = message.rsplit_once("exit code: ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// `… line 3: unknown instruction …`, with `on` before it in newer engines.
fn line_number(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("line ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn is_missing_file(lower: &str) -> bool {
    lower.contains("failed to compute cache key")
        || lower.contains("failed to calculate checksum")
        || lower.contains("no such file or directory")
}

/// The innermost cause: engines put `failed to solve with frontend dockerfile.v0: failed to …:` in front.
fn tail(message: &str) -> String {
    let mut rest = message;
    while let Some((head, after)) = rest.split_once(": ") {
        let wrapper = [
            "failed to solve",
            "rpc error",
            "failed to build LLB",
            "failed to create LLB definition",
            "failed to compute cache key",
            "failed to read dockerfile",
        ];
        if !wrapper.iter().any(|text| head.starts_with(text)) {
            break;
        }
        rest = after;
    }
    rest.to_owned()
}

/// Another's text for ours: printable, and short.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match text.char_indices().nth(500) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vertex(name: &str) -> Vertex {
        Vertex { digest: "d".into(), name: name.into(), cached: false, started: true, took: None, error: "x".into() }
    }

    fn failure(message: &str, name: &str) -> TaskFailure {
        from_build(BuildError::Failed(message.into()), Some(&vertex(name)))
    }

    #[test]
    fn a_failed_command_is_named_with_its_exit_code() {
        for message in [
            "executor failed running [/bin/sh -c npm run build]: exit code: 3",
            "process \"/bin/sh -c npm run build\" did not complete successfully: exit code: 3",
        ] {
            let failure = failure(message, "[step-build 4/4] RUN npm run build");
            assert_eq!((failure.code.as_str(), failure.exit_code), ("BUILD_COMMAND_FAILED", Some(3)));
            assert_eq!(failure.message, "the command `npm run build` in the step `build` ended with exit code 3");
        }
    }

    #[test]
    fn a_killed_command_is_said_to_have_lacked_memory() {
        assert!(failure("executor failed running [x]: exit code: 137", "[2/2] RUN x").message.contains("more memory"));
    }

    #[test]
    fn a_missing_base_image_is_named_as_the_customer_wrote_it() {
        let failure = failure(
            "failed to solve: docker.io/library/nod:22: pull access denied",
            "[internal] load metadata for docker.io/library/nod:22",
        );
        assert_eq!(failure.code, "BASE_IMAGE_UNAVAILABLE");
        assert_eq!(failure.message, "the base image `nod:22` is not on the node and cannot be fetched");
    }

    #[test]
    fn a_broken_dockerfile_is_shown_with_its_line() {
        let message = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 3: unknown instruction: RUNN";
        let failure = from_build(BuildError::Failed(message.into()), None);
        assert_eq!((failure.code.as_str(), failure.line), ("DOCKERFILE_INVALID", Some(3)));
        assert_eq!(failure.message, "the Dockerfile cannot be read: line 3: unknown instruction: RUNN");
    }

    #[test]
    fn a_file_that_is_not_in_the_source_is_named() {
        let failure = failure(
            "failed to compute cache key: failed to walk /var/lib/docker/tmp/x: \"/nope\" not found: not found",
            "[2/3] COPY nope /app/",
        );
        assert_eq!(failure.code, "COPY_SOURCE_MISSING");
    }

    #[test]
    fn a_dead_engine_is_no_fault_of_the_app() {
        let error = BuildError::Unreachable(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(from_build(error, None).code, "DOCKER_UNAVAILABLE");
    }
}
