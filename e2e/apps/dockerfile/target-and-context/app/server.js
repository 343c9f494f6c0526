const name = "target-and-context";
const server = require("node:http").createServer((_request, response) => response.end(`${process.env.GREETING} ${name}\n`));
server.listen(process.env.PORT);
process.on("SIGTERM", () => server.close());
