// urql: pages, also by GET, mutations with refusals, a subscription over the restart of the server.
import { Client, cacheExchange, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import { application, assert, authorization, document, expectPlans, expectRefused, expectRenamed, lines, socketUrl, url } from './expect.mjs';
import { follow } from './follow.mjs';

const socket = createClient({ url: socketUrl, connectionParams: { authorization }, retryAttempts: 0 });
const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization } },
  exchanges: [
    cacheExchange,
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: request.query ?? '', variables: request.variables }, sink) }),
      }),
    }),
  ],
});

const plans = gql(await document('Plans'));
for (const preferGetMethod of [false, 'force']) {
  const slugs = [];
  let after = null;
  do {
    const { data, error } = await client.query(plans, { first: 2, after }, { preferGetMethod, requestPolicy: 'network-only' });
    assert.equal(error, undefined);
    slugs.push(...data.plans.nodes.map(({ slug }) => slug));
    after = data.plans.pageInfo.hasNextPage ? data.plans.pageInfo.endCursor : null;
  } while (after);
  expectPlans(slugs);
}

const rename = gql(await document('Rename'));
const mutate = async (id, name) => (await client.mutation(rename, { id, name })).data.applicationUpdate;
expectRenamed(await mutate(application, 'By urql'), 'By urql');
expectRefused(await mutate('app_00000000000000000000000000', 'Nobody'));

const refused = await client.query(gql`{ nothing }`, {});
assert.equal(refused.error.graphQLErrors[0].extensions.code, 'QUERY_REJECTED');
console.log(`an error: ${refused.error.message}`);

const logs = gql(await document('Logs'));
await follow({
  lines,
  watch(variables, { next, error, complete }) {
    let ended = false;
    const results = client.subscription(logs, { id: application, ...variables });
    const subscription = results.subscribe((result) => {
      if (result.error) {
        error(result.error);
      } else if (result.data && !ended) {
        next(result.data.applicationLogs);
      }
      if (result.hasNext === false) {
        complete();
      }
    });
    return () => {
      ended = true;
      subscription.unsubscribe();
    };
  },
});
await socket.dispose();
process.exit(0);
