// Every document that the command line sends, read from its source in `cli/` and validated against the schema.
//
// A call whose document is not understood fails the run: none is left out in silence.
import { readFileSync, readdirSync } from 'node:fs';
import { buildSchema, parse, validate } from 'graphql';

const schema = buildSchema(readFileSync('schema.graphql', 'utf8'));
const files = readdirSync('cli', { recursive: true }).filter((name) => name.endsWith('.rs'));
const sources = new Map(files.map((name) => [name, readFileSync(`cli/${name}`, 'utf8')]));

const LITERAL = String.raw`"((?:[^"\\]|\\[\s\S])*)"`;

function unescaped(literal) {
  return literal.replace(/\\\n\s*/g, '').replace(/\\(.)/g, (_, char) => ({ n: '\n', t: '\t' })[char] ?? char);
}

// The arguments of the call whose bracket opens at `at`, as source text.
function argumentsAt(source, at) {
  const found = [''];
  for (let [depth, i] = [0, at + 1]; ; i += 1) {
    const literal = source[i] === '"' && source.slice(i).match(new RegExp(`^${LITERAL}`));
    if (literal) {
      found[found.length - 1] += literal[0];
      i += literal[0].length - 1;
    } else if (source[i] === ')' && depth === 0) {
      return found.map((text) => text.trim()).filter(Boolean);
    } else if (source[i] === ',' && depth === 0) {
      found.push('');
    } else {
      depth += '([{'.includes(source[i]) ? 1 : ')]}'.includes(source[i]) ? -1 : 0;
      found[found.length - 1] += source[i];
    }
  }
}

// What an argument comes to: a literal, a constant, a variable that was given one, or a template of those. Several, where a
// variable has one of several.
function values(expression, source, before) {
  const text = expression.replace(/^&/, '');
  const literal = text.match(new RegExp(`^${LITERAL}$`));
  if (literal) {
    return [unescaped(literal[1])];
  }
  const template = text.match(new RegExp(String.raw`^format!\(\s*${LITERAL}\s*\)$`));
  if (template) {
    const parts = unescaped(template[1]).split(/\{\{|\}\}|\{(\w+)\}/);
    const braces = [...unescaped(template[1]).matchAll(/\{\{|\}\}|\{(\w+)\}/g)].map(([brace]) => brace);
    let results = [''];
    parts.forEach((part, at) => {
      if (at % 2 === 0) {
        const brace = braces[at / 2];
        const plain = brace === '{{' ? '{' : brace === '}}' ? '}' : '';
        results = results.map((result) => result + part + plain);
      } else if (part) {
        results = values(part, source, before).flatMap((value) => results.map((result) => result + value));
      }
    });
    return results;
  }
  const constant = source.match(new RegExp(String.raw`const ${text}: &str =\s*${LITERAL}`));
  if (constant) {
    return [unescaped(constant[1])];
  }
  // The nearest `let` before it, in the same function.
  const given = [...source.slice(0, before).matchAll(new RegExp(String.raw`let ${text} =\s*(format!\(\s*${LITERAL}\s*\)|${LITERAL});`, 'g'))].at(-1);
  if (given) {
    return values(given[1], source, given.index);
  }
  // One place of a tuple, chosen by a match.
  const tuple = source.slice(0, before).match(new RegExp(String.raw`let \(([\w, ]*\b${text}\b[\w, ]*)\) = match`));
  const place = tuple?.[1].split(', ').indexOf(text);
  const arms = tuple ? [...source.slice(tuple.index, before).matchAll(/=> (\([^()]*\)),/g)] : [];
  return arms.map(([, arm]) => unescaped(argumentsAt(arm, 0)[place].slice(1, -1)));
}

const documents = [];
const notUnderstood = [];
let calls = 0;

function eachCall(pattern, use) {
  for (const [name, source] of sources) {
    for (const match of source.matchAll(pattern)) {
      const made = use(argumentsAt(source, match.index + match[0].length - 1), (text) => values(text, source, match.index));
      // What only hands on what it was given, is no call of its own.
      if (made) {
        calls += 1;
        const place = `cli/src/${name}:${source.slice(0, match.index).split('\n').length}`;
        documents.push(...made.map((text) => ({ place, text })));
        notUnderstood.push(...(made.length ? [] : [place]));
      }
    }
  }
}

// `application(client, slug, selection)` and its like all end in one document.
const ofApplication = (selection) => `query($slug: String!) { application(slug: $slug) { id ${selection} } }`;
const shared = /let document = format!\("query\(\$slug: String!\) \{\{ application\(slug: \$slug\) \{\{ id \{selection\} \}\} \}\}"\);/;
if (!shared.test(sources.get('commands/mod.rs'))) {
  throw new Error('the document of `find_application` has changed: change it here');
}
eachCall(/(?<!fn |self\.)\b(?:find_)?application\(/g, ([, , selection], known) => {
  return !selection || (selection === 'selection' && known(selection).length === 0) ? null : known(selection).map(ofApplication);
});
eachCall(/(?:client|\?)\s*\.run\(/g, ([document, variables], known) => (variables.includes('"slug": slug') ? null : known(document)));
eachCall(/socket\s*\.subscribe\(/g, ([, document], known) => known(document));
eachCall(/client\s*\.mutate\(/g, ([field, type, , selection], known) => {
  const types = known(type);
  return known(field).flatMap((name, at) =>
    known(selection).map(
      (fields) => `mutation($input: ${types[at]}!) { ${name}(input: $input) { ${fields} errors { code message path } } }`,
    ),
  );
});

const wrong = documents.flatMap(({ place, text }) => validate(schema, parse(text)).map((error) => `${place}: ${error.message}\n  ${text}`));
for (const problem of [...notUnderstood.map((place) => `${place}: what does it send?`), ...wrong]) {
  console.log(problem);
}
console.log(`${documents.length} documents of ${calls} calls, ${wrong.length} mistakes in them`);
process.exit(notUnderstood.length + wrong.length === 0 ? 0 : 1);
