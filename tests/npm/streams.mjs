// Asks the same of a server through clients of every transport; prints what each was answered.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { createHash } from 'node:crypto';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient as createSse } from 'graphql-sse';
import { createClient as createWs } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.argv[2];
const QUERY = '{ hello }';
const MUTATION = 'mutation { rename(name: "Ada") }';
const STREAM = 'subscription { count(to: 3) }';
const WRONG = '{ nothing }';
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

async function collect(iterable) {
  const found = [];
  for await (const result of iterable) found.push(result);
  return found;
}

async function failure(promise) {
  try {
    return { answered: await promise };
  } catch (error) {
    return { failed: Array.isArray(error) ? error[0].message : error.message };
  }
}

async function iterated(client) {
  const all = [];
  for (const query of [QUERY, MUTATION, STREAM]) {
    all.push((await collect(client.iterate({ query }))).map((each) => each.data));
  }
  const wrong = await failure(collect(client.iterate({ query: WRONG })));
  await client.dispose();
  return { all, wrong };
}

async function urql() {
  const client = new Client({
    url,
    exchanges: [fetchExchange],
    fetchSubscriptions: true,
    preferGetMethod: false,
  });
  const all = [];
  all.push([(await client.query(QUERY, {}).toPromise()).data]);
  all.push([(await client.mutation(MUTATION, {}).toPromise()).data]);
  all.push(
    await new Promise((resolve) => {
      const found = [];
      client.subscription(STREAM, {}).subscribe((result) => {
        // The end is told by the last result once more, with hasNext false.
        if (result.hasNext) found.push({ ...result.data });
        else resolve(found);
      });
    }),
  );
  const wrong = await client.query(WRONG, {}).toPromise();
  return { all, wrong: { failed: wrong.error.graphQLErrors[0].message } };
}

async function apollo() {
  const persisted = new PersistedQueryLink({ sha256: (text) => sha256(text) });
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: persisted.concat(new HttpLink({ uri: url })),
    defaultOptions: { query: { fetchPolicy: 'no-cache' } },
  });
  const all = [];
  await client.query({ query: gql(QUERY) });
  all.push([(await client.query({ query: gql(QUERY) })).data]);
  all.push([(await client.mutate({ mutation: gql(MUTATION) })).data]);
  all.push(
    await new Promise((resolve, reject) => {
      const found = [];
      client.subscribe({ query: gql(STREAM), fetchPolicy: 'no-cache' }).subscribe({
        next: (result) => (result.error ? reject(result.error) : found.push(result.data)),
        error: reject,
        complete: () => resolve(found),
      });
    }),
  );
  return { all, wrong: await failure(client.query({ query: gql(WRONG) })) };
}

const socket = createWs({
  url: url.replace('http', 'ws'),
  webSocketImpl: WebSocket,
  retryAttempts: 0,
});
console.log(
  JSON.stringify({
    'graphql-ws': await iterated(socket),
    'graphql-sse': await iterated(createSse({ url, retryAttempts: 0 })),
    urql: await urql(),
    apollo: await apollo(),
  }),
);
