// What the programs share: the documents, and how they say what they expected.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

export { assert };

export const { URL: url, TOKEN: token, APPLICATION: application } = process.env;
export const lines = Number(process.env.LINES ?? 0);
export const authorization = `Bearer ${token}`;
export const socketUrl = url.replace(/^http/, 'ws');

export function document(name) {
  return readFile(new globalThis.URL(`../documents/${name}.graphql`, import.meta.url), 'utf8');
}

// The four plans that every platform begins with, as three pages of two, two and none more.
export function expectPlans(slugs) {
  assert.deepEqual([...slugs].sort(), ['large', 'medium', 'nano', 'small']);
  console.log(`plans over pages: ${slugs.join(', ')}`);
}

export function expectRenamed(payload, name) {
  assert.deepEqual(payload.errors, []);
  assert.equal(payload.application.name, name);
  console.log(`renamed to ${name}`);
}

export function expectRefused(payload) {
  assert.equal(payload.application, null);
  assert.deepEqual(
    payload.errors.map(({ code, path }) => [code, path]),
    [['NOT_FOUND', ['id']]],
  );
  console.log(`refused: ${payload.errors[0].message}`);
}
