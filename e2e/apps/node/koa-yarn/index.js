const Koa = require("koa");

const app = new Koa();
app.use((context) => {
  context.body = `Hello from koa-yarn on Node ${process.versions.node.split(".")[0]}\n`;
});

const server = app.listen(process.env.PORT || 3000);
process.on("SIGTERM", () => server.close());
