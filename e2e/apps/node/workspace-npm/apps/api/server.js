import { createServer } from "node:http";
import { greeting } from "@workspace/greeting";
import { createApp, createRouter, eventHandler, toNodeListener } from "h3";

const router = createRouter().get("/", eventHandler(() => greeting("workspace-npm")));
const server = createServer(toNodeListener(createApp().use(router)));
server.listen(Number(process.env.PORT ?? 3000));
process.on("SIGTERM", () => server.close());
