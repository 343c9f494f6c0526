//! A buildpack that misbehaves as the file `behaviour` in the tree tells it to. Only the host's tests run it.

use std::{env, fs, hint::black_box, io::Write, net, time};

use slipway_buildpack_sdk::{
    Base, Buildpack, Context, Detected, Detection, File, Fragment, Image, Reason, Refusal, Source, detection, export_buildpack, reason,
    refuse,
};

#[derive(Debug)]
pub struct Hostile;

impl Buildpack for Hostile {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        let behaviour = source.peek("behaviour").unwrap_or_default();
        match behaviour.trim() {
            "trap" => panic!("I give up"),
            "loop" => loop {
                black_box(());
            },
            "sleep" => std::thread::sleep(time::Duration::from_secs(3600)),
            "allocate" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(black_box(vec![1_u8; 64 << 20]));
                }
            }
            "recurse" => {
                black_box(deeper(1));
            }
            "print" => {
                let line = "noise ".repeat(1000);
                for _ in 0..20_000 {
                    let _ = writeln!(std::io::stdout(), "{line}");
                    let _ = writeln!(std::io::stderr(), "{line}");
                }
            }
            "print-forever" => loop {
                let _ = writeln!(std::io::stdout(), "noise");
            },
            "huge-answer" => {
                return Detected::No((0..64).map(|_| reason("x", "y".repeat(1 << 20))).collect());
            }
            "many-answers" => {
                return Detected::No((0..1_000_000).map(|_| reason("", "")).collect());
            }
            "escape" => return Detected::No(attempts()),
            "ambient" => return Detected::No(ambient()),
            "file-times" => {
                let changed = fs::metadata("/app/behaviour").and_then(|about| about.modified());
                return Detected::No(vec![reason("behaviour", format!("{changed:?}"))]);
            }
            _ => {}
        }
        detection(context).score(50).because("behaviour", "well-behaved").into()
    }

    fn plan(&self, _source: &Source, _context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        // A plan that breaks the rules: it runs as root, from a floating tag, and writes where it likes.
        let file = File { path: "../../etc/passwd".into(), content: String::new(), executable: false };
        let image = Image {
            base: Base::Image("evil:latest".into()),
            packages: vec!["curl && rm -rf /".into()],
            layers: vec![],
            files: vec![file],
            env: vec![("A\nUSER".into(), "0".into())],
            workdir: "/app".into(),
            user: "0:0".into(),
        };
        if env::args().count() > 100 {
            return Err(refuse("NEVER", "unreachable in practice"));
        }
        Ok(Fragment { image: Some(image), ..Fragment::default() })
    }
}

#[allow(unconditional_recursion, reason = "that is its purpose")]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    deeper(frame[0] + 1) + black_box(frame)[1]
}

/// What each way out of the tree came to.
fn attempts() -> Vec<Reason> {
    let mut reasons = Vec::new();
    for path in ["/etc/hostname", "/app/../secret", "../secret", "/app/link", "/app/absolute-link", "/secret", "/app/linked-dir/secret"] {
        let text = fs::read_to_string(path).map_err(|error| error.kind().to_string());
        reasons.push(reason(path, format!("{text:?}")));
    }
    let written = fs::write("/app/written", "x").map_err(|error| error.kind().to_string());
    reasons.push(reason("write", format!("{written:?}")));
    let removed = fs::remove_file("/app/behaviour").map_err(|error| error.kind().to_string());
    reasons.push(reason("remove", format!("{removed:?}")));
    let connected = net::TcpStream::connect("127.0.0.1:1").map(|_| ()).map_err(|error| error.kind().to_string());
    reasons.push(reason("connect", format!("{connected:?}")));
    reasons
}

/// Everything around it that could make two answers differ.
fn ambient() -> Vec<Reason> {
    let mut order: Vec<_> = std::collections::HashMap::<u32, ()>::from_iter((0..64).map(|n| (n, ()))).into_keys().collect();
    order.truncate(16);
    vec![
        reason("env", format!("{:?}", env::vars().collect::<Vec<_>>())),
        reason("args", format!("{:?}", env::args().collect::<Vec<_>>())),
        reason("monotonic", format!("{:?}", time::Instant::now().elapsed())),
        reason("hash order, which comes from randomness", format!("{order:?}")),
        #[expect(clippy::disallowed_methods, reason = "to see that there is no clock")]
        reason("wall", format!("{:?}", time::SystemTime::now().duration_since(time::UNIX_EPOCH).map(|now| now.as_secs()))),
    ]
}

export_buildpack!(Hostile);
