// Typed documents at work: a wrong variable or a field that was not asked for does not compile.
import { Client, fetchExchange } from '@urql/core';
import { PlansDocument, RenameDocument } from './gql/graphql.ts';

declare const process: { env: Record<string, string | undefined> };

const client = new Client({
  url: process.env.URL ?? '',
  preferGetMethod: false,
  exchanges: [fetchExchange],
});

const { data, error } = await client.query(PlansDocument, { first: 2 });
if (error || !data) {
  throw error ?? new Error('nothing was answered');
}
for (const plan of data.plans.nodes) {
  const amount: string = plan.priceHourly.amount;
  console.log(`${plan.slug}: ${amount} ${plan.priceHourly.currency}`);
}

export async function wrong() {
  // @ts-expect-error: `first` is a number.
  await client.query(PlansDocument, { first: 'two' });
  // @ts-expect-error: `name` is missing.
  await client.mutation(RenameDocument, { id: 'app_x' });
  // @ts-expect-error: the document does not ask for it.
  return data?.plans.nodes[0]?.cpuMillis;
}
