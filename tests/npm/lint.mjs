// Prints as JSON what graphql-eslint and graphql-schema-linter find in the schema at the path given.
import graphqlEslint from '@graphql-eslint/eslint-plugin';
import { ESLint } from 'eslint';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { buildSchema, isObjectType } from 'graphql';

const file = process.argv[2];
const { configs, parser, rules } = graphqlEslint;

// Values without an identity, such as a page or a payload, have no id: the rule holds for nodes.
function valuesIn(schema) {
  const types = Object.values(schema.getTypeMap()).filter(isObjectType);
  const isNode = (type) => type.getInterfaces().some(({ name }) => name === 'Node');
  return types.filter((type) => !isNode(type)).map(({ name }) => name);
}

const chosen = {
  ...configs['flat/schema-recommended'].rules,
  ...configs['flat/schema-relay'].rules,
  // Connections have `nodes` beside `edges`, and payloads lists of errors: the contract promises both.
  '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false }],
  '@graphql-eslint/strict-id-in-types': [
    'error',
    { exceptions: { types: valuesIn(buildSchema(readFileSync(file, 'utf8'))) } },
  ],
};

async function eslint() {
  const linter = new ESLint({
    cwd: dirname(file),
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ['**/*.graphql'],
        plugins: { '@graphql-eslint': { rules } },
        languageOptions: { parser, parserOptions: { graphQLConfig: { schema: file } } },
        rules: chosen,
      },
    ],
  });
  const [{ messages }] = await linter.lintFiles([basename(file)]);
  return messages.map(({ line, ruleId, message }) => `${line}: ${message} (${ruleId})`);
}

function schemaLinter() {
  const program = 'node_modules/graphql-schema-linter/lib/cli.js';
  const told = ['--format', 'json', file];
  return new Promise((resolve, reject) =>
    execFile(process.execPath, [program, ...told], (error, output, complaint) => {
      const { errors } = output ? JSON.parse(output) : reject(new Error(complaint, { cause: error }));
      resolve(errors.map(({ location, message, rule }) => `${location.line}: ${message} (${rule})`));
    }),
  );
}

const ruleCount = Object.keys(chosen).length;
console.log(
  JSON.stringify({ ruleCount, eslint: await eslint(), schemaLinter: await schemaLinter() }),
);
