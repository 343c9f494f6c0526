//! Another proxy than Traefik: the real nginx, run, checked and reloaded as an ingress plugin's manifest says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use slipway_agent::IngressConfig;
use slipway_agent::ingress::{self, Ingress, IngressError, Proxy, RouteError, RouteFile, Seen, Supervisor};
use slipway_model::{ApplicationId, Hostname, system_clock};
use slipway_protocol::DesiredProxy;
use tokio_util::sync::CancellationToken;

use crate::routes::{Ended, free_address};

const CONFIGURATION: &str = "daemon off;\npid @root@/nginx.pid;\nerror_log stderr warn;\nevents {}\nhttp {\n\
    access_log off;\nclient_body_temp_path @root@/body;\nproxy_temp_path @root@/proxy;\nfastcgi_temp_path @root@/fastcgi;\n\
    uwsgi_temp_path @root@/uwsgi;\nscgi_temp_path @root@/scgi;\n\
    server {\nlisten @web@ default_server;\nreturn 404;\n}\ninclude @routes@/*.conf;\n}\n";

fn described() -> DesiredProxy {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    DesiredProxy {
        program: "nginx".into(),
        route_suffix: ".conf".into(),
        comment: "#".into(),
        files: BTreeMap::from([("nginx.conf".to_owned(), CONFIGURATION.to_owned())]),
        run: words(&["-e", "stderr", "-p", "@root@", "-c", "@root@/nginx.conf"]),
        check: words(&["-t", "-q", "-e", "stderr", "-p", "@root@", "-c", "@root@/nginx.conf"]),
        reload: "HUP".into(),
        confirm_path: None,
    }
}

fn settings() -> IngressConfig {
    let nginx = PathBuf::from("/usr/sbin/nginx");
    assert!(nginx.exists(), "nginx needed: run setup/programs.sh");
    IngressConfig {
        traefik_binary: PathBuf::new(),
        web_address: free_address(),
        websecure: None,
        internal_address: free_address(),
        proxies: BTreeMap::from([("nginx".to_owned(), nginx)]),
    }
}

/// A route that nginx answers by itself.
fn route(name: &str, revision: &str) -> (RouteFile, String) {
    let hostname: Hostname = format!("{name}.test").parse().unwrap();
    let application = ApplicationId::new(&*system_clock());
    let content =
        format!("server {{\nlisten @web@;\nserver_name {hostname};\nadd_header x-slipway-route {revision} always;\nreturn 200;\n}}\n");
    let file = RouteFile { application, revision: revision.into(), file: format!("{name}.conf"), hostname, addresses: BTreeMap::new() };
    (file, content)
}

/// Waits until this is what the ingress serves.
async fn until(proxy: &Proxy, file: &RouteFile, wanted: &Seen) {
    let waiting = async {
        while proxy.seen(&file.hostname, &file.revision).await != *wanted {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    let late = format!("{wanted:?} was not seen");
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(&late);
}

fn supervise(folder: &Path, config: &IngressConfig) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let supervisor = Supervisor::of_proxy(folder, config, &described()).unwrap();
    let stop = CancellationToken::new();
    let token = stop.clone();
    (stop, tokio::spawn(async move { supervisor.supervise(&*system_clock(), token).await }))
}

fn note(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(folder.join("ingress/process.json")).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_are_checked_placed_seen_replaced_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let _ended = Ended(folder.path());
    let config = settings();
    let proxy = Proxy::new(folder.path(), &config, &described()).unwrap();
    let (shop, text) = route("shop", "r1");
    proxy.put(&shop, &text).unwrap();
    let (stop, supervised) = supervise(folder.path(), &config);
    until(&proxy, &shop, &Seen::Revision("r1".into())).await;

    // Another one beside it, while nginx runs.
    let (blog, text) = route("blog", "b1");
    proxy.put(&blog, &text).unwrap();
    until(&proxy, &blog, &Seen::Revision("b1".into())).await;
    let mut known: Vec<String> = proxy.files().unwrap().into_iter().map(|file| file.file).collect();
    known.sort();
    assert_eq!(known, ["blog.conf", "shop.conf"]);

    // What nginx does not take is not put in place, and nginx says why.
    let placed = folder.path().join("ingress-nginx/routes/shop.conf");
    let before = fs::read_to_string(&placed).unwrap();
    let second = RouteFile { revision: "r2".into(), ..shop.clone() };
    let refused = proxy.put(&second, "server { listen @web@; no_such_directive on; }\n").unwrap_err();
    let RouteError::Check { program, said } = &refused else { panic!("{refused}") };
    assert!(program == "nginx" && said.contains("unknown directive \"no_such_directive\" in /routes/shop.conf"), "{said}");
    assert_eq!(fs::read_to_string(&placed).unwrap(), before);
    // Nor what only another route makes wrong: two upstreams of one name.
    let upstream = "upstream same { server 127.0.0.1:1; }\n";
    let (one, text) = route("one", "o1");
    proxy.put(&one, &format!("{upstream}{text}")).unwrap();
    let (other, text) = route("other", "o2");
    let duplicate = proxy.put(&other, &format!("{upstream}{text}")).unwrap_err();
    assert!(duplicate.to_string().contains("duplicate upstream"), "{duplicate}");

    // A name belongs to one application, and leads nowhere.
    let stranger = RouteFile { application: ApplicationId::new(&*system_clock()), ..shop.clone() };
    assert!(matches!(proxy.put(&stranger, ""), Err(RouteError::Taken { .. })));
    for name in ["../shop.conf", "shop.toml", ".shop.conf"] {
        assert!(matches!(proxy.put(&RouteFile { file: name.into(), ..shop.clone() }, ""), Err(RouteError::Name(_))), "{name}");
    }

    let (_, text) = route("shop", "r2");
    proxy.put(&second, &text).unwrap();
    until(&proxy, &second, &Seen::Revision("r2".into())).await;
    proxy.remove(&second).unwrap();
    until(&proxy, &second, &Seen::Nothing).await;
    assert_eq!(proxy.seen(&blog.hostname, "b1").await, Seen::Revision("b1".into()), "the others stay");

    stop.cancel();
    supervised.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_outlives_the_agent_is_taken_over_replaced_when_it_dies_and_ended_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let _ended = Ended(folder.path());
    let config = settings();
    let proxy = Proxy::new(folder.path(), &config, &described()).unwrap();
    let (shop, text) = route("shop", "r1");
    proxy.put(&shop, &text).unwrap();
    let (stop, supervised) = supervise(folder.path(), &config);
    until(&proxy, &shop, &Seen::Revision("r1".into())).await;
    let first = note(folder.path());
    stop.cancel();
    supervised.await.unwrap();

    let (stop, supervised) = supervise(folder.path(), &config);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(note(folder.path()), first, "it was taken over");
    let pid = rustix::process::Pid::from_raw(i32::try_from(first["pid"].as_i64().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let waiting = async {
        while note(folder.path()) == first {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it is not replaced");
    // Workers of the one that was killed are gone too, or this would be answered by either.
    until(&proxy, &shop, &Seen::Revision("r1".into())).await;
    proxy.remove(&shop).unwrap();
    until(&proxy, &shop, &Seen::Nothing).await;
    stop.cancel();
    supervised.await.unwrap();

    ingress::stop(folder.path()).await.unwrap();
    assert!(matches!(proxy.seen(&shop.hostname, "r1").await, Seen::Unreachable(_)));
}

#[tokio::test]
async fn a_program_that_the_machine_s_administrator_did_not_name_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let without = IngressConfig { proxies: BTreeMap::new(), ..settings() };
    let Err(IngressError::NoProxy(problem)) = Proxy::new(folder.path(), &without, &described()) else { panic!("it should be refused") };
    assert!(problem.contains("--proxy nginx="), "{problem}");
    let elsewhere = DesiredProxy { program: "../../bin/sh".into(), ..described() };
    assert!(matches!(Proxy::new(folder.path(), &settings(), &elsewhere), Err(IngressError::NoProxy(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "and nothing was written");
}

/// What the supervisor says of a proxy, once it says anything.
async fn problem_of(supervisor: Supervisor) -> String {
    let mut problem = supervisor.problem();
    let stop = CancellationToken::new();
    let token = stop.clone();
    let supervised = tokio::spawn(async move { supervisor.supervise(&*system_clock(), token).await });
    let said = tokio::time::timeout(Duration::from_secs(20), problem.wait_for(Option::is_some)).await.expect("it says nothing");
    let said = said.unwrap().clone().unwrap();
    stop.cancel();
    supervised.await.unwrap();
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_cannot_be_run_is_told_as_soon_as_that_is_plain() {
    let folder = tempfile::tempdir().unwrap();
    let _ended = Ended(folder.path());
    let config = settings();
    // It ends at once, each time.
    let broken = DesiredProxy { run: vec!["-c".into(), "/there/is/no/such.conf".into()], ..described() };
    Proxy::new(folder.path(), &config, &broken).unwrap();
    let said = problem_of(Supervisor::of_proxy(folder.path(), &config, &broken).unwrap()).await;
    assert!(said.contains("cannot run nginx") && said.contains("exit status: 1"), "{said}");

    let elsewhere = tempfile::tempdir().unwrap();
    let nowhere = IngressConfig { traefik_binary: "/there/is/no/traefik".into(), ..config };
    let said = problem_of(Supervisor::new(elsewhere.path(), &nowhere).unwrap()).await;
    assert!(said.contains("/there/is/no/traefik") && said.contains("No such file"), "{said}");
}
