//! Which framework the application is made with, and what that framework's build leaves behind.

use slipway_buildpack_sdk::Source;

use crate::{manifest::Manifest, range::Range};

/// What answers requests once the framework's build is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Files in this directory. `spa`: paths without a file are answered with `index.html`.
    Static { dir: &'static str, spa: bool },
    /// A program, by these words when package.json has no `start` script. Empty: only a script tells.
    Server { start: &'static [&'static str] },
}

#[derive(Debug, Clone, Copy)]
pub struct Framework {
    pub name: &'static str,
    /// A dependency that gives it away.
    package: &'static str,
    pub output: Output,
    /// Builds it when package.json has no `build` script.
    pub build: &'static [&'static str],
}

const fn site(name: &'static str, package: &'static str, dir: &'static str, build: &'static [&'static str]) -> Framework {
    Framework { name, package, output: Output::Static { dir, spa: false }, build }
}

const fn spa(name: &'static str, package: &'static str, dir: &'static str, build: &'static [&'static str]) -> Framework {
    Framework { name, package, output: Output::Static { dir, spa: true }, build }
}

const fn server(name: &'static str, package: &'static str, start: &'static [&'static str], build: &'static [&'static str]) -> Framework {
    Framework { name, package, output: Output::Server { start }, build }
}

const NITRO: &[&str] = &["node", ".output/server/index.mjs"];

/// The more particular before the more general: what is built upon comes after what builds upon it.
const KNOWN: &[Framework] = &[
    server("blitzjs", "blitz", &["node_modules/.bin/blitz", "start"], &["node_modules/.bin/blitz", "build"]),
    server("redwoodjs", "@redwoodjs/core", &["node_modules/.bin/rw", "serve"], &["node_modules/.bin/rw", "build"]),
    server("strapi", "@strapi/strapi", &["node_modules/.bin/strapi", "start"], &["node_modules/.bin/strapi", "build"]),
    server("keystone", "@keystone-6/core", &["node_modules/.bin/keystone", "start"], &["node_modules/.bin/keystone", "build"]),
    server("medusa", "@medusajs/medusa", &["node_modules/.bin/medusa", "start"], &["node_modules/.bin/medusa", "build"]),
    server("directus", "directus", &["node_modules/.bin/directus", "start"], &[]),
    server("mastra", "mastra", &["node", ".mastra/output/index.mjs"], &["node_modules/.bin/mastra", "build"]),
    server("xmcp", "xmcp", &["node", "dist/http.js"], &["node_modules/.bin/xmcp", "build"]),
    server("next", "next", &["node_modules/.bin/next", "start"], &["node_modules/.bin/next", "build"]),
    server("nuxt", "nuxt", NITRO, &["node_modules/.bin/nuxt", "build"]),
    server("nuxt", "nuxt3", NITRO, &["node_modules/.bin/nuxi", "build"]),
    server("nuxt", "nuxt-edge", NITRO, &["node_modules/.bin/nuxt", "build"]),
    server("hydrogen", "@shopify/hydrogen", &[], &[]),
    server("waku", "waku", &["node_modules/.bin/waku", "start"], &["node_modules/.bin/waku", "build"]),
    server("analog", "@analogjs/platform", &["node", "dist/analog/server/index.mjs"], &["node_modules/.bin/vite", "build"]),
    server("qwik", "@builder.io/qwik-city", &[], &[]),
    server("qwik", "@qwik.dev/router", &[], &[]),
    server("tanstack-start", "@tanstack/react-start", NITRO, &["node_modules/.bin/vite", "build"]),
    server("tanstack-start", "@tanstack/solid-start", NITRO, &["node_modules/.bin/vite", "build"]),
    server("solidstart", "@solidjs/start", NITRO, &["node_modules/.bin/vinxi", "build"]),
    server("solidstart", "solid-start", &["node_modules/.bin/solid-start", "start"], &["node_modules/.bin/solid-start", "build"]),
    server(
        "react-router",
        "@react-router/dev",
        &["node_modules/.bin/react-router-serve", "build/server/index.js"],
        &["node_modules/.bin/react-router", "build"],
    ),
    server("remix", "@remix-run/dev", &["node_modules/.bin/remix-serve", "build/server/index.js"], &["node_modules/.bin/remix", "build"]),
    server("remix", "@remix-run/react", &["node_modules/.bin/remix-serve", "build"], &["node_modules/.bin/remix", "build"]),
    server("sapper", "sapper", &["node", "__sapper__/build"], &["node_modules/.bin/sapper", "build"]),
    server("sveltekit", "@sveltejs/kit", &["node", "build"], &["node_modules/.bin/vite", "build"]),
    site("astro", "astro", "dist", &["node_modules/.bin/astro", "build"]),
    site("gatsby", "gatsby", "public", &["node_modules/.bin/gatsby", "build"]),
    site("docusaurus", "@docusaurus/core", "build", &["node_modules/.bin/docusaurus", "build"]),
    site("docusaurus", "docusaurus", "build", &["node_modules/.bin/docusaurus-build"]),
    site("vitepress", "vitepress", ".vitepress/dist", &["node_modules/.bin/vitepress", "build"]),
    site("vuepress", "vuepress", ".vuepress/dist", &["node_modules/.bin/vuepress", "build"]),
    site("eleventy", "@11ty/eleventy", "_site", &["node_modules/.bin/eleventy"]),
    site("rspress", "rspress", "doc_build", &["node_modules/.bin/rspress", "build"]),
    site("observable", "@observablehq/framework", "dist", &["node_modules/.bin/observable", "build"]),
    site("dumi", "dumi", "dist", &["node_modules/.bin/dumi", "build"]),
    site("gridsome", "gridsome", "dist", &["node_modules/.bin/gridsome", "build"]),
    site("saber", "saber", "public", &["node_modules/.bin/saber", "build"]),
    site("scully", "@scullyio/init", "dist/static", &[]),
    spa("slidev", "@slidev/cli", "dist", &["node_modules/.bin/slidev", "build"]),
    spa("sanity", "sanity", "dist", &["node_modules/.bin/sanity", "build"]),
    spa("quasar", "@quasar/app-vite", "dist/spa", &["node_modules/.bin/quasar", "build"]),
    spa("quasar", "@quasar/app-webpack", "dist/spa", &["node_modules/.bin/quasar", "build"]),
    spa("dojo", "@dojo/framework", "output/dist", &["node_modules/.bin/dojo", "build"]),
    site("hexo", "hexo", "public", &["node_modules/.bin/hexo", "generate"]),
    spa("ionic-angular", "@ionic/angular", "www", &["node_modules/.bin/ng", "build"]),
    spa("ionic-react", "@ionic/react", "build", &["node_modules/.bin/react-scripts", "build"]),
    spa("ember", "ember-cli", "dist", &["node_modules/.bin/ember", "build", "--environment=production"]),
    spa("ember", "ember-source", "dist", &["node_modules/.bin/ember", "build", "--environment=production"]),
    spa("polymer", "polymer-cli", "build", &["node_modules/.bin/polymer", "build"]),
    spa("umijs", "@umijs/max", "dist", &["node_modules/.bin/max", "build"]),
    spa("umijs", "umi", "dist", &["node_modules/.bin/umi", "build"]),
    spa("preact", "preact-cli", "build", &["node_modules/.bin/preact", "build"]),
    spa("stencil", "@stencil/core", "www", &["node_modules/.bin/stencil", "build"]),
    spa("brunch", "brunch", "public", &["node_modules/.bin/brunch", "build", "--production"]),
    spa("create-react-app", "react-scripts", "build", &["node_modules/.bin/react-scripts", "build"]),
    spa("angular", "@angular/core", "dist", &["node_modules/.bin/ng", "build"]),
    spa("vue", "@vue/cli-service", "dist", &["node_modules/.bin/vue-cli-service", "build"]),
    spa("parcel", "parcel", "dist", &["node_modules/.bin/parcel", "build"]),
    spa("parcel", "parcel-bundler", "dist", &["node_modules/.bin/parcel", "build"]),
    server("nest", "@nestjs/core", &["node", "dist/main.js"], &["node_modules/.bin/nest", "build"]),
    server("nitro", "nitropack", NITRO, &["node_modules/.bin/nitropack", "build"]),
    server("nitro", "nitro", NITRO, &["node_modules/.bin/nitro", "build"]),
    spa("vue", "vue-router", "dist", &["node_modules/.bin/vite", "build"]),
    spa("vue", "pinia", "dist", &["node_modules/.bin/vite", "build"]),
    server("adonis", "@adonisjs/core", &[], &[]),
    server("feathers", "@feathersjs/feathers", &[], &[]),
    server("loopback", "@loopback/core", &[], &[]),
    server("sails", "sails", &[], &[]),
    server("express", "express", &[], &[]),
    server("fastify", "fastify", &[], &[]),
    server("elysia", "elysia", &[], &[]),
    server("hono", "hono", &[], &[]),
    server("h3", "h3", &[], &[]),
    server("koa", "koa", &[], &[]),
    server("hapi", "@hapi/hapi", &[], &[]),
    server("restify", "restify", &[], &[]),
    server("polka", "polka", &[], &[]),
    server("apollo", "@apollo/server", &[], &[]),
    server("graphql-yoga", "graphql-yoga", &[], &[]),
    spa("svelte", "@sveltejs/vite-plugin-svelte", "dist", &["node_modules/.bin/vite", "build"]),
    spa("svelte", "sirv-cli", "public", &[]),
    spa("expo", "expo", "dist", &["node_modules/.bin/expo", "export", "--platform", "web"]),
    spa("rsbuild", "@rsbuild/core", "dist", &["node_modules/.bin/rsbuild", "build"]),
    spa("vite", "vite", "dist", &["node_modules/.bin/vite", "build"]),
    spa("svelte", "svelte", "public", &[]),
    site("storybook", "storybook", "storybook-static", &["node_modules/.bin/storybook", "build"]),
];

impl Framework {
    /// A library that answers requests within a program of the application's own, which alone says where it starts.
    pub fn is_server_library(&self) -> bool {
        self.output == Output::Server { start: &[] } && self.build.is_empty()
    }
}

/// The framework, as this application has set it up.
pub fn of(source: &Source, manifest: &Manifest) -> Option<Framework> {
    let mut framework = *KNOWN.iter().find(|framework| manifest.uses(framework.package))?;
    // A server that draws Vue's pages is an application of Vue.
    if matches!(framework.name, "express" | "fastify" | "koa" | "h3") && manifest.uses("vue") {
        framework.name = "vue";
    }
    let build = manifest.script("build").unwrap_or_default();
    let is_static = |dir, spa| Output::Static { dir, spa };
    match framework.name {
        "astro" if manifest.uses("@astrojs/node") => framework.output = Output::Server { start: &["node", "dist/server/entry.mjs"] },
        // Built for another platform's functions, which no program here can run.
        "astro" if manifest.uses_any(&FOREIGN_ASTRO) && renders_astro(source) => framework.output = Output::Server { start: &[] },
        "sveltekit" => framework.output = sveltekit(source, manifest),
        "next" if exports_next(source, build) => framework.output = is_static("out", false),
        "nuxt" if manifest.wants("nuxt").is_some_and(is_major_2) || framework.package == "nuxt-edge" => {
            framework.output = Output::Server { start: &["node_modules/.bin/nuxt", "start"] };
            if build.contains("generate") {
                framework.output = is_static("dist", false);
            }
        }
        "nuxt" if build.contains("generate") => framework.output = is_static(".output/public", false),
        "react-router" if config(source, "react-router.config").is_some_and(|text| text.replace(' ', "").contains("ssr:false")) => {
            framework.output = is_static("build/client", true);
        }
        "ionic-react" if manifest.uses("vite") => {
            framework.output = is_static("dist", true);
            framework.build = &["node_modules/.bin/vite", "build"];
        }
        // An application for phones, unless it can also be drawn in a browser.
        "expo" if !manifest.uses("react-native-web") => framework.output = Output::Server { start: &[] },
        _ => {}
    }
    Some(framework)
}

const FOREIGN_ASTRO: [&str; 3] = ["@astrojs/vercel", "@astrojs/netlify", "@astrojs/cloudflare"];

fn renders_astro(source: &Source) -> bool {
    let output = config(source, "astro.config").and_then(|text| setting(&text, "output"));
    matches!(output.as_deref(), Some("server" | "hybrid"))
}

/// By its adapter, of which none but two make something that runs here.
fn sveltekit(source: &Source, manifest: &Manifest) -> Output {
    let settings = config(source, "svelte.config").unwrap_or_default();
    let adapter = |name: &str| settings.contains(name) || (manifest.uses(name) && !settings.contains("adapter-"));
    if adapter("adapter-static") || adapter("@sveltejs/adapter-static") {
        return Output::Static { dir: "build", spa: settings.contains("fallback") };
    }
    if adapter("adapter-node") || adapter("@sveltejs/adapter-node") {
        return Output::Server { start: &["node", "build"] };
    }
    Output::Server { start: &[] }
}

fn exports_next(source: &Source, build: &str) -> bool {
    build.contains("next export") || config(source, "next.config").is_some_and(|text| setting(&text, "output").as_deref() == Some("export"))
}

fn is_major_2(range: &str) -> bool {
    Range::parse(range).is_some_and(|range| range.is_before(3))
}

/// The framework's output directory, where its configuration states another one.
pub fn output_dir(source: &Source, framework: &Framework, dir: &str, build_script: Option<&str>) -> String {
    let stated = match framework.name {
        "next" => config(source, "next.config").filter(|text| setting(text, "output").is_some()).and_then(|text| setting(&text, "distDir")),
        "vite" | "ionic-react" | "vue" | "svelte" => config(source, "vite.config").and_then(|text| setting(&text, "outDir")),
        "astro" => config(source, "astro.config").and_then(|text| setting(&text, "outDir")),
        "angular" | "ionic-angular" => angular_output(source),
        "vuepress" | "vitepress" => documents_dir(build_script).map(|docs| format!("{docs}/{dir}")),
        _ => None,
    };
    let stated = stated.map(|dir| dir.trim_start_matches("./").trim_end_matches('/').to_owned());
    stated
        .filter(|dir| !dir.is_empty() && !dir.starts_with('/') && !dir.split('/').any(|part| part == ".."))
        .unwrap_or_else(|| dir.to_owned())
}

/// `docs` of `vitepress build docs`.
fn documents_dir(build_script: Option<&str>) -> Option<String> {
    let mut words = build_script?.split_whitespace().skip_while(|word| *word != "build").skip(1);
    words.next().filter(|word| !word.starts_with('-') && !word.starts_with('&')).map(|word| word.trim_matches('/').to_owned())
}

/// Angular 17 and later put what a browser loads one directory deeper.
fn angular_output(source: &Source) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&source.peek("angular.json")?).ok()?;
    let (_, project) = json.get("projects")?.as_object()?.iter().find(|(_, project)| project.pointer("/architect/build").is_some())?;
    let build = project.pointer("/architect/build")?;
    let browser = build.get("builder").and_then(|builder| builder.as_str()).is_some_and(|builder| builder.ends_with(":application"));
    let path = match build.pointer("/options/outputPath") {
        Some(serde_json::Value::String(path)) => path.clone(),
        Some(serde_json::Value::Object(path)) => path.get("base")?.as_str()?.to_owned(),
        _ => format!("dist/{}", json.get("projects")?.as_object()?.keys().next()?),
    };
    Some(if browser { format!("{path}/browser") } else { path })
}

/// The text of a configuration file, in whichever language it is written.
fn config(source: &Source, stem: &str) -> Option<String> {
    ["js", "mjs", "cjs", "ts", "mts"].iter().find_map(|extension| source.peek(&format!("{stem}.{extension}")))
}

/// The string that a key is set to, such as `out` of `outDir: "out"`: enough for what people write, and never run.
fn setting(text: &str, key: &str) -> Option<String> {
    for (at, _) in text.match_indices(key) {
        let rest = text[at + key.len()..].trim_start_matches(['"', '\'']).trim_start();
        let Some(rest) = rest.strip_prefix(':') else { continue };
        let rest = rest.trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else { continue };
        return rest[1..].split(quote).next().map(str::to_owned);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_from_the_text_of_a_configuration() {
        assert_eq!(setting("export default { build: { outDir: './site' } }", "outDir").as_deref(), Some("./site"));
        assert_eq!(setting("{ \"output\": \"export\" }", "output").as_deref(), Some("export"));
        assert_eq!(setting("outDir = x", "outDir"), None);
    }

    #[test]
    fn the_directory_of_documents_is_read_from_the_build_script() {
        assert_eq!(documents_dir(Some("vitepress build docs")).as_deref(), Some("docs"));
        assert_eq!(documents_dir(Some("vuepress build --dest x")), None);
    }
}
