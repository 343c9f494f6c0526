import { serve } from "@hono/node-server";
import { Hono } from "hono";

const app = new Hono();
app.get("/", (context) => context.text("Hello from hono-berry\n"));

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) });
process.on("SIGTERM", () => server.close(() => process.exit(0)));
