import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, knownParameters } from '../../src/core/parameters.ts';
import { checkBody, endpoints } from '../../src/http/endpoints.ts';
import { idempotencyKeyOf } from '../../src/http/idempotency-key.ts';
import { publicOperations } from '../../src/http/openapi/public-operations.ts';
import { requestBody, requestExamples } from '../../src/http/openapi/request-bodies.ts';
import { fitsSchema } from '../support/openapi.ts';

const caps = { n: 4, max_tokens: 1_000, stop: 2, logprobs: 5 };
const BODIES = 4_000;
const SEED = 20_261_121;

/** Of all types, and around the bounds. */
const values: readonly unknown[] = [
  ...[null, true, false, '', 'text', {}, [], ['a', 'b'], ['a', 'b', 'c'], { a: 1 }],
  ...[-2, -1, 0, 1, 1.5, 4, 5, 6, 1_000, 1_001, Number.MAX_SAFE_INTEGER, 2 ** 53, -(2 ** 53)],
  ...[[{ role: 'user', content: 'Hello' }], [{ role: 'user' }], [{ role: 7 }], [{ role: 'a', content: 1 }]],
  ...['m'.repeat(1_024), 'm'.repeat(1_025)],
];

/** The same sequence each time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('the document takes a body exactly when the gateway does', () => {
  const random = chance(SEED);
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  let taken = 0;
  for (const endpoint of endpoints) {
    const schema = requestBody(endpoint, caps);
    const fits = fitsSchema(schema);
    // Of the others the document says what GPU servers take, and the gateway does not look at them.
    const looked = Object.keys(schema.properties as object).filter(
      (name) => kindOf(name) !== undefined || (endpoint.unsupported as readonly string[]).includes(name),
    );
    for (let count = 0; count < BODIES / endpoints.length; count += 1) {
      const body: Record<string, unknown> = { ...(requestExamples[endpoint.path] as object) };
      for (let changes = 0; changes < 2; changes += 1) {
        const name = pick(looked);
        if (random() < 0.1) delete body[name];
        else body[name] = pick(values);
      }
      const refused = checkBody(endpoint, body, caps);
      if (!refused) taken += 1;
      assert.equal(fits(body), !refused, `${endpoint.path} ${JSON.stringify(body)}: ${refused?.message}`);
    }
  }
  assert.ok(taken > BODIES / 20 && taken < BODIES / 2, `${taken} of ${BODIES} were taken`);
});

test('every parameter that the gateway knows stands at an operation', () => {
  const named = endpoints.flatMap((endpoint) =>
    Object.keys(requestBody(endpoint, caps).properties as object),
  );
  assert.deepEqual(
    knownParameters().filter((name) => !named.includes(name)),
    [],
  );
});

test('the bound of logprobs holds where it is a number', () => {
  const [endpoint] = endpoints.filter(({ path }) => path === '/v1/completions');
  assert.ok(endpoint);
  const fits = fitsSchema(requestBody(endpoint, caps));
  for (const [logprobs, isTaken] of [
    [5, true],
    [6, false],
    [true, true],
    [null, true],
  ] as const) {
    const body = { prompt: 'Hello', logprobs };
    assert.equal(checkBody(endpoint, body, caps) === undefined, isTaken);
    assert.equal(fits(body), isTaken);
  }
});

test('the document takes an Idempotency-Key exactly when the gateway does', () => {
  const { parameters = [] } = publicOperations(caps)['POST /v1/embeddings'] ?? {};
  const described = parameters.find(({ name }) => name === 'Idempotency-Key');
  assert.ok(described);
  const fits = fitsSchema(described.schema);
  for (const key of ['a', 'a b', '', 'k'.repeat(255), 'k'.repeat(256), 'ü']) {
    assert.equal(fits(key), idempotencyKeyOf({ 'idempotency-key': key }) === key, key);
  }
});
