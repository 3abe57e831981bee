// A GraphQL server of others on a free port of the loopback: hello, a list of 50 objects with 8
// fields each, and a mutation. GET /cpu tells the seconds of processor time that it has used.
import { createServer } from 'node:http';
import { createSchema, createYoga } from 'graphql-yoga';

const items = Array.from({ length: 50 }, (_, n) => ({
  id: `item_${n}`,
  name: `Item ${n}`,
  note: 'A note',
  status: 'DONE',
  count: n,
  ratio: n / 7,
  isGood: n % 2 === 0,
  createdAt: '2026-11-23T12:00:00Z',
}));

const yoga = createYoga({
  schema: createSchema({
    typeDefs: `
      type Item {
        id: ID! name: String! note: String status: String! count: Int! ratio: Float!
        isGood: Boolean! createdAt: String!
      }
      type Query { hello: String! items: [Item!]! }
      type Mutation { rename(name: String!): String! }
    `,
    resolvers: {
      Query: { hello: async () => 'Hello, world!', items: async () => items },
      Mutation: { rename: async (_, { name }) => name },
    },
  }),
  logging: false,
});

const server = createServer((request, response) => {
  if (request.url !== '/cpu') return yoga(request, response);
  const { user, system } = process.cpuUsage();
  return response.end(String((user + system) / 1e6));
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
process.on('SIGTERM', () => process.exit(0));
