//! Sites of files. What serves them is a small program of Node's own parts, put into the image: see `serve.mjs`.

use slipway_buildpack_sdk::{
    Base, Context, File, Fragment, Health, HealthBasis, Image, Layer, Port, Probe, Process, ProcessKind, Refusal, Source, StaticSite, argv,
    refuse,
};

use crate::{
    serve::{Serve, bare_site},
    version,
};

const SERVER_PATH: &str = "/opt/slipway/serve.mjs";
const SERVER: &str = include_str!("serve.mjs");
/// Where the files are in the image.
const SITE: &str = "/app";

/// The image, process and so on of a site whose files come from `layers`.
pub fn complete(fragment: &mut Fragment, layers: Vec<Layer>, spa: bool) {
    let mut words = vec!["node", SERVER_PATH, SITE];
    if spa {
        words.push("--spa");
    }
    fragment.image = Some(Image {
        base: Base::Tool("node".into()),
        packages: Vec::new(),
        layers,
        files: vec![File { path: SERVER_PATH.into(), content: SERVER.into(), executable: false }],
        env: vec![("NODE_ENV".into(), "production".into())],
        workdir: SITE.into(),
        user: "1000:1000".into(),
    });
    fragment.processes =
        vec![Process { name: "web".into(), kind: ProcessKind::Web, command: argv(words), env: Vec::new(), is_default: true }];
    fragment.ports = vec![Port { name: "http".into(), env: "PORT".into(), default: 3000 }];
    fragment.health = Some(Health { probe: Probe::Tcp, grace_seconds: 30, basis: HealthBasis::Guessed });
    fragment.static_site = Some(StaticSite { dir: SITE.into(), spa_fallback: spa });
}

/// Files of the source that have no place in a site.
pub fn not_served() -> Vec<String> {
    [".git", ".github", "node_modules", "Procfile", ".env", ".env.*", ".gitignore", ".dockerignore", ".htpasswd"]
        .map(str::to_owned)
        .to_vec()
}

/// A site without a package.json.
pub fn plan_bare(source: &Source, context: &Context) -> Result<Fragment, Refusal> {
    if context.build_command.is_some() {
        return Err(refuse("STATIC_BUILD_WITHOUT_MANIFEST", "A build command is set, but there is no package.json to say what it needs.")
            .fix("Add a package.json, or clear the build command."));
    }
    let Some(Serve::Static { dir, spa, .. }) = bare_site(source) else {
        return Err(refuse("NODE_NO_MANIFEST", "There is neither a package.json nor an index.html.").fix("Add a package.json."));
    };
    let mut fragment = Fragment { tools: vec![version::default()], ..Fragment::default() };
    let layer = Layer { origin: "source".into(), path: dir, dest: SITE.into(), include: Vec::new(), exclude: not_served() };
    complete(&mut fragment, vec![layer], spa);
    Ok(fragment)
}
