use slipway_e2e::App;

/// A test runner, which every app here that has one has among its dependencies for development.
const UVU: &[&str] = &["/app/node_modules/uvu", "/app/node_modules/.pnpm/uvu*"];

const APPS: &[App] = &[
    App { absent: UVU, pages: &[("/healthz", "ok")], ..App::new("node/express-npm", "server.js") },
    App { absent: UVU, ..App::new("node/fastify-pnpm", "app.js") },
    App { absent: UVU, pages: &[("/", "on Node 24")], ..App::new("node/koa-yarn", "index.js") },
    App { absent: UVU, ..App::new("node/hono-berry", "src/index.js") },
    App { pages: &[("/time", "now")], absent: &["/app/.next/cache"], plan: "small", ..App::new("node/next-npm", "app/page.js") },
    App {
        absent: &["/app/node_modules/vite"],
        pages: &[("/", "Rendered for /")],
        ..App::new("node/sveltekit-npm", "src/routes/+page.svelte")
    },
    App { absent: &["/app/node_modules/typescript"], plan: "small", ..App::new("node/nest-npm", "src/app.controller.ts") },
    App { absent: &["/app/node_modules/vite"], plan: "small", ..App::new("node/react-router-npm", "app/routes/home.jsx") },
    App { absent: &["/app/node_modules"], ..App::new("node/astro-npm", "src/pages/index.astro") },
    App { absent: &["/app/node_modules"], pages: &[("/any/route", "Hello from vite-spa")], ..App::new("node/vite-spa", "index.html") },
    App { absent: UVU, ..App::new("node/workspace-npm", "packages/greeting/index.js") },
    App::new("node/monorepo-root", "services/api/server.js"),
];

#[tokio::test(flavor = "multi_thread")]
async fn apps_of_node_are_built_answer_and_stop() -> anyhow::Result<()> {
    super::all_work("Node.js", APPS).await
}
