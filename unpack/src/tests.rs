//! Archives that somebody made to harm us, and some that nobody did.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

/// One tar entry, byte by byte: what libraries refuse to write is what is to be tested.
struct Entry {
    header: Header,
    content: Vec<u8>,
}

fn entry(kind: u8, name: impl AsRef<[u8]>, link: impl AsRef<[u8]>, content: &[u8]) -> Entry {
    let (name, link) = (name.as_ref(), link.as_ref());
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_entry_type(EntryType::new(kind));
    let raw = header.as_mut_bytes();
    raw[..name.len()].copy_from_slice(name);
    raw[157..157 + link.len()].copy_from_slice(link);
    header.set_cksum();
    Entry { header, content: content.to_vec() }
}

fn file(name: impl AsRef<[u8]>) -> Entry {
    entry(b'0', name, "", b"hello")
}

fn dir(name: &str) -> Entry {
    entry(b'5', name, "", b"")
}

fn symlink(name: &str, target: &str) -> Entry {
    entry(b'2', name, target, b"")
}

fn hard_link(name: &str, target: &str) -> Entry {
    entry(b'1', name, target, b"")
}

fn long_name(name: impl AsRef<[u8]>) -> Entry {
    entry(b'L', "././@LongLink", "", name.as_ref())
}

fn long_link(name: &str) -> Entry {
    entry(b'K', "././@LongLink", "", name.as_bytes())
}

fn pax(kind: u8, records: &[(&str, &str)]) -> Entry {
    let mut text = String::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        // The length counts itself.
        let length = (1..6).map(|digits| rest + digits).find(|length| length.to_string().len() + rest == *length).unwrap();
        text += &format!("{length} {key}={value}\n");
    }
    entry(kind, "PaxHeaders/x", "", text.as_bytes())
}

fn with(mut entry: Entry, change: impl FnOnce(&mut Header)) -> Entry {
    change(&mut entry.header);
    entry.header.set_cksum();
    entry
}

fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(entry.header.as_bytes());
        bytes.extend_from_slice(&entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A destination beside things that must stay as they are.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("dest")).unwrap();
        fs::write(folder.path().join("canary"), "untouched").unwrap();
        Self { folder }
    }

    fn dest(&self) -> PathBuf {
        self.folder.path().join("dest")
    }

    fn unpack(&self, archive: &[u8], limits: UnpackLimits) -> Result<Unpacked, UnpackError> {
        let result = unpack(archive, &self.dest(), limits, &AtomicBool::new(false));
        self.assert_untouched();
        result
    }

    /// Nothing beside the destination changed, and everything in it is a file, a directory or a link that stays inside.
    fn assert_untouched(&self) {
        let mut names: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["canary", "dest"]);
        assert_eq!(fs::read_to_string(self.folder.path().join("canary")).unwrap(), "untouched");
        let root = self.dest().canonicalize().unwrap();
        for entry in walkdir::WalkDir::new(&root) {
            let entry = entry.unwrap();
            let kind = entry.file_type();
            assert!(kind.is_file() || kind.is_dir() || kind.is_symlink(), "{} is something else", entry.path().display());
            if let (true, Ok(target)) = (kind.is_symlink(), entry.path().canonicalize()) {
                assert!(target.starts_with(&root), "{} leads to {}", entry.path().display(), target.display());
            }
        }
    }
}

fn reason(archive: &[u8]) -> String {
    match Place::new().unpack(archive, UnpackLimits::default()) {
        Err(UnpackError::Rejected { entry, reason }) => entry.map(|entry| format!("{entry} ")).unwrap_or_default() + &reason,
        other => panic!("should have been rejected: {other:?}"),
    }
}

#[test]
fn hostile_archives_are_refused_and_change_nothing_outside() {
    let deep = vec!["d"; 65].join("/");
    let long = "n".repeat(300);
    let longer = format!("{}/f", vec!["p".repeat(200); 6].join("/"));
    let cases: Vec<(&str, Vec<Entry>, &str)> = vec![
        ("parent", vec![file("../canary")], "has `..` in its path"),
        ("parent inside", vec![file("a/../../canary")], "has `..` in its path"),
        ("parent that stays inside", vec![file("a/../b")], "has `..` in its path"),
        ("parent at the end", vec![file("a/..")], "has `..` in its path"),
        ("parent alone", vec![dir("..")], "has `..` in its path"),
        ("absolute", vec![file("/tmp/canary")], "has an absolute path"),
        ("absolute with slashes", vec![file("//tmp/canary")], "has an absolute path"),
        ("absolute directory", vec![dir("/")], "has an absolute path"),
        ("nul in name is its end", vec![file(b"..\0x".as_slice())], "has `..` in its path"),
        ("control character", vec![file("a\nb")], "control character"),
        ("escape sequence", vec![file("a\x1b[2J")], "control character"),
        ("not UTF-8", vec![file(b"a\xff\xfe".as_slice())], "not UTF-8"),
        ("no name", vec![file("")], "has no name"),
        ("the root as a file", vec![file(".")], "has no name"),
        ("long name by GNU", vec![long_name("../canary"), file("a")], "has `..` in its path"),
        ("long absolute name by GNU", vec![long_name("/tmp/x"), file("a")], "has an absolute path"),
        ("long name with nul by GNU", vec![long_name(b"../canary\0".as_slice()), file("a")], "has `..` in its path"),
        ("long name by PAX", vec![pax(b'x', &[("path", "../canary")]), file("a")], "has `..` in its path"),
        ("absolute name by PAX", vec![pax(b'x', &[("path", "/tmp/x")]), file("a")], "has an absolute path"),
        ("PAX over GNU", vec![long_name("fine"), pax(b'x', &[("path", "../canary")]), file("a")], "has `..` in its path"),
        ("empty PAX path", vec![pax(b'x', &[("path", "")]), file("a")], "has no name"),
        ("global PAX path", vec![pax(b'g', &[("path", "../canary")]), file("a")], "is not supported"),
        ("global PAX link", vec![pax(b'g', &[("linkpath", "/etc")]), symlink("a", "b")], "is not supported"),
        ("PAX size", vec![pax(b'x', &[("size", "1024")]), file("a")], "is not supported"),
        ("malformed PAX", vec![entry(b'x', "p", "", b"9999 path=x\n"), file("a")], "malformed"),
        ("PAX sparse", vec![pax(b'x', &[("GNU.sparse.major", "1")]), file("a")], "sparse"),
        ("GNU sparse", vec![entry(b'S', "a", "", b"")], "a sparse file"),
        ("huge long name", vec![entry(b'L', "x", "", &vec![b'a'; 70_000]), file("a")], "too long"),
        ("huge PAX header", vec![entry(b'x', "x", "", &vec![b'a'; 70_000]), file("a")], "too long"),
        ("extension without entry", vec![long_name("a")], "ends where an entry should begin"),
        ("symlink out", vec![symlink("a", "../canary")], "points outside"),
        ("symlink out of a folder", vec![symlink("a/b/c", "../../../canary")], "points outside"),
        ("symlink absolute", vec![symlink("a", "/etc/passwd")], "absolute path"),
        ("symlink through a link", vec![symlink("x", "."), symlink("y", "x/x/../..")], "in the middle"),
        ("symlink to nothing", vec![symlink("a", "")], "link to nothing"),
        ("symlink out by GNU", vec![long_link("../../etc"), symlink("a", "b")], "points outside"),
        ("symlink out by PAX", vec![pax(b'x', &[("linkpath", "../canary")]), symlink("a", "b")], "points outside"),
        ("write through a link", vec![dir("d"), symlink("a", "d"), file("a/b")], "goes through a link"),
        ("write through a link to the root", vec![symlink("a", "."), file("a/b")], "goes through a link"),
        ("directory through a link", vec![dir("d"), symlink("a", "d"), dir("a/b")], "goes through a link"),
        ("link instead of a directory", vec![file("d/x"), symlink("d", ".")], "takes the place of a directory"),
        ("file instead of a directory", vec![file("d/x"), file("d")], "takes the place of a directory"),
        ("directory instead of a link", vec![dir("d"), symlink("a", "d"), dir("a")], "goes through a link"),
        ("file below a file", vec![file("a"), file("a/b")], "goes through a link or a file"),
        ("hard link out", vec![hard_link("a", "../canary")], "has `..` in its path"),
        ("hard link absolute", vec![hard_link("a", "/etc/passwd")], "absolute path"),
        ("hard link to nothing there", vec![hard_link("a", "b")], "not in the archive before it"),
        ("hard link below nothing there", vec![hard_link("a", "b/c/d")], "not in the archive before it"),
        ("hard link to a link", vec![file("f"), symlink("l", "f"), hard_link("a", "l")], "no file"),
        ("hard link to a directory", vec![dir("d"), hard_link("a", "d")], "no file"),
        ("hard link through a link", vec![file("d/f"), symlink("l", "d"), hard_link("a", "l/f")], "goes through a link"),
        ("hard link to itself", vec![file("a"), hard_link("a", "a")], "itself"),
        ("character device", vec![entry(b'3', "a", "", b"")], "is a device"),
        ("block device", vec![entry(b'4', "a", "", b"")], "is a device"),
        ("named pipe", vec![entry(b'6', "a", "", b"")], "is a named pipe"),
        ("unknown kind", vec![entry(b'Z', "a", "", b"")], "unknown kind"),
        ("volume label", vec![entry(b'V', "a", "", b"")], "unknown kind"),
        ("too deep", vec![long_name(&deep), file("a")], "nested too deeply"),
        ("name too long", vec![long_name(&long), file("a")], "name that is too long"),
        ("path too long", vec![long_name(&longer), file("a")], "path that is too long"),
        ("size beyond the archive", vec![with(file("a"), |header| header.set_size(1 << 40))], "damaged"),
        ("largest size there is", vec![with(file("a"), |header| header.set_size(u64::MAX))], ""),
    ];
    assert!(cases.len() >= 60);
    for (what, entries, expected) in cases {
        let reason = reason(&gzip(&tar(&entries)));
        assert!(reason.contains(expected), "{what}: {reason:?} does not say {expected:?}");
        assert!(!reason.chars().any(char::is_control), "{what}: {reason:?}");
    }
}

#[test]
fn what_is_no_archive_is_refused() {
    assert!(reason(b"").contains("incomplete"));
    assert!(reason(b"PK\x03\x04 a zip file").contains("not a gzip-compressed tar archive"));
    assert!(reason(&tar(&[file("a")])).contains("not a gzip-compressed tar archive"));
    assert!(!reason(&gzip(&[7; 5000])).is_empty());
    let whole = gzip(&tar(&[entry(b'0', "a", "", &(0..200_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<_>>())]));
    assert!(reason(&whole[..whole.len() / 2]).contains("incomplete"));
    let mut damaged = tar(&[file("a")]);
    damaged[0] ^= 1;
    assert!(!reason(&gzip(&damaged)).is_empty());
}

#[test]
fn an_ordinary_archive_is_unpacked_as_it_is() {
    let place = Place::new();
    let archive = gzip(&tar(&[
        pax(b'g', &[("comment", "0123")]),
        dir("./"),
        file("./package.json"),
        with(entry(b'0', "bin/run", "", b"#!/bin/sh\n"), |header| header.set_mode(0o6775)),
        with(file("private"), |header| header.set_mode(0o600)),
        symlink("node_modules/.bin/x", "../x/cli.js"),
        symlink("here", "."),
        hard_link("copy.json", "package.json"),
        long_name(format!("{}/f", "long".repeat(50))),
        file("cut"),
        pax(b'x', &[("path", "ünï/cödé"), ("mtime", "1.5")]),
        file("cut"),
        entry(b'0', "package.json", "", b"newer"),
        entry(0, "old-style/", "", b""),
    ]));
    let unpacked = place.unpack(&archive, UnpackLimits::default()).unwrap();
    let read = |path: &str| fs::read_to_string(place.dest().join(path)).unwrap();
    assert_eq!(read("package.json"), "newer");
    assert_eq!(read("copy.json"), "hello", "a later file of the same name does not write through the link");
    assert_eq!(read("ünï/cödé"), "hello");
    assert_eq!(read(&format!("{}/f", "long".repeat(50))), "hello");
    assert!(place.dest().join("old-style").is_dir());
    assert_eq!(fs::read_link(place.dest().join("node_modules/.bin/x")).unwrap(), Path::new("../x/cli.js"));
    assert_eq!(mode(&place.dest().join("bin/run")), 0o755, "no set-user-id");
    assert_eq!(mode(&place.dest().join("private")), 0o644);
    assert_eq!(unpacked.entries, 14);
}

#[test]
fn files_keep_their_times_where_the_archive_has_some() {
    use std::time::UNIX_EPOCH;
    let place = Place::new();
    let at = |name: &str, seconds: u64| with(file(name), move |header| header.set_mtime(seconds));
    let archive = gzip(&tar(&[at("known", 1_700_000_000), at("none", 0), at("far", u64::MAX >> 30)]));
    place.unpack(&archive, UnpackLimits::default()).unwrap();
    let modified = |name: &str| fs::metadata(place.dest().join(name)).unwrap().modified().unwrap();
    assert_eq!(modified("known"), UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let age = modified("none").elapsed().unwrap_or_default();
    assert!(age < Duration::from_secs(60), "a file without a time is new: {age:?}");
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn bombs_stop_at_their_limits_soon() {
    let zeros = |bytes: usize| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(with(file("zeros"), |header| header.set_size(bytes as u64)).header.as_bytes()).unwrap();
        let block = vec![0; 1 << 20];
        for _ in 0..bytes >> 20 {
            gzip.write_all(&block).unwrap();
        }
        gzip.finish().unwrap()
    };
    let started = Instant::now();
    assert!(reason(&zeros(200 << 20)).contains("more than 100 times its size"));

    let tight = UnpackLimits { total_bytes: 8 << 20, ratio: 10_000, ..UnpackLimits::default() };
    let place = Place::new();
    let error = place.unpack(&zeros(64 << 20), tight).unwrap_err();
    assert!(error.to_string().contains("more than 8 MiB"), "{error}");
    assert!(fs::metadata(place.dest().join("zeros")).unwrap().len() <= 8 << 20);

    let few = UnpackLimits { entries: 100, ..UnpackLimits::default() };
    let many: Vec<_> = (0..101).map(|number| file(format!("{number}"))).collect();
    assert!(Place::new().unpack(&gzip(&tar(&many)), few).unwrap_err().to_string().contains("more than 100 entries"));
    // Directories that a path implies count as well.
    let implied: Vec<_> = (0..20).map(|number| file(format!("{number}/a/b/c/d/e/f"))).collect();
    assert!(Place::new().unpack(&gzip(&tar(&implied)), few).unwrap_err().to_string().contains("more than 100 files"));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_repetitive_but_small_source_is_no_bomb() {
    let many: Vec<_> = (0..500).map(|number| entry(b'0', format!("{number}"), "", &[b'a'; 4096])).collect();
    Place::new().unpack(&gzip(&tar(&many)), UnpackLimits::default()).unwrap();
}

#[test]
fn unpacking_stops_when_told_to() {
    let place = Place::new();
    let result = unpack(gzip(&tar(&[file("a")])).as_slice(), &place.dest(), UnpackLimits::default(), &AtomicBool::new(true));
    assert!(matches!(result, Err(UnpackError::Canceled)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_neither_panic_nor_escape(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let place = Place::new();
        let _ = place.unpack(&bytes, UnpackLimits::default());
        let _ = place.unpack(&gzip(&bytes), UnpackLimits::default());
    }

    /// Headers that are well-formed, with names and kinds at random, in any order.
    #[test]
    fn random_entries_neither_panic_nor_escape(
        entries in proptest::collection::vec(
            (prop_oneof![Just(b'0'), Just(b'1'), Just(b'2'), Just(b'5'), Just(b'L'), Just(b'K'), any::<u8>()],
             "(\\.|\\.\\.|a|b|c)(/(\\.|\\.\\.|a|b|c)){0,3}",
             "(/|)(\\.|\\.\\.|a|b|c)(/(\\.|\\.\\.|a|b|c)){0,3}"),
            0..12,
        )
    ) {
        // Each prefix that is accepted must be harmless, not only the whole.
        let entries: Vec<_> = entries.iter().map(|(kind, name, link)| {
            let content: &[u8] = if matches!(kind, b'L' | b'K') { link.as_bytes() } else if *kind == b'0' { b"x" } else { b"" };
            entry(*kind, name, link, content)
        }).collect();
        for end in 0..=entries.len() {
            let _ = Place::new().unpack(&gzip(&tar(&entries[..end])), UnpackLimits::default());
        }
    }
}
