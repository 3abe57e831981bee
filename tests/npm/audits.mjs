// Runs the audits of graphql-http against the address that is given; prints what did not pass.
import { serverAudits } from 'graphql-http';

const results = [];
for (const audit of serverAudits({ url: process.argv[2] })) {
  const result = await audit.fn();
  results.push({ id: result.id, status: result.status, reason: result.reason ?? null });
}
console.log(JSON.stringify(results));
