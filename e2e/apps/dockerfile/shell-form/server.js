const server = require("node:http").createServer((_request, response) => response.end("Hello from shell-form\n"));
server.listen(process.env.PORT || 3000);
process.on("SIGTERM", () => server.close());
