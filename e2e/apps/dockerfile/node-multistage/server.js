const mitt = require("mitt");

const events = mitt();
let answered = 0;
events.on("answered", () => (answered += 1));

const server = require("node:http").createServer((_request, response) => {
  events.emit("answered");
  response.end(`Hello from node-multistage, ${answered}\n`);
});
server.listen(process.env.PORT);
process.on("SIGTERM", () => server.close());
