//! A private PostgreSQL cluster.

use std::{
    fs,
    os::unix::{fs::MetadataExt, fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

/// Where distributions put a directory per version.
const INSTALLATIONS: &str = "/usr/lib/postgresql";
/// Whom the cluster runs as when the tests run as root, whom PostgreSQL refuses.
const UNPRIVILEGED: &str = "nobody";
/// Whom the tests are in the databases: the owner of each, and no superuser, whom row security lets through.
const ORDINARY: &str = "slipway";
const PREFIX: &str = "slipway-postgres-";

/// A running cluster whose data is not worth keeping.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    directory: PathBuf,
}

impl Cluster {
    /// The one that all tests of this process share.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn of_this_process() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    fn start() -> Self {
        remove_leftovers();
        let binaries = newest_installation();
        let directory = scratch().join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir(&directory).expect("a directory for the cluster");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).expect("a private directory");
        let cluster = Self { binaries, directory };
        if runs_as_root() {
            let id = |flag: &str| -> u32 {
                let output = run(Command::new("id").args([flag, UNPRIVILEGED]));
                String::from_utf8_lossy(&output.stdout).trim().parse().expect("a numeric id")
            };
            std::os::unix::fs::chown(&cluster.directory, Some(id("-u")), Some(id("-g"))).expect("a directory of another user's");
        }
        let data = cluster.directory.join("data");
        run(cluster.unprivileged("initdb").arg("-D").arg(&data).args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ]));
        cluster.serve(&data);
        cluster.await_readiness();
        let mut createuser = Command::new(cluster.binaries.join("createuser"));
        run(createuser.arg("-h").arg(&cluster.directory).args(["-U", "postgres", ORDINARY]));
        cluster
    }

    /// Makes a database, and gives the URL that opens it.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn create_database(&self, name: &str) -> String {
        run(Command::new(self.binaries.join("createdb")).arg("-h").arg(&self.directory).args([
            "-U",
            "postgres",
            "-O",
            ORDINARY,
            "-T",
            "template0",
            name,
        ]));
        let host = self.directory.display().to_string().replace('/', "%2F");
        format!("postgres://{ORDINARY}@{host}/{name}")
    }

    /// Removes a database, and whoever is still connected to it.
    pub fn drop_database(&self, name: &str) {
        let mut dropdb = Command::new(self.binaries.join("dropdb"));
        dropdb.arg("-h").arg(&self.directory).args(["-U", "postgres", "--force", "--if-exists", name]);
        // A test has ended, well or not: what cannot be removed goes with the cluster.
        let _ = dropdb.output();
    }

    fn serve(&self, data: &Path) {
        let mut command = self.unprivileged("postgres");
        command.arg("-D").arg(data).arg("-k").arg(&self.directory);
        for setting in ["listen_addresses=", "max_connections=400", "fsync=off", "synchronous_commit=off", "full_page_writes=off"] {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.directory.join("log")).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // The kernel tells the server when the thread that started it ends: this one does so with the process.
        std::thread::spawn(move || {
            let mut server = command.spawn().expect("a PostgreSQL server");
            let _ = server.wait();
        });
    }

    fn await_readiness(&self) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            let mut probe = Command::new(self.binaries.join("pg_isready"));
            probe.arg("-h").arg(&self.directory).args(["-U", "postgres", "-q"]);
            if probe.status().is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("PostgreSQL did not start: {}", fs::read_to_string(self.directory.join("log")).unwrap_or_default());
    }

    /// One of PostgreSQL's programs, as a user that it accepts. It gets SIGINT, which stops a server fast and clean, when the
    /// thread that started it ends.
    fn unprivileged(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if runs_as_root() {
            command.args(["--reuid", UNPRIVILEGED, "--clear-groups", "--regid"]).arg(group());
        }
        command.arg(self.binaries.join(program)).current_dir(&self.directory);
        command
    }
}

fn group() -> String {
    let output = run(Command::new("id").args(["-g", UNPRIVILEGED]));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn runs_as_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// In memory where there is room, because waiting for a disk tells a test nothing.
fn scratch() -> PathBuf {
    const ROOM_BYTES: u64 = 1 << 30;
    let free = Command::new("df").args(["--output=avail", "--block-size=1", "/dev/shm"]).output().ok().and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        text.lines().nth(1)?.trim().parse::<u64>().ok()
    });
    if free.is_some_and(|free| free >= ROOM_BYTES) { PathBuf::from("/dev/shm") } else { std::env::temp_dir() }
}

fn newest_installation() -> PathBuf {
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let versions = fs::read_dir(INSTALLATIONS).into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = versions.filter(|path| path.join("bin/initdb").exists()).max_by_key(version);
    newest.unwrap_or_else(|| panic!("these tests need PostgreSQL's server: none in {INSTALLATIONS}/*/bin")).join("bin")
}

/// Removes the directories of clusters whose process has ended: it could not do that itself when it was killed.
fn remove_leftovers() {
    for entry in fs::read_dir(scratch()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if process.is_some_and(|process| process == std::process::id() || !Path::new("/proc").join(process.to_string()).exists()) {
            // Somebody else may be removing it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} ended with {:?} (signal {:?}): {}",
        output.status.code(),
        output.status.signal(),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
