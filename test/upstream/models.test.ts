/** A name leads to one pool: of whichever version, on which servers, under what name there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Model, Models } from '../../src/upstream/models.ts';
import { configured } from './support/configured.ts';

const models = new Models(
  configured({
    models: [
      {
        name: 'plain',
        aliases: ['gpt-4', '*'],
        upstreams: ['a', { name: 'b', weight: 3, upstream_model: 'plain-awq' }],
        upstream_model: '/models/plain',
        context_length: 4_096,
        prices: { input_per_million_usd: 2 },
        timeouts: { first_byte_ms: 5_000 },
        choice: 'least_load',
        session_headers: ['X-Chat-Id'],
      },
      {
        name: 'chat',
        upstream_model: 'chat-2026',
        versions: [
          { name: 'stable', weight: 9, upstreams: ['a', 'b'] },
          { name: 'canary', upstreams: ['c'], upstream_model: 'chat-next' },
          { name: 'old', weight: 0, upstreams: ['a'] },
        ],
      },
    ],
    default_model: 'chat',
  }),
);

const resolve = (name: string | undefined, random = 0) => models.resolve(name, 0, () => random);
const shown = (model: Model | undefined) =>
  model?.pool.members.map(({ upstream, upstreamModel, weight, version }) => [
    upstream.name,
    upstreamModel,
    weight,
    version,
  ]);

test('a server has the weight and the name of the model that stand beside it, else those of the model', () => {
  const plain = resolve('plain');
  assert.deepEqual(shown(plain), [
    ['a', '/models/plain', 1, undefined],
    ['b', 'plain-awq', 3, undefined],
  ]);
  assert.deepEqual(
    [plain?.pool.name, plain?.pool.choice, plain?.pool.sessionHeaders],
    ['plain', 'least_load', ['x-chat-id']],
  );
  assert.deepEqual([plain?.contextLength, plain?.timeouts.first_byte_ms], [4_096, 5_000]);
  assert.equal(plain?.prices.inputToken, 2_000);
});

test('aliases, the default and the catch-all lead to their model', () => {
  for (const name of ['gpt-4', 'whatever', 'constructor', '', 'chat@v9']) {
    assert.equal(resolve(name), resolve('plain'), name);
  }
  assert.equal(resolve(undefined)?.name, 'chat');
});

test('without a catch-all an unknown name, or an unknown version, leads nowhere', () => {
  const strict = new Models(
    configured({ models: [{ name: 'm', versions: [{ name: 'v1', upstreams: ['a'] }] }] }),
  );
  for (const name of ['M', 'm@', 'm@v2', '@v1', 'v1', '*', undefined]) {
    assert.equal(strict.resolve(name, 0, Math.random), undefined, String(name));
  }
  assert.equal(strict.incomplete, false);
});

test('a version is chosen by its weight, and met for sure by its name, under the public name alone', () => {
  const at = (random: number) => resolve('chat', random)?.version;
  assert.deepEqual([at(0), at(0.89), at(0.91), at(0.999999)], ['stable', 'stable', 'canary', 'canary']);
  assert.deepEqual(shown(resolve('chat@stable')), [
    ['a', 'chat-2026', 1, 'stable'],
    ['b', 'chat-2026', 1, 'stable'],
  ]);
  assert.deepEqual(shown(resolve('chat@canary')), [['c', 'chat-next', 1, 'canary']]);
  for (const version of ['stable', 'canary', 'old']) {
    const model = resolve(`chat@${version}`);
    assert.deepEqual([model?.name, model?.pool.name], ['chat', `chat@${version}`]);
  }
  assert.deepEqual(
    models.list().map(({ name }) => name),
    ['plain', 'chat'],
  );
});

test('a call resolves to the same objects each time, so that others may remember things by them', () => {
  assert.equal(resolve('chat@canary'), resolve('chat', 0.95));
  assert.equal(resolve('plain')?.pool, resolve('gpt-4')?.pool);
});

test('a listed model is served under its own name, configured names stand before it, and it stays the same object', () => {
  const listing = new Models(
    configured({
      upstreams: ['a', 'b'].map((name) => ({ name, url: `http://${name}.test`, discover: true })),
      models: [{ name: 'm', versions: [{ name: 'v1', upstreams: ['a'] }] }],
    }),
  );
  const find = (name: string) => listing.resolve(name, 0, Math.random);
  assert.ok(listing.incomplete);
  const long = 'x'.repeat(200);
  for (const upstream of listing.upstreams.values()) {
    upstream.discovered = new Map([
      ['found', 8_192],
      ['m', 1],
      ['m@v1', 1],
      [long, undefined],
    ]);
  }
  listing.refreshDiscovered();
  const found = find('found');
  assert.deepEqual(shown(found), [
    ['a', 'found', 1, undefined],
    ['b', 'found', 1, undefined],
  ]);
  assert.deepEqual([found?.contextLength, found?.pool.choice], [8_192, 'affinity']);
  assert.equal(find(long)?.name, long);
  assert.equal(find('m@v1')?.contextLength, undefined);
  listing.refreshDiscovered();
  assert.equal(find('found'), found);
  const [, second] = [...listing.upstreams.values()];
  if (second) second.discovered = new Map();
  listing.refreshDiscovered();
  assert.deepEqual(shown(find('found')), [['a', 'found', 1, undefined]]);
});
