import express from "express";

const app = express();
const startedAt = Date.now();
let visits = 0;

app.disable("x-powered-by");

// The first line says who answers; the rest is for whoever looks at the page.
app.get("/", (request, response) => {
  visits += 1;
  response.type("text/plain").send(
    [
      `Hello from Node.js ${process.versions.node.split(".")[0]}`,
      "",
      `You asked ${request.get("host")}, and this is visit ${visits} since this instance started.`,
      "Edit server.js and deploy again.",
      "",
    ].join("\n"),
  );
});

app.get("/healthz", (_request, response) => {
  response.json({ status: "ok", uptimeSeconds: Math.round((Date.now() - startedAt) / 1000) });
});

// Slipway says where to listen in PORT. Without a host, Node listens on every address, as a container should.
const server = app.listen(Number(process.env.PORT ?? 3000), (error) => {
  if (error) throw error;
  console.log(`listening on port ${server.address().port}`);
});

// A new release takes over by sending this one SIGTERM: answer what is under way, then go.
process.on("SIGTERM", () => server.close(() => process.exit(0)));
