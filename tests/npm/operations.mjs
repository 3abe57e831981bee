// The operations of a single-page app, each as a document that stands alone.
import { getOperationAST, parse, print, separateOperations } from 'graphql';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

// Returns texts by name, `parsed` to get the document of a text, and `isMutation` to tell its kind.
export function operations(folder) {
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const documents = separateOperations(parse(texts.join('\n')));
  const entries = Object.entries(documents).map(([name, document]) => [name, print(document)]);
  const byText = new Map(entries.map(([name, text]) => [text, documents[name]]));
  const parsed = (text) => byText.get(text) ?? parse(text);
  const isMutation = (text) => getOperationAST(parsed(text)).operation === 'mutation';
  return { ...Object.fromEntries(entries), parsed, isMutation };
}
