/** `model@version` meets that version; permissions, usage, logs and lists know the public name alone. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked, completion } from './answers.ts';
import { assertRefused, bearer, chat, send } from './client.ts';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [
        {
          name: 'm',
          aliases: ['alias'],
          versions: [
            { name: 'v1', upstreams: ['gpu'], upstream_model: '/models/m-1' },
            { name: 'v2', weight: 0, upstreams: [{ name: 'gpu', upstream_model: '/models/m-2' }] },
          ],
          prices: { input_per_million_usd: 1 },
        },
        { name: 'other', upstreams: ['gpu'] },
      ],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

function ask(model: string, key = gateway.key) {
  return send(gateway.url, '/v1/chat/completions', { headers: bearer(key), body: chat({ model }) });
}

function arrivedAs(): unknown {
  return (JSON.parse(upstream.requests.at(-1)?.body ?? '') as { model: unknown }).model;
}

test('it is met by its name, weight or none, and the answer names what was asked for', async () => {
  for (const [asked, served] of [
    ['m', '/models/m-1'],
    ['alias', '/models/m-1'],
    ['m@v1', '/models/m-1'],
    ['m@v2', '/models/m-2'],
  ] as const) {
    const reply = await ask(asked);
    assert.equal(reply.body.toString(), completion(asked));
    assert.equal(arrivedAs(), served, asked);
  }
});

test('a version that does not exist is no model', async () => {
  for (const name of ['m@v3', 'm@', 'alias@v2', 'other@v1', '@v1']) {
    const { message } = assertRefused(await ask(name), 'model_not_found');
    assert.equal(message, `The model '${name}' does not exist.`);
  }
});

test('a key that may use the model may use its versions, and another key none of them', async () => {
  const { key: allowed } = await gateway.createKey({ name: 'allowed', models: ['m'] });
  const { key: barred } = await gateway.createKey({ name: 'barred', models: ['other'] });
  for (const name of ['m', 'm@v1', 'm@v2']) {
    assert.equal((await ask(name, allowed)).status, 200);
    assertRefused(await ask(name, barred), 'model_not_allowed');
  }
});

test('usage and prices go by the public name, and the log line has the version beside it', async () => {
  const { key } = await gateway.createKey({ tenant: 'counted', name: 'counted' });
  await ask('m@v2', key);
  await ask('m', key);
  const calls = async () => {
    const { body } = await gateway.admin('GET', '/usage/calls?tenant=counted');
    return body.data as { model: string; cost_usd: number }[];
  };
  await until(async () => (await calls()).length === 2, 'both calls in the books');
  for (const { model, cost_usd } of await calls()) assert.deepEqual([model, cost_usd], ['m', 0.000005]);
  let lines: Record<string, unknown>[] = [];
  await until(async () => {
    lines = (await gateway.logLines(1)).filter(({ tenant }) => tenant === 'counted');
    return lines.length === 2;
  }, 'both lines');
  assert.deepEqual(
    lines.map(({ model, version }) => [model, version]),
    [
      ['m', 'v2'],
      ['m', 'v1'],
    ],
  );
});

test('the list of models has the public names alone', async () => {
  const list = await send(gateway.url, '/v1/models', { method: 'GET', headers: bearer(gateway.key) });
  const { data } = JSON.parse(list.body.toString()) as { data: { id: string }[] };
  assert.deepEqual(
    data.map(({ id }) => id),
    ['m', 'other'],
  );
});
