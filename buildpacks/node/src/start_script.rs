//! What a `start` script comes down to, past the scripts and runners in front of it.

use slipway_buildpack_sdk::first_word;

use crate::manifest::Manifest;

/// Programs that serve files while somebody writes them, and what a `start` script with one of them is therefore not. The second
/// word, where there is one, may stand anywhere behind the first.
const DEVELOPMENT_SERVERS: [&str; 41] = [
    "vite",
    "react-scripts start",
    "react-app-rewired start",
    "craco start",
    "ng serve",
    "vue-cli-service serve",
    "gatsby develop",
    "gatsby serve",
    "docusaurus start",
    "docusaurus serve",
    "vitepress",
    "vuepress dev",
    "parcel",
    "webpack serve",
    "webpack-dev-server",
    "rspack serve",
    "rspack dev",
    "rsbuild dev",
    "rsbuild preview",
    "rspress dev",
    "rspress preview",
    "astro dev",
    "astro preview",
    "eleventy --serve",
    "@11ty/eleventy --serve",
    "ember serve",
    "ember s",
    "ionic serve",
    "expo start",
    "storybook dev",
    "start-storybook",
    "next dev",
    "nuxt dev",
    "nuxi dev",
    "nuxt preview",
    "nuxi preview",
    "remix dev",
    "react-router dev",
    "vinxi dev",
    "svelte-kit dev",
    "svelte-kit preview",
];

/// Programs that are a development server when nothing else is said.
const BARE: [&str; 3] = ["next", "nuxt", "vinxi"];

pub fn is_development_server(manifest: &Manifest, script: &str) -> bool {
    let line = last_command(manifest, script, 4);
    let mut words = line.split_whitespace();
    let Some(program) = words.next() else { return false };
    let rest: Vec<&str> = words.collect();
    let bare = rest.iter().all(|word| word.starts_with('-')) && BARE.contains(&program);
    bare || DEVELOPMENT_SERVERS.iter().any(|known| match known.split_once(' ') {
        Some((known, second)) => known == program && rest.contains(&second),
        None => *known == program && rest.first() != Some(&"build"),
    })
}

/// The command that stays running: the last one, behind `npx`, `cross-env` and the like. `npm run dev` is the script `dev`.
pub fn last_command(manifest: &Manifest, script: &str, depth: usize) -> String {
    let last = script.split("&&").last().unwrap_or_default().trim();
    let Some(first) = first_word(last) else { return String::new() };
    let mut words: Vec<&str> = last.split_whitespace().skip_while(|word| *word != first).collect();
    while let [first, rest @ ..] = &words[..] {
        let is_manager = matches!(*first, "npm" | "yarn" | "pnpm" | "bun");
        let (run, rest) = match rest {
            ["run" | "run-script", rest @ ..] if is_manager => (true, rest),
            ["exec" | "dlx" | "x", rest @ ..] if is_manager => (false, rest),
            rest if is_manager => (*first != "bun", rest),
            rest if matches!(*first, "npx" | "bunx" | "dotenv" | "env-cmd" | "cross-env" | "exec") => (false, rest),
            _ => break,
        };
        if let Some(script) = rest.first().filter(|_| run && depth > 0).and_then(|name| manifest.script(name)) {
            return last_command(manifest, script, depth - 1);
        }
        words = rest.iter().copied().skip_while(|word| word.starts_with('-') || word.contains('=')).collect();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn development_servers_are_told_from_servers() {
        let manifest = Manifest::default();
        for development in [
            "vite",
            "vite --host",
            "react-scripts start",
            "NODE_ENV=x webpack-dev-server --open",
            "cross-env A=1 vite preview",
            "npx vite",
            "yarn next dev -p 3000",
            "vite build && vite preview --port 80",
            "next",
            "pnpm exec astro preview",
        ] {
            assert!(is_development_server(&manifest, development), "{development}");
        }
        for server in [
            "node server.js",
            "next start",
            "nest start",
            "NODE_ENV=production node ./vite-server.js",
            "vite build && node server.js",
            "gatsby build",
            "serve -s build",
            "yarn",
            "",
        ] {
            assert!(!is_development_server(&manifest, server), "{server}");
        }
    }
}
