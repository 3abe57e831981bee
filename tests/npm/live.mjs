// Clients of six kinds use the server at the address given as a single-page app would: they query,
// mutate, see what was wrong, and watch an execution while the connection is cut and the server is
// restarted. It asks for the restart with a line of its own and goes on when it is answered; its
// last line has what each client saw.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { OperationTypeNode } from 'graphql';
import { createClient as createSse } from 'graphql-sse';
import { createClient as createWs } from 'graphql-ws';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';
import { operations } from './operations.mjs';
import { openLine } from './line.mjs';

const [address, folder] = process.argv.slice(2);
const asked = operations(folder);
const line = await openLine(new URL(address));
const url = `${line.url}/graphql`;
const WRONG = 'query Wrong { nothing }';

const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
const never = { retryAttempts: 0 };
const always = { retryAttempts: 1000, shouldRetry: () => true, retryWait: pause };
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const bearer = (token) => (token ? { authorization: `Bearer ${token}` } : {});

async function first(results) {
  for await (const result of results) return result;
  throw new Error('There was no answer.');
}

function codes(errors) {
  return errors.map((error) => error.extensions.code);
}

// Answers of every client in one shape: data, codes of errors, or why there is no connection.
async function settled(promise, toErrors) {
  try {
    const { data, errors } = await promise;
    return errors?.length ? { codes: codes(errors) } : { data };
  } catch (error) {
    const errors = toErrors(error);
    return errors?.length ? { codes: codes(errors) } : { lost: error.code ?? error.message };
  }
}

// Watches with a new subscription after each loss, from the cursor of the last event on.
async function watchAgain(subscribe, variables, onEvent) {
  let losses = 0;
  for (;;) {
    try {
      await subscribe({ ...variables }, (event) => {
        variables.after = event.cursor;
        onEvent(event);
      });
      return losses;
    } catch {
      losses += 1;
      await pause();
    }
  }
}

// Watches with the retries that the client itself makes; it sends `variables` as they are then.
async function watchOn(client, lost, variables, onEvent) {
  const request = { query: asked.LiveExecutionSubscription, variables };
  for await (const { data } of client.iterate(request)) {
    variables.after = data.executionEvents.cursor;
    onEvent(data.executionEvents);
  }
  return lost();
}

function iterating(client, lost) {
  return {
    ask: (query, variables) =>
      settled(first(client.iterate({ query, variables })), (error) =>
        Array.isArray(error) ? error : undefined,
      ),
    watch: (variables, onEvent) => watchOn(client, lost, variables, onEvent),
    end: () => client.dispose(),
  };
}

function webSocket(token, settings = never) {
  let losses = 0;
  const client = createWs({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: bearer(token),
    lazyCloseTimeout: 100,
    ...settings,
    on: { closed: (event) => (losses += event.code === 1000 ? 0 : 1) },
  });
  return [client, () => losses];
}

function graphqlWs(token, settings = never) {
  return iterating(...webSocket(token, settings));
}

function graphqlSse(token, { retryAttempts } = never) {
  let losses = 0;
  const retry = async () => {
    losses += 1;
    await pause();
  };
  const client = createSse({ url, headers: bearer(token), retryAttempts, retry });
  return iterating(client, () => losses);
}

function urql(token, exchange, end = () => {}) {
  const client = new Client({
    url,
    exchanges: [exchange, fetchExchange].filter(Boolean),
    fetchSubscriptions: !exchange,
    preferGetMethod: false,
    requestPolicy: 'network-only',
    fetchOptions: () => ({ headers: bearer(token) }),
  });
  const once = (kind) => (query, variables) =>
    settled(
      client[kind](query, variables)
        .toPromise()
        .then((result) => ({ data: result.data, errors: result.error?.graphQLErrors })),
    );
  const subscribe = (variables, onEvent) =>
    new Promise((resolve, reject) => {
      const source = client.subscription(asked.LiveExecutionSubscription, variables);
      source.subscribe(({ data, error, hasNext }) => {
        if (error) reject(error);
        else if (hasNext) onEvent({ ...data.executionEvents });
        else resolve(); // with the last result once more
      });
    });
  return {
    ask: (query, variables) =>
      once(asked.isMutation(query) ? 'mutation' : 'query')(query, variables),
    watch: (variables, onEvent) => watchAgain(subscribe, variables, onEvent),
    end,
  };
}

function urqlOverWs(token) {
  const [client] = webSocket(token);
  const forwardSubscription = (request) => ({
    subscribe: (sink) => ({ unsubscribe: client.subscribe(request, sink) }),
  });
  return urql(token, subscriptionExchange({ forwardSubscription }), () => client.dispose());
}

function apollo(token, socket) {
  const http = new PersistedQueryLink({ sha256 }).concat(
    new HttpLink({ uri: url, headers: bearer(token) }),
  );
  const isLive = ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION;
  const link = socket ? ApolloLink.split(isLive, new GraphQLWsLink(socket), http) : http;
  const client = new ApolloClient({ link, cache: new InMemoryCache() });
  const fetchPolicy = 'no-cache';
  const subscribe = (variables, onEvent) =>
    new Promise((resolve, reject) => {
      const query = asked.parsed(asked.LiveExecutionSubscription);
      client.subscribe({ query, variables, fetchPolicy }).subscribe({
        next: ({ data, error }) => (error ? reject(error) : onEvent(data.executionEvents)),
        error: reject,
        complete: resolve,
      });
    });
  const ask = (query, variables) => {
    const document = asked.parsed(query);
    const made = asked.isMutation(query)
      ? client.mutate({ mutation: document, variables, fetchPolicy })
      : client.query({ query: document, variables, fetchPolicy });
    return settled(made, (error) => error.errors);
  };
  const end = () => socket?.dispose();
  return { ask, watch: (variables, onEvent) => watchAgain(subscribe, variables, onEvent), end };
}

const KINDS = {
  'graphql-ws': graphqlWs,
  'graphql-sse': graphqlSse,
  'urql over SSE': (token) => urql(token),
  'urql over graphql-ws': urqlOverWs,
  'Apollo over multipart': (token) => apollo(token),
  'Apollo over graphql-ws': (token) => apollo(token, webSocket(token)[0]),
};

const question = (name) => ({
  name,
  config: { decision: { mode: 'MANUAL', choices: [{ name: 'yes' }, { name: 'no' }] } },
});

// Joins with an account of its own and starts what is to be watched.
async function join(name, number) {
  const kind = KINDS[name];
  const stranger = kind();
  const seen = { stranger: await stranger.ask(asked.WorkflowsListQuery, {}) };
  const impostor = kind('a token of nobody');
  seen.impostor = await impostor.ask(asked.WorkflowsListQuery, {});
  const password = 'a long enough password';
  const person = { email: `${number}@example.org`, password };
  const joined = await kind().ask(asked.AccountRegisterMutation, { input: person });
  const client = kind(joined.data.register.token, always);
  seen.viewer = (await client.ask(asked.AccountStartQuery, {})).data.viewer.email;
  seen.wrong = await client.ask(WRONG, {});
  seen.variables = await client.ask(asked.WorkflowsListQuery, { first: 'many' });
  const refused = await client.ask(asked.WorkflowsCreateMutation, { input: { name: ' ' } });
  seen.refused = refused.data.createWorkflow.errors;
  const input = { name: 'Twice', steps: [question('first'), question('second')] };
  const made = await client.ask(asked.WorkflowsCreateMutation, { input });
  const workflowId = made.data.createWorkflow.workflow.id;
  const started = await client.ask(asked.ExecutionsStartMutation, { input: { workflowId } });
  return { name, client, seen, executionId: started.data.startExecution.execution.id };
}

function watch(watcher) {
  const { client, executionId } = watcher;
  watcher.events = [];
  watcher.heard = () => {};
  watcher.ended = client.watch({ executionId }, (event) => {
    watcher.events.push(event);
    watcher.heard();
  });
}

async function waitsAt(watcher, stepName) {
  const isThere = () =>
    watcher.events.find(
      ({ toStepStatus, stepExecution }) =>
        toStepStatus === 'WAITING' && stepExecution.stepName === stepName,
    );
  while (!isThere()) await new Promise((resolve) => (watcher.heard = resolve));
  watcher.waiting = isThere().stepExecution.id;
}

const decide = ({ client, waiting }) =>
  client.ask(asked.ExecutionsDecideMutation, {
    input: { stepExecutionId: waiting, choice: 'yes' },
  });

async function leave({ name, client, seen, executionId, events, ended }) {
  const losses = await ended;
  const stored = await client.ask(asked.LiveHistoryQuery, { executionId });
  const history = stored.data.execution.events.edges.map(({ node }) => node.cursor);
  await client.end();
  return [name, { ...seen, losses, events, history }];
}

const watchers = [];
for (const [number, name] of Object.keys(KINDS).entries()) watchers.push(await join(name, number));
const all = (verb) => Promise.all(watchers.map(verb));
watchers.forEach(watch);
await all((each) => waitsAt(each, 'first'));
line.cut();
await all(decide);
await all((each) => waitsAt(each, 'second'));
console.log(JSON.stringify({ please: 'restart' }));
for await (const _ of createInterface({ input: process.stdin })) break;
await all(decide);
const told = Object.fromEntries(await all(leave));
console.log(JSON.stringify({ told }));
process.exit(0);
