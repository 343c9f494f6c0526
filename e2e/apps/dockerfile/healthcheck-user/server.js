const { userInfo } = require("node:os");

const server = require("node:http").createServer((_request, response) => {
  response.end(`Hello from healthcheck-user, run by ${userInfo().uid}\n`);
});
server.listen(8080);
process.on("SIGTERM", () => server.close());
