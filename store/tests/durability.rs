//! What SQLite acknowledged survives the death of the process: a writer is killed again and again, and every row that it said it
//! had written must be there. Has a main of its own, because the writer is this program once more.

#![allow(clippy::print_stdout, reason = "the writer acknowledges on standard output; the test reports there")]

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use chrono::DateTime;
use slipway_model::{Clock, ManualClock, UserId};
use slipway_store::{
    Db, fetch_one,
    users::{self, User},
};

const KILLS: u64 = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.as_slice() {
        [_, mode, url] if mode == "writer" => write_forever(url).await,
        // nextest asks what is there, and what of it is to be left out, which is nothing.
        [_, rest @ ..] if rest.iter().any(|argument| argument == "--ignored") => {}
        // `cargo test -- --list` and filters for other tests come here too.
        [_, rest @ ..] if rest.iter().any(|argument| argument == "--list") => println!("durability: test"),
        _ => no_acknowledged_row_is_lost().await,
    }
}

/// Writes numbered rows on from where an earlier writer was stopped, and says each number once it is committed.
async fn write_forever(url: &str) {
    let clock = ManualClock::at(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
    let db = Db::connect(url).await.unwrap();
    let mut number = users::count(&mut db.read().await.unwrap()).await.unwrap();
    loop {
        let now = clock.now();
        let user = User {
            id: UserId::new(&clock),
            email: format!("{number}@example.org"),
            name: Some("x".repeat(500)),
            password_hash: None,
            platform_admin: false,
            disabled_at: None,
            created_at: now,
            updated_at: now,
        };
        let mut tx = db.begin().await.unwrap();
        users::insert(&mut tx, &user).await.unwrap();
        tx.commit().await.unwrap();
        println!("{number}");
        number += 1;
    }
}

async fn no_acknowledged_row_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("slipway.db").display());
    let mut acknowledged = 0;
    for round in 0..KILLS {
        let mut writer = Command::new(std::env::current_exe().unwrap()).args(["writer", &url]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let began = Instant::now();
        let first = lines.next().expect("the writer writes").unwrap();
        // A different moment each time, so that it falls between different writes.
        let until = began.elapsed() + Duration::from_millis(7 + round * 11 % 60);
        let mut last = first;
        while began.elapsed() < until {
            last = lines.next().expect("the writer goes on").unwrap();
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        // What it said before it died counts too.
        for line in lines.map_while(Result::ok).filter(|line| !line.is_empty()) {
            last = line;
        }
        let last: i64 = last.parse().unwrap();
        assert!(last >= acknowledged, "a later writer goes on where the earlier stopped");
        acknowledged = last;

        let db = Db::connect(&url).await.unwrap();
        let mut tx = db.read().await.unwrap();
        for number in 0..=acknowledged {
            let found = users::by_email(&mut tx, &format!("{number}@example.org")).await.unwrap();
            assert!(found.is_some(), "row {number} of {acknowledged} is lost after kill {round}");
        }
        let (integrity,): (String,) = fetch_one!(tx, "PRAGMA integrity_check").unwrap();
        assert_eq!(integrity, "ok", "after kill {round}");
        drop(tx);
        db.close().await;
    }
    assert!(acknowledged > i64::try_from(KILLS).unwrap(), "the writer got somewhere");
    println!("no_acknowledged_row_is_lost ... ok ({KILLS} kills, {} rows)", acknowledged + 1);
}
