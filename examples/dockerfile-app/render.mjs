// render.mjs FROM TO: each FROM/name.txt becomes TO/name (as it is) and TO/name.html (its first line as the heading).
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, parse } from "node:path";

const [from, to] = process.argv.slice(2);
const escape = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);

mkdirSync(to, { recursive: true });
for (const file of readdirSync(from).filter((name) => name.endsWith(".txt")).sort()) {
  const text = readFileSync(join(from, file), "utf8");
  const [title, ...body] = text.trim().split("\n");
  const paragraphs = body.join("\n").trim().split(/\n\n+/).map((p) => `<p>${escape(p)}</p>`);
  const page = `<!doctype html>\n<meta charset="utf-8">\n<title>${escape(title)}</title>\n<h1>${escape(title)}</h1>\n${paragraphs.join("\n")}\n`;
  writeFileSync(join(to, `${parse(file).name}.txt`), text);
  writeFileSync(join(to, `${parse(file).name}.html`), page);
  console.log(`rendered ${file}`);
}
