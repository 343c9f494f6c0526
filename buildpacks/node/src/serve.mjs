// Serves a directory of files: `node serve.mjs DIRECTORY [--spa]`, on $PORT. Needs nothing but Node.
import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream";

const root = await realpath(process.argv[2] ?? ".");
const spa = process.argv.includes("--spa");
const port = Number(process.env.PORT || 3000);

const types = {
  ".avif": "image/avif", ".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8", ".gif": "image/gif",
  ".htm": "text/html; charset=utf-8", ".html": "text/html; charset=utf-8", ".ico": "image/x-icon", ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg", ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".map": "application/json",
  ".md": "text/markdown; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".mp3": "audio/mpeg", ".mp4": "video/mp4",
  ".otf": "font/otf", ".pdf": "application/pdf", ".png": "image/png", ".svg": "image/svg+xml", ".ttf": "font/ttf",
  ".txt": "text/plain; charset=utf-8", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json",
  ".webm": "video/webm", ".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2", ".xml": "application/xml",
};

// The file at a path, unless it is hidden or a link leads out of the root.
async function find(path) {
  if (path.split("/").some((part) => part.startsWith(".") && part !== ".well-known")) return null;
  try {
    const file = await realpath(join(root, path));
    if (file !== root && !file.startsWith(root.endsWith(sep) ? root : root + sep)) return null;
    const about = await stat(file);
    return { file, about };
  } catch {
    return null;
  }
}

async function resolve(path) {
  const found = await find(path);
  if (found?.about.isFile()) return { ...found, status: 200 };
  if (found?.about.isDirectory()) {
    const index = await find(join(path, "index.html"));
    if (index?.about.isFile()) return path.endsWith("/") ? { ...index, status: 200 } : { redirect: `${path}/` };
  }
  if (!extname(path)) {
    const page = await find(`${path.replace(/\/+$/, "")}.html`);
    if (page?.about.isFile()) return { ...page, status: 200 };
    if (spa) {
      const index = await find("/index.html");
      if (index?.about.isFile()) return { ...index, status: 200 };
    }
  }
  const missing = await find("/404.html");
  return missing?.about.isFile() ? { ...missing, status: 404 } : { status: 404 };
}

async function answer(request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD" }).end();
    return;
  }
  let path;
  const query = request.url.indexOf("?");
  try {
    path = decodeURIComponent(query < 0 ? request.url : request.url.slice(0, query)).replace(/\/{2,}/g, "/");
  } catch {
    response.writeHead(400).end();
    return;
  }
  if (!path.startsWith("/") || path.includes("\0")) {
    response.writeHead(400).end();
    return;
  }
  const { file, about, status, redirect } = await resolve(path);
  if (redirect) {
    response.writeHead(301, { location: encodeURI(redirect) + (query < 0 ? "" : request.url.slice(query)) }).end();
    return;
  }
  if (!file) {
    response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("Not found\n");
    return;
  }
  const etag = `W/"${about.size.toString(16)}-${Math.trunc(about.mtimeMs).toString(16)}"`;
  const headers = {
    "content-type": types[extname(file).toLowerCase()] ?? "application/octet-stream",
    "content-length": about.size,
    "x-content-type-options": "nosniff",
    etag,
    // Names that carry a digest of their content never change meaning; all others are asked for again.
    "cache-control": /[.-][0-9A-Za-z_-]{8,}\.(js|css|woff2?|png|jpe?g|svg|webp|avif)$/.test(file) ? "public, max-age=31536000, immutable" : "no-cache",
  };
  if (status === 200 && request.headers["if-none-match"] === etag) {
    response.writeHead(304, { etag, "cache-control": headers["cache-control"] }).end();
    return;
  }
  response.writeHead(status, headers);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  pipeline(createReadStream(file), response, () => {});
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
server.listen(port, "0.0.0.0", () => console.log(`serving ${root} on port ${port}`));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
