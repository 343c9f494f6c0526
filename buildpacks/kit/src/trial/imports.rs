//! What a component asks its host for.
//!
//! The contract itself imports nothing but its types. Languages bring WASI along, of which the host gives a tree, a clock that
//! stands still and randomness that is not random; sockets are there for those languages that cannot be built without, and
//! every use of one fails.

use super::report::{About, Check};

/// Packages that the contract and the languages' own runtimes need.
const KNOWN: [&str; 6] = ["slipway:buildpack/", "wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"];
const CLOSED: &str = "wasi:sockets/";

pub fn check(imports: &[String]) -> Check {
    let of = |prefix: &str| imports.iter().filter(|name| name.starts_with(prefix)).count();
    let strange: Vec<_> =
        imports.iter().filter(|name| !name.starts_with(CLOSED) && KNOWN.iter().all(|known| !name.starts_with(known))).collect();
    if !strange.is_empty() {
        let details = strange.into_iter().cloned().collect();
        return Check::failed(About::Component, "imports", "it asks for what no buildpack gets", details);
    }
    let closed = match of(CLOSED) {
        0 => String::new(),
        count => format!(", and {count} of sockets, which are closed"),
    };
    let open = imports.len() - of(CLOSED);
    Check::passed(About::Component, "imports", format!("{open} interfaces, all of the contract and its sandbox{closed}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Status;

    #[test]
    fn what_is_not_of_the_sandbox_is_named() {
        let imports = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let good = check(&imports(&["slipway:buildpack/types@0.1.0", "wasi:filesystem/types@0.2.6", "wasi:sockets/tcp@0.2.6"]));
        assert_eq!(good.status, Status::Passed);
        assert!(good.message.contains("2 interfaces") && good.message.contains("1 of sockets"), "{}", good.message);
        let bad = check(&imports(&["wasi:http/outgoing-handler@0.2.6", "wasi:cli/stdout@0.2.6"]));
        assert_eq!((bad.status, bad.details), (Status::Failed, vec!["wasi:http/outgoing-handler@0.2.6".to_owned()]));
    }
}
