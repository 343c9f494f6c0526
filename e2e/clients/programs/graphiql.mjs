// The digests in the page of GraphiQL are those of the files that npm's packages have: that is what the content network serves.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';

const answer = await fetch(process.env.URL, { headers: { accept: 'text/html' } });
const page = await answer.text();
const parts = [...page.matchAll(/https:\/\/[^/]+\/npm\/([^"/]+@[^"/]+)\/([^"]+)" integrity="sha384-([^"]+)"/g)];
const folders = new Map();
for (const [, name, file, digest] of parts) {
  if (!folders.has(name)) {
    const folder = mkdtempSync('/tmp/package-');
    const archive = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, name], { encoding: 'utf8' }).trim();
    execFileSync('tar', ['-xzf', `${folder}/${archive}`, '-C', folder]);
    folders.set(name, folder);
  }
  const found = createHash('sha384').update(readFileSync(`${folders.get(name)}/package/${file}`)).digest('base64');
  if (found !== digest) {
    throw new Error(`${name}/${file} has the digest ${found}, and the page says ${digest}`);
  }
}
console.log(`${parts.length} files as the page says`);
process.exit(parts.length === 4 ? 0 : 1);
