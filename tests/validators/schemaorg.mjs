// Judge the structured data of pages: node schemaorg.mjs NODE_MODULES VOCABULARY PAGE… writes one finding a line, as JSON.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, vocabulary, ...pages] = process.argv.slice(2);
const load = async (path) => (await import(pathToFileURL(resolve(modules, path)))).default;
const Validator = await load('@adobe/structured-data-validator/src/index.js');
const Extractor = await load('@marbec/web-auto-extractor/dist/index.js');
const terms = JSON.parse(readFileSync(vocabulary, 'utf8'));
for (const page of pages) {
  const html = readFileSync(page, 'utf8');
  const found = new Extractor({ addLocation: true, embedSource: ['rdfa', 'microdata'] }).parse(html);
  for (const { severity, issueMessage, fieldNames } of await new Validator(terms).validate(found)) {
    console.log(JSON.stringify({ page, severity, message: issueMessage, fields: fieldNames ?? [] }));
  }
}
