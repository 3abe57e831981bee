// Prints as JSON the changes from one schema to another, by how much they break.
import { diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import { readFileSync } from 'node:fs';

const [promised, current] = process.argv
  .slice(2)
  .map((file) => buildSchema(readFileSync(file, 'utf8')));
const found = { BREAKING: [], DANGEROUS: [], NON_BREAKING: [] };
for (const { criticality, message } of await diff(promised, current)) {
  found[criticality.level].push(message);
}
console.log(JSON.stringify(found));
