//! Fetching from a real Git server: `git http-backend` behind a small HTTP server.

mod build_support;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use build_support::Bench;
use slipway_model::BuildConfig;
use slipway_protocol::{Outcome, PlanTask, SourceSpec, TaskSpec};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A folder of repositories, served for as long as it lives. `/private/` wants a password, `/moved/` redirects.
struct Forge {
    folder: tempfile::TempDir,
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Forge {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (root, seen) = (folder.path().to_owned(), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (root, seen) = (root.clone(), Arc::clone(&seen));
                tokio::spawn(async move { answer(stream, &root, &seen).await });
            }
        });
        Self { folder, address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// A repository with one commit of these files on `main`. Gives the commit's id.
    fn repository(&self, name: &str, files: &[(&str, &str)]) -> (PathBuf, String) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--initial-branch=main"]);
        let commit = commit(&path, files, "The first\n\nwith a body");
        (path, commit)
    }
}

fn git(path: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn commit(path: &Path, files: &[(&str, &str)], message: &str) -> String {
    for (name, text) in files {
        let file = path.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    git(path, &["add", "--all", "--force"]);
    git(path, &["commit", "--quiet", "--message", message]);
    git(path, &["rev-parse", "HEAD"])
}

/// One request, by the CGI program that comes with git.
async fn answer(mut stream: TcpStream, root: &Path, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    seen.lock().unwrap().push(target.to_owned());
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()))
    };
    if target.starts_with("/private/") {
        stream.write_all(b"HTTP/1.1 401 no\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.ok()?;
        return Some(());
    }
    if let Some(rest) = target.strip_prefix("/moved/") {
        stream
            .write_all(format!("HTTP/1.1 302 no\r\nLocation: /{rest}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .ok()?;
        return Some(());
    }
    let mut body = vec![0; header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut child = tokio::process::Command::new("git")
        .args(["-c", "safe.directory=*", "http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    stdin.write_all(&body).await.ok()?;
    drop(stdin);
    let output = child.wait_with_output().await.ok()?.stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let (cgi, content) = output.split_at(end);
    let cgi = String::from_utf8_lossy(cgi).into_owned();
    let status = cgi.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let kept: String =
        cgi.lines().filter(|line| !line.starts_with("Status: ") && !line.is_empty()).map(|line| format!("{line}\r\n")).collect();
    stream
        .write_all(format!("HTTP/1.1 {status}\r\n{kept}Content-Length: {}\r\nConnection: close\r\n\r\n", content.len()).as_bytes())
        .await
        .ok()?;
    stream.write_all(content).await.ok()
}

fn plan_of(url: &str, branch: &str, commit: Option<&str>) -> TaskSpec {
    let source = SourceSpec::Git { url: url.parse().unwrap(), branch: branch.parse().unwrap(), commit: commit.map(Into::into) };
    TaskSpec::Plan(PlanTask { source, config: BuildConfig::default(), buildpacks: vec![] })
}

fn bench() -> Bench {
    Bench::with(|config| {
        config.allow_private_sources = true;
        config.fetch_time = Duration::from_secs(20);
    })
}

/// There are no buildpacks in these tests, so a source that was fetched ends in `NO_BUILDPACK`.
async fn fetched(bench: &Bench, url: &str, branch: &str, commit: Option<&str>) -> (String, String) {
    let ran = bench.run(&bench.task(plan_of(url, branch, commit))).await;
    (ran.failure().code.clone(), ran.log())
}

#[tokio::test]
async fn the_newest_commit_of_a_branch_is_fetched() {
    let forge = Forge::new().await;
    let (path, first) = forge.repository("app", &[("a.txt", "one"), ("sub/b.txt", "two")]);
    let (code, log) = fetched(&bench(), &forge.url("app"), "main", None).await;
    assert_eq!(code, "NO_BUILDPACK", "{log}");
    assert!(log.contains(&format!("Commit {}: The first", &first[..12])), "{log}");

    let second = commit(&path, &[("a.txt", "changed")], "The second");
    let (_, log) = fetched(&bench(), &forge.url("app"), "main", None).await;
    assert!(log.contains(&format!("Commit {}: The second", &second[..12])), "{log}");
    let (_, log) = fetched(&bench(), &forge.url("app"), "main", Some(&first)).await;
    assert!(log.contains(&format!("Commit {}: The first", &first[..12])), "{log}");
    git(&path, &["tag", "v1", &first]);
    let (_, log) = fetched(&bench(), &forge.url("app"), "v1", None).await;
    assert!(log.contains(&first[..12]), "{log}");
}

#[tokio::test]
async fn what_cannot_be_fetched_is_told_apart() {
    let forge = Forge::new().await;
    let (_, _) = forge.repository("app", &[("a", "a")]);
    let absent = "0123456789012345678901234567890123456789";
    for (url, branch, commit, code) in [
        (forge.url("app"), "nope", None, "BRANCH_NOT_FOUND"),
        (forge.url("app"), "main", Some(absent), "COMMIT_NOT_FOUND"),
        (forge.url("app"), "main", Some("main^{commit}"), "COMMIT_NOT_FOUND"),
        (forge.url("none"), "main", None, "SOURCE_UNREACHABLE"),
        (forge.url("private/app"), "main", None, "SOURCE_FORBIDDEN"),
        (forge.url("moved/app"), "main", None, "SOURCE_UNREACHABLE"),
        ("http://127.0.0.1:1/app".into(), "main", None, "SOURCE_UNREACHABLE"),
        ("http://no-such-host.invalid/app".into(), "main", None, "SOURCE_UNREACHABLE"),
        ("ssh://git@127.0.0.1/app".into(), "main", None, "SOURCE_FORBIDDEN"),
    ] {
        let ran = bench();
        let ran = ran.run(&ran.task(plan_of(&url, branch, commit))).await;
        assert_eq!(ran.failure().code, code, "{url} {branch}: {}", ran.failure());
        assert!(ran.failure().fix.is_some(), "{url}");
    }
    assert!(!forge.requests.lock().unwrap().iter().any(|target| target.starts_with("/app/info/refs?service=git-upload-pack&moved")));
}

#[tokio::test]
async fn a_private_address_is_not_even_asked() {
    let forge = Forge::new().await;
    forge.repository("app", &[("a", "a")]);
    let port = forge.address.port();
    let strict = Bench::new();
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let ran = strict.run(&strict.task(plan_of(&format!("http://{host}:{port}/app"), "main", None))).await;
        assert_eq!(ran.failure().code, "SOURCE_FORBIDDEN", "{host}: {}", ran.failure());
    }
    assert!(forge.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn neither_names_nor_content_of_a_repository_run_anything() {
    let forge = Forge::new().await;
    let canary = forge.folder.path().join("canary");
    let touch = format!("touch {}", canary.display());
    let (path, _) = forge.repository(
        "app",
        &[
            (".gitattributes", "* filter=evil diff=evil merge=evil\n"),
            (".gitmodules", &format!("[submodule \"x\"]\n path = x\n url = ext::sh -c {touch}\n update = !{touch}\n")),
            (".githooks/post-checkout", &format!("#!/bin/sh\n{touch}\n")),
            (".gitconfig", &format!("[filter \"evil\"]\n smudge = {touch}\n")),
            ("a", "a"),
        ],
    );
    let bench = bench();
    let url = forge.url("app");
    assert_eq!(fetched(&bench, &url, "main", None).await.0, "NO_BUILDPACK");

    // What the type lets through is still only ever one argument. The type refuses most of these, which is as good.
    let c = canary.display();
    for payload in [
        format!("http://{}/$(touch${{IFS}}{c})", forge.address),
        format!("http://{}/`touch${{IFS}}{c}`", forge.address),
        format!("http://{}/a;touch${{IFS}}{c}", forge.address),
        format!("http://{}/a|touch${{IFS}}{c}", forge.address),
        format!("http://{}/a&&touch${{IFS}}{c}", forge.address),
        format!("http://{}/--upload-pack=touch%20{c}", forge.address),
        format!("http://{}/'\"$(touch%20{c})", forge.address),
        format!("http://{}/a%0atouch%20{c}", forge.address),
        format!("ext::sh -c touch% {c}"),
        format!("--upload-pack=touch {c}"),
        format!("-oProxyCommand=touch {c}"),
        format!("ssh://-oProxyCommand=touch%20{c}/a"),
        format!("ssh://a@-oProxyCommand=touch%20{c}/a"),
        format!("a@-oProxyCommand=touch${{IFS}}{c}:a"),
        format!("a@b:-oProxyCommand=touch${{IFS}}{c}"),
        format!("fd::17/{c}"),
        format!("file://{}/app", forge.folder.path().display()),
        forge.folder.path().join("app").display().to_string(),
    ] {
        if payload.parse::<slipway_model::GitUrl>().is_ok() {
            let (code, log) = fetched(&bench, &payload, "main", None).await;
            assert_ne!(code, "NO_BUILDPACK", "{payload}: {log}");
        }
    }
    for branch in ["--upload-pack=x", "$(touch${IFS}x)", "`touch`", "a;b", "main|x", "-x", "a&b", "a'b", "a\"b"] {
        if branch.parse::<slipway_model::GitRef>().is_ok() {
            assert_eq!(fetched(&bench, &url, branch, None).await.0, "BRANCH_NOT_FOUND", "{branch}");
        }
    }
    drop(path);
    assert!(!canary.exists(), "something was run");
}

#[tokio::test]
async fn a_repository_that_unfolds_to_millions_of_files_is_refused() {
    let forge = Forge::new().await;
    let (path, _) = forge.repository("bomb", &[("a", "a")]);
    // Ten names for one tree, seven times over: ten million files out of a few objects.
    let mut tree = git(&path, &["rev-parse", "HEAD^{tree}"]);
    for _ in 0..7 {
        let listing: String = (0..10).map(|name| format!("040000 tree {tree}\t{name}\n")).collect();
        tree = git_input(&path, &["mktree"], &listing);
    }
    let commit = git(&path, &["commit-tree", &tree, "-m", "bomb"]);
    git(&path, &["update-ref", "refs/heads/main", &commit]);
    let started = std::time::Instant::now();
    let (code, log) = fetched(&bench(), &forge.url("bomb"), "main", None).await;
    assert_eq!(code, "SOURCE_TOO_LARGE", "{log}");
    assert!(started.elapsed() < Duration::from_secs(15));
}

fn git_input(path: &Path, arguments: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("git").args(arguments).current_dir(path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn canceling_a_fetch_leaves_no_git_behind() {
    // A server that takes the connection and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/silent", listener.local_addr().unwrap());
    let bench = bench();
    let task = bench.task(plan_of(&url, "main", None));
    let cancel = tokio_util::sync::CancellationToken::new();
    let stop = async {
        assert!(build_support::within(Duration::from_secs(10), || build_support::is_running(&url)).await, "git never ran");
        cancel.cancel();
    };
    let (ran, ()) = tokio::join!(bench.run_until(&task, cancel.clone(), ""), stop);
    assert_eq!(ran.outcome, Outcome::Canceled);
    assert!(build_support::within(Duration::from_secs(5), || !build_support::is_running(&url)).await, "git still runs");
    assert!(std::fs::read_dir(bench.data.path().join("builds")).unwrap().next().is_none());
}
