/** A canary gets its share of the calls, or of the keys where the model is sticky, and nobody can tell by the answer. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked, completion } from './answers.ts';
import { bearer, chat, send } from './client.ts';

const CALLS = 400;
const KEYS = 60;
const SHARE = 0.25;

let stable: TestUpstream;
let canary: TestUpstream;
let gateway: TestGateway;

before(async () => {
  [stable, canary] = await Promise.all([startUpstream(answerAsAsked), startUpstream(answerAsAsked)]);
  const versions = [
    { name: 'stable', weight: 1 - SHARE, upstreams: ['one'], upstream_model: 'm-2026-05' },
    { name: 'canary', weight: SHARE, upstreams: ['two'], upstream_model: 'm-2026-11' },
  ];
  gateway = await startGateway({
    config: {
      upstreams: [
        { name: 'one', url: stable.url },
        { name: 'two', url: canary.url },
      ],
      models: [
        { name: 'free', versions },
        { name: 'sticky', versions, sticky: 'key' },
      ],
    },
  });
});

after(async () => {
  await gateway.stop();
  await Promise.all([stable.stop(), canary.stop()]);
});

/** How many of so many calls met the canary. */
async function callsOnCanary(model: string, key: string, count: number): Promise<number> {
  const before = canary.requests.length;
  const call = async () => {
    const { body } = await send(gateway.url, '/v1/chat/completions', {
      headers: bearer(key),
      body: chat({ model }),
    });
    assert.equal(body.toString(), completion(model));
  };
  for (let done = 0; done < count; done += 20) await Promise.all(Array.from({ length: 20 }, call));
  return canary.requests.length - before;
}

/** Five standard deviations: once in two million runs it is further off. */
const bound = (count: number) => 5 * Math.sqrt(count * SHARE * (1 - SHARE));

test('by chance, a canary gets the share of its weight, under its own name', async (t) => {
  const met = await callsOnCanary('free', gateway.key, CALLS);
  t.diagnostic(`${met} of ${CALLS} calls met the canary, expected ${CALLS * SHARE}`);
  assert.ok(Math.abs(met - CALLS * SHARE) <= bound(CALLS));
  const names = (upstream: TestUpstream) =>
    new Set(upstream.requests.map(({ body }) => (JSON.parse(body) as { model: string }).model));
  assert.deepEqual([[...names(stable)], [...names(canary)]], [['m-2026-05'], ['m-2026-11']]);
});

test('sticky, all calls of a key meet one version, and the keys are shared out by weight', async (t) => {
  let keysOnCanary = 0;
  for (let index = 0; index < KEYS; index += 1) {
    const { key } = await gateway.createKey({ tenant: `tenant-${index % 5}`, name: `key-${index}` });
    const met = await callsOnCanary('sticky', key, 20);
    assert.ok(met === 0 || met === 20, `${met} of 20`);
    if (met > 0) keysOnCanary += 1;
  }
  t.diagnostic(`${keysOnCanary} of ${KEYS} keys met the canary, expected ${KEYS * SHARE}`);
  assert.ok(keysOnCanary > 0 && Math.abs(keysOnCanary - KEYS * SHARE) <= bound(KEYS));
});
