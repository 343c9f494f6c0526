import express from "express";

const app = express();
app.get("/", (_request, response) => response.type("text/plain").send("Hello from express-npm\n"));
app.get("/healthz", (_request, response) => response.json({ status: "ok" }));

const server = app.listen(Number(process.env.PORT ?? 3000));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
