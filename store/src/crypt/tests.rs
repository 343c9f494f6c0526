use chrono::DateTime;
use slipway_model::{ManualClock, VariableId};

use super::*;

fn keyring(seed: char) -> Keyring {
    Keyring::parse(&Secret::new(format!("1 {}", seed.to_string().repeat(64)))).unwrap()
}

fn clock() -> ManualClock {
    ManualClock::at(DateTime::from_timestamp(1_790_000_000, 0).unwrap())
}

fn place() -> Location<'static> {
    let organization = OrganizationId::from_uuid(Uuid::from_u128(1));
    Location::new("variables", "value_ciphertext", VariableId::from_uuid(Uuid::from_u128(2)), Some(organization))
}

#[test]
fn a_secret_opens_where_it_was_sealed() {
    for text in ["", "hunter2", "ключ", &"x".repeat(100_000)] {
        let sealed = keyring('a').seal(place(), &Secret::new(text));
        assert_eq!(keyring('a').open(place(), &sealed).unwrap().expose(), text);
    }
}

#[test]
fn a_secret_is_never_sealed_the_same_way_twice() {
    let keys = keyring('a');
    assert_ne!(keys.seal(place(), &Secret::new("same")), keys.seal(place(), &Secret::new("same")));
}

#[test]
fn a_secret_that_was_moved_is_refused() {
    let keys = keyring('a');
    let sealed = keys.seal(place(), &Secret::new("mine"));
    let elsewhere = [
        Location { table: "releases", ..place() },
        Location { column: "settings_ciphertext", ..place() },
        Location { row: Row::Id(Uuid::from_u128(3)), ..place() },
        Location { row: Row::Name("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\u{2}"), ..place() },
        Location { organization: Some(OrganizationId::from_uuid(Uuid::from_u128(9))), ..place() },
        Location { organization: None, ..place() },
    ];
    for location in elsewhere {
        assert!(matches!(keys.open(location, &sealed), Err(CryptError::Refused { .. })), "{location:?}");
    }
}

#[test]
fn a_changed_byte_is_refused_wherever_it_is() {
    let keys = keyring('a');
    let sealed = keys.seal(place(), &Secret::new("mine"));
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert!(keys.open(place(), &changed).is_err(), "byte {index}");
    }
    for length in 0..sealed.len() {
        assert!(keys.open(place(), &sealed[..length]).is_err(), "cut to {length}");
    }
}

#[test]
fn another_key_does_not_open() {
    let sealed = keyring('a').seal(place(), &Secret::new("mine"));
    assert!(matches!(keyring('b').open(place(), &sealed), Err(CryptError::Refused { .. })));
}

#[test]
fn the_newest_key_seals_and_the_older_still_open() {
    let old = keyring('a').seal(place(), &Secret::new("mine"));
    let both = Keyring::parse(&Secret::new(format!("2 {}\n1 {}\n", "b".repeat(64), "a".repeat(64)))).unwrap();
    assert_eq!(both.open(place(), &old).unwrap().expose(), "mine");
    let new = both.seal(place(), &Secret::new("mine"));
    assert!(matches!(keyring('a').open(place(), &new), Err(CryptError::UnknownKey { version: 2, .. })));
}

#[test]
fn a_fingerprint_tells_values_apart_within_an_organization_only() {
    let keys = keyring('a');
    let [ours, theirs] = [1, 2].map(|id| OrganizationId::from_uuid(Uuid::from_u128(id)));
    let mark = |organization, text: &str| keys.fingerprint(organization, &Secret::new(text));
    assert_eq!(mark(ours, "x"), mark(ours, "x"));
    assert_ne!(mark(ours, "x"), mark(ours, "y"));
    assert_ne!(mark(ours, "x"), mark(theirs, "x"));
    assert_ne!(mark(ours, "x"), keyring('b').fingerprint(ours, &Secret::new("x")));
}

#[test]
fn a_keyring_does_not_print_its_keys() {
    assert!(!format!("{:?}", keyring('a')).contains("aaaa"));
}

#[test]
fn a_key_file_is_made_once_and_is_private() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let sealed = Keyring::open_or_create(&path, &clock()).unwrap().seal(place(), &Secret::new("mine"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Keyring::open_or_create(&path, &clock()).unwrap().open(place(), &sealed).unwrap().expose(), "mine");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left behind");
}

#[test]
fn of_many_that_make_the_key_file_at_once_all_get_the_same_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let rings: Vec<Keyring> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Keyring::open_or_create(&path, &clock()).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let sealed = rings[0].seal(place(), &Secret::new("mine"));
    for ring in &rings {
        assert_eq!(ring.open(place(), &sealed).unwrap().expose(), "mine");
    }
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    Keyring::open_or_create(&path, &clock()).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Keyring::open_or_create(&path, &clock()).unwrap_err().to_string();
        assert!(error.contains(&format!("mode {mode:o}")) && error.contains("chmod 600"), "{error}");
    }
}

#[test]
fn a_key_file_that_holds_something_else_is_refused() {
    for text in ["", "1", "1 abc", "x 00", &format!("300 {}", "a".repeat(64)), &format!("1 {0}\n1 {0}", "a".repeat(64))] {
        assert!(Keyring::parse(&Secret::new(text)).is_err(), "{text:?}");
    }
}
