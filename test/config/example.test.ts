import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { variables } from '../../src/config/environment.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configSchema } from '../../src/config/schema.ts';

const text = readFileSync(new URL('../../deploy/sluice.example.yaml', import.meta.url), 'utf8');
/** The same with every key that it only shows switched on. */
const complete = text.replace(/^(\s*)#(?=\S)/gm, '$1');
const env = {
  SLUICE_SECRET: 'a secret of at least 32 characters',
  SLUICE_CONFIG: 'sluice.example.yaml',
  GPU_1_API_KEY: 'key-of-the-first-server',
  BATCH_TOKEN_SECRET: 'a-secret-of-at-least-32-characters',
};
/** They come from the environment alone. */
const secrets = new Set([
  'secret',
  'admin.token',
  'redis.sentinel_password',
  'keys.environment',
  'upstreams[].api_key',
  'auth.jwt.issuers[].secret',
]);

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  default?: unknown;
  description?: string;
}

/** Every key that the schema knows, entries of lists as `[]`. */
function leaves(schema: JsonSchema, path = ''): Map<string, JsonSchema> {
  if (secrets.has(path)) return new Map([[path, schema]]);
  if (schema.items?.properties) return leaves(schema.items, `${path}[]`);
  if (!schema.properties) return new Map([[path, schema]]);
  return new Map(
    Object.entries(schema.properties).flatMap(([key, inner]) => [
      ...leaves(inner, path === '' ? key : `${path}.${key}`),
    ]),
  );
}

/** All values that stand at such a path. */
function valuesAt(value: unknown, path: string): unknown[] {
  let values = [value];
  for (const step of path.split(/\.|(?=\[\])/)) {
    values = values.flatMap((each) => {
      if (step === '[]') return Array.isArray(each) ? each : [];
      const inner = (each as Record<string, unknown> | null)?.[step];
      return inner === undefined ? [] : [inner];
    });
  }
  return values;
}

const known = leaves(z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema);

test('the example is a valid configuration without warnings, as it stands and with every key switched on', () => {
  for (const content of [text, complete]) {
    const loaded = loadConfig({ env, readFile: () => content });
    assert.deepEqual(loaded.ok ? loaded.warnings : loaded.faults, []);
  }
});

test('the example shows every key of the schema, and names the variable of every secret', () => {
  const shown = parse(complete);
  for (const path of known.keys()) {
    if (secrets.has(path)) assert.ok(text.includes(path), `${path} is not explained`);
    else assert.notDeepEqual(valuesAt(shown, path), [], `${path} is not in the example`);
  }
});

test('what the example only shows equals the default', () => {
  const standing = parse(text);
  const shown = parse(complete);
  for (const [path, schema] of known) {
    const standingValues = valuesAt(standing, path).map((value) => JSON.stringify(value));
    for (const value of valuesAt(shown, path)) {
      if (schema.default === undefined || standingValues.includes(JSON.stringify(value))) continue;
      assert.deepEqual(value, schema.default, path);
    }
  }
  const loaded = loadConfig({ env, readFile: () => complete });
  assert.ok(loaded.ok);
  const general = configSchema.shape.timeouts.parse({});
  assert.deepEqual(loaded.config.timeouts, general);
  assert.deepEqual(loaded.config.models[0]?.timeouts, general);
});

test('every key of the schema and every variable says what it is for', () => {
  for (const [path, { description }] of known) {
    assert.ok(description, `${path} has no description`);
  }
  for (const { name, meaning } of variables) {
    assert.ok(meaning.length > 10 && text.includes(name), `${name} is explained nowhere`);
  }
});
