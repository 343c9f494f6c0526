//! What a plugin's process takes from itself before it loads any of the plugin's code. Nothing here can be taken back.
//!
//! Each measure stands alone: another user, so that other processes are out of reach; limits on memory, files and threads;
//! Landlock, which leaves nothing of the file system but the machine's shared libraries and nothing of the network; and a filter
//! on system calls, without which a process could still be forked, another program be run or a socket be made.

use std::{collections::BTreeMap, io};

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules};
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};

use super::Limits;

/// Where the dynamic linker finds what a library is linked against.
const LIBRARIES: [&str; 6] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache"];
/// Address space may be reserved without being used, up to this.
const ADDRESS_SPACE: u64 = 4 << 30;

/// Every descriptor that the process was given by accident. Those below `first` stay.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: the numbers are of descriptors that nothing in this process owns yet.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// # Errors
/// When the process would keep a right that it must not have.
pub(super) fn confine(limits: Limits, user: u32) -> Result<(), String> {
    let with = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    // SAFETY: prctl with constants.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into()).map_err(with("no new privileges"))?;
    // The first to go when the machine runs out of memory. Where that cannot be said, nothing is lost but a preference.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let is_another = drop_privileges(user).map_err(with("another user"))?;
    limit(limits, is_another).map_err(with("limits"))?;
    // SAFETY: as above. After the change of user, which sets it too.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }.into()).map_err(with("memory that others may not read"))?;
    let has_landlock = restrict_files().map_err(|error| format!("Landlock: {error}"))?;
    if !is_another && !has_landlock {
        return Err("this kernel has no Landlock and the platform does not run as root, so the plugin could read the platform's own \
             files; use the plugin's WebAssembly form"
            .into());
    }
    filter_calls().map_err(|error| format!("the filter on system calls: {error}"))
}

/// `false`: this process may not choose who it is.
fn drop_privileges(user: u32) -> io::Result<bool> {
    // SAFETY: none of these takes a pointer but the first, whose list is empty.
    unsafe {
        if libc::geteuid() != 0 {
            return Ok(false);
        }
        check(libc::setgroups(0, std::ptr::null()).into())?;
        check(libc::setresgid(user, user, user).into())?;
        check(libc::setresuid(user, user, user).into())?;
    }
    Ok(true)
}

fn limit(limits: Limits, is_another: bool) -> io::Result<()> {
    let set = |resource, most: u64| {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: the limit is a live value.
        check(unsafe { libc::setrlimit(resource, &raw const limit) }.into())
    };
    set(libc::RLIMIT_CORE, 0)?;
    set(libc::RLIMIT_FSIZE, 0)?;
    set(libc::RLIMIT_MEMLOCK, 0)?;
    set(libc::RLIMIT_MSGQUEUE, 0)?;
    set(libc::RLIMIT_NOFILE, limits.open_files)?;
    set(libc::RLIMIT_DATA, limits.memory_bytes)?;
    set(libc::RLIMIT_AS, ADDRESS_SPACE.max(limits.memory_bytes))?;
    if is_another {
        // Counted per user: with the platform's own it would count the platform's threads.
        set(libc::RLIMIT_NPROC, limits.threads)?;
    }
    // Each thread would reserve an arena of 64 MiB.
    #[cfg(target_env = "gnu")]
    // SAFETY: a number for a number.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
    Ok(())
}

/// `false`: this kernel cannot.
fn restrict_files() -> Result<bool, landlock::RulesetError> {
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V5))?
        .handle_access(AccessNet::from_all(ABI::V5))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(path_beneath_rules(LIBRARIES, AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir))?
        .restrict_self()?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// System calls that no plugin has a use for, and that lead out of the process or cost more than its limits count.
const REFUSED: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_shmget,
    libc::SYS_semget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_inotify_init1,
    libc::SYS_fanotify_init,
];

fn filter_calls() -> Result<(), seccompiler::Error> {
    let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    // A thread is made like a process, save for this flag.
    let thread = u64::try_from(libc::CLONE_THREAD).unwrap_or_default();
    let is_process = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(thread), 0)?;
    refused.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_process])?]);
    // A signal to a thread of this process is how it aborts; to another's it is not.
    let own = u64::from(std::process::id());
    let is_foreign = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, own)?;
    refused.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![is_foreign])?]);
    install(refused, errno(libc::EPERM))?;
    // Its flags lie in memory, where a filter cannot look. Who is told that there is no such call uses the older one.
    install(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), errno(libc::ENOSYS))
}

fn install(rules: BTreeMap<i64, Vec<SeccompRule>>, then: SeccompAction) -> Result<(), seccompiler::Error> {
    let here = std::env::consts::ARCH.try_into()?;
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, then, here)?.try_into()?;
    seccompiler::apply_filter(&program)
}

fn check(answer: libc::c_long) -> io::Result<()> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
