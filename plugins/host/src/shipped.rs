//! Which libraries came with the platform. They are as trusted as its own binary, which lies beside them; any other runs apart.

use std::{collections::BTreeSet, fs, io, path::Path};

/// In the plugin directory of a distribution: `<sha256>  <plugin>/<library>` for each, as `sha256sum` writes it.
pub const SUMS: &str = "SHA256SUMS";

/// The SHA-256 of each library that came with the platform, in lower-case hexadecimal. None where there is no such file.
///
/// # Errors
/// The file is there and cannot be read.
pub fn shipped(directory: &Path) -> io::Result<BTreeSet<String>> {
    let text = match fs::read_to_string(directory.join(SUMS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        read => read?,
    };
    let sums = text.lines().filter_map(|line| line.split_whitespace().next());
    Ok(sums.filter(|sum| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit())).map(str::to_ascii_lowercase).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_sha256sum_writes_them() {
        let directory = tempfile::tempdir().unwrap();
        assert!(shipped(directory.path()).unwrap().is_empty());
        let (one, other) = ("a".repeat(64), "B".repeat(64));
        fs::write(directory.path().join(SUMS), format!("{one}  a/liba.so\n{other} *b/libb.so\n# nothing\nabc  c\n")).unwrap();
        assert_eq!(shipped(directory.path()).unwrap(), BTreeSet::from([one, other.to_lowercase()]));
    }
}
