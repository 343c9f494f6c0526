// The audits that `graphql-http` has for servers: GraphQL over HTTP, point by point.
//
// URL is the endpoint; TOKEN, if there is one, signs in. Ends with 1 unless all pass.
import { serverAudits } from 'graphql-http';

const { URL: url, TOKEN: token } = process.env;

function fetchFn(target, init = {}) {
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  return fetch(target, { ...init, headers: { ...init.headers, ...authorization } });
}

const audits = serverAudits({ url, fetchFn });
let passed = 0;
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status === 'ok') {
    passed += 1;
  } else {
    console.log(`${result.status}: ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(`${passed} of ${audits.length} audits pass`);
process.exit(passed === audits.length ? 0 : 1);
