// Apollo Client: pages into its cache, mutations with refusals, a subscription over the restart of the server.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition, relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws';
import { filter, firstValueFrom } from 'rxjs';
import { application, assert, authorization, document, expectPlans, expectRefused, expectRenamed, lines, socketUrl, url } from './expect.mjs';
import { follow } from './follow.mjs';

const http = new HttpLink({ uri: url, headers: { authorization } });
const socket = createClient({ url: socketUrl, connectionParams: { authorization }, retryAttempts: 0 });
const isSubscription = ({ query }) => getMainDefinition(query).operation === 'subscription';
const client = new ApolloClient({
  link: ApolloLink.split(isSubscription, new GraphQLWsLink(socket), http),
  cache: new InMemoryCache({ typePolicies: { Query: { fields: { plans: relayStylePagination() } } } }),
});

// Pages, which Apollo's own policy for Relay's lists puts together. It reads `edges`.
const plans = gql`
  query ($first: Int!, $after: String) {
    plans(first: $first, after: $after) {
      edges { cursor node { id slug } }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }
`;
const query = client.watchQuery({ query: plans, variables: { first: 2 } });
let { data } = await firstValueFrom(query.pipe(filter(({ loading }) => !loading)));
while (data.plans.pageInfo.hasNextPage) {
  await query.fetchMore({ variables: { after: data.plans.pageInfo.endCursor } });
  ({ data } = query.getCurrentResult());
}
expectPlans(data.plans.edges.map(({ node }) => node.slug));

const rename = gql(await document('Rename'));
const mutate = async (id, name) => (await client.mutate({ mutation: rename, variables: { id, name } })).data.applicationUpdate;
expectRenamed(await mutate(application, 'By Apollo'), 'By Apollo');
expectRefused(await mutate('app_00000000000000000000000000', 'Nobody'));

// What is refused as a whole is an error with a code.
const refused = await client.query({ query: gql`{ nothing }`, errorPolicy: 'all' });
assert.equal(refused.error.errors[0].extensions.code, 'QUERY_REJECTED');
console.log(`an error: ${refused.error.message}`);

const logs = gql(await document('Logs'));
await follow({
  lines,
  watch(variables, { next, error, complete }) {
    const results = client.subscribe({ query: logs, variables: { id: application, ...variables }, fetchPolicy: 'no-cache' });
    const subscription = results.subscribe({
      next: (result) => (result.error ? error(result.error) : next(result.data.applicationLogs)),
      error,
      complete,
    });
    return () => subscription.unsubscribe();
  },
});
await socket.dispose();
process.exit(0);
