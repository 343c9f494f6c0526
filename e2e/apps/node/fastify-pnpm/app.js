const fastify = require("fastify")({ logger: true });

fastify.get("/", async () => ({ message: "Hello from fastify-pnpm" }));

fastify.listen({ port: Number(process.env.PORT || 3000), host: "0.0.0.0" });
process.on("SIGTERM", () => fastify.close().then(() => process.exit(0)));
