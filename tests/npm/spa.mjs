// Turns the operations of a single-page app into what its tools make of them, in the folder given.
import { codegen } from '@graphql-codegen/core';
import * as operations from '@graphql-codegen/typescript-operations';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { buildSchema, parse, print, validate } from 'graphql';

const [schemaFile, folder, target] = process.argv.slice(2);
const schema = buildSchema(readFileSync(schemaFile, 'utf8'));
const modules = readdirSync(folder)
  .filter((name) => name.endsWith('.graphql'))
  .sort()
  .map((name) => ({
    name: basename(name, '.graphql'),
    document: parse(readFileSync(join(folder, name), 'utf8')),
  }));

function mistakes() {
  const definitions = modules.flatMap(({ document }) => document.definitions);
  return validate(schema, { kind: 'Document', definitions }).map((error) => error.message);
}

async function types() {
  const config = {
    strictScalars: true,
    dedupeOperationSuffix: true,
    useTypeImports: true,
    defaultScalarType: 'unknown',
    scalars: {
      CronExpression: 'string',
      DateTime: 'string',
      Decimal: 'string',
      Expression: 'string',
      JSON: 'unknown',
      JSONObject: 'Record<string, unknown>',
      SafeInt: 'number',
      TimeZone: 'string',
      URL: 'string',
    },
  };
  const output = await codegen({
    filename: 'types.ts',
    schema: parse(readFileSync(schemaFile, 'utf8')),
    documents: modules.map(({ name, document }) => ({ location: name, document })),
    config,
    plugins: [{ operations: {} }],
    pluginMap: { operations },
  });
  writeFileSync(join(target, 'types.ts'), output);
}

// Relay reads documents from the modules that use them, one definition at a time.
function relay() {
  const [sources, artifacts] = [join(target, 'src'), join(target, 'artifacts')];
  mkdirSync(sources);
  mkdirSync(artifacts);
  for (const { name, document } of modules) {
    const tags = document.definitions.map((each) => `graphql\`\n${print(each)}\n\`;`);
    const text = `import { graphql } from 'relay-runtime';\n\n${tags.join('\n\n')}\n`;
    writeFileSync(join(sources, `${name}.ts`), text);
  }
  writeFileSync(join(target, 'schema.graphql'), readFileSync(schemaFile));
  writeFileSync(join(target, 'documents.json'), '{}');
  const config = {
    src: './src',
    schema: './schema.graphql',
    artifactDirectory: './artifacts',
    language: 'typescript',
    persistConfig: { file: './documents.json', algorithm: 'SHA256' },
  };
  writeFileSync(join(target, 'relay.config.json'), JSON.stringify(config));
  const compiler = resolve('node_modules/relay-compiler/cli.js');
  const ended = spawnSync(process.execPath, [compiler, 'relay.config.json'], { cwd: target });
  if (ended.status !== 0) throw new Error(ended.stderr.toString());
  return readdirSync(artifacts).sort();
}

const found = mistakes();
if (found.length) throw new Error(found.join('\n'));
await types();
console.log(JSON.stringify({ artifacts: relay() }));
