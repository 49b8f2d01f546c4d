/** A request with an Idempotency-Key runs once, and whoever repeats it gets its answer, through any replica. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { until } from '../../support/gateway.ts';
import { assertRefused, bearer, chat, type Reply, send } from '../client.ts';
import { ask, house, prompt } from './house.ts';

const at = house({ idempotency: { answer_bytes_max: 4_000, tenant_keys_max: 400 } }, { tokens: 4 });

function once(key: string, fields: Record<string, unknown>, through = at.one, caller = at.key) {
  return ask(through, { key: caller, headers: { 'idempotency-key': key }, fields });
}

/** Until the end has been written, which no answer waits for. */
async function replayed(key: string, fields: Record<string, unknown>, caller?: string): Promise<Reply> {
  let reply: Reply | undefined;
  await until(async () => {
    reply = await once(key, fields, at.two, caller);
    return reply.headers['idempotency-replayed'] === 'true';
  }, 'the stored answer');
  return reply as Reply;
}

test('a hundred at once through two replicas are one upstream call', async () => {
  at.simulator.state.addFault({ first_token_ms: 500, prompt: 'hundred' });
  const before = at.sent;
  const fields = prompt('hundred');
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, index) => once('hundred', fields, index % 2 ? at.one : at.two)),
  );
  at.simulator.state.clearFaults();
  const ran = replies.filter(({ status }) => status === 200);
  assert.equal(ran.length, 1);
  for (const reply of replies.filter((one) => one !== ran[0])) {
    assertRefused(reply, 'idempotency_running');
    assert.ok(Number(reply.headers['retry-after-ms']) >= 500);
  }
  const again = await replayed('hundred', fields);
  assert.equal(again.body.toString(), ran[0]?.body.toString());
  assert.equal(at.sent - before, 1);
  const counted = (result: string) => at.two.metric(`sluice_idempotency_total{result="${result}"}`);
  assert.ok((await counted('running')) >= 49 && (await counted('finished')) === 1);
});

test('the stored answer costs nothing, and needs no place under the limits', async () => {
  const limits = { requests_per_minute: 1, burst_requests: 1 };
  const { key } = await at.one.createKey({ tenant: 'slow', name: 'slow', limits });
  const first = await once('limited', prompt('limited'), at.one, key);
  assert.equal(first.status, 200);
  assert.equal(first.headers['idempotency-replayed'], undefined);
  const again = await replayed('limited', prompt('limited'), key);
  assert.equal(again.status, 200);
  assert.equal(again.body.toString(), first.body.toString());
  assertRefused(await once('another', prompt('limited'), at.one, key), 'rate_limit_exceeded');
});

test('a stream is repeated as the same stream', async () => {
  const fields = { stream: true, ...prompt('stream') };
  const first = await once('stream', fields);
  const again = await replayed('stream', fields);
  assert.match(String(again.headers['content-type']), /^text\/event-stream/);
  assert.equal(again.body.toString(), first.body.toString());
});

test('another body or path is a mismatch; another tenant is another key', async () => {
  const both = { ...prompt('mine'), prompt: 'mine' };
  await once('mine', both);
  await replayed('mine', both);
  assertRefused(await once('mine', prompt('yours')), 'idempotency_mismatch');
  const headers = { ...bearer(at.key), 'idempotency-key': 'mine' };
  const body = chat(both);
  assertRefused(await send(at.one.url, '/v1/completions', { headers, body }), 'idempotency_mismatch');
  const { key } = await at.one.createKey({ tenant: 'another', name: 'another' });
  const other = await once('mine', prompt('yours'), at.one, key);
  assert.deepEqual([other.status, other.headers['idempotency-replayed']], [200, undefined]);
});

test('a key that may not use the model does not get the answer of one that may', async () => {
  await once('secret', prompt('secret'));
  await replayed('secret', prompt('secret'));
  const { key } = await at.one.createKey({ name: 'narrow', models: ['cached'] });
  assertRefused(await once('secret', prompt('secret'), at.one, key), 'model_not_allowed');
});

test('the server’s refusal is the answer; its failure and ours free the key', async () => {
  const { state } = at.simulator;
  state.addFault({ status: 400, prompt: 'refused', calls: 1 });
  const refused = await once('refused', prompt('refused'));
  assertRefused(refused, 'upstream_rejected');
  const again = await replayed('refused', prompt('refused'));
  assert.deepEqual([again.status, again.body.toString()], [400, refused.body.toString()]);

  state.addFault({ status: 500, prompt: 'failed', calls: 1 });
  assertRefused(await once('failed', prompt('failed')), 'upstream_error');
  const ok = (key: string, fields: Record<string, unknown>, caller?: string) => async () =>
    (await once(key, fields, at.two, caller)).status === 200;
  await until(ok('failed', prompt('failed')), 'the key to be free');

  const limits = { requests_per_minute: 60, burst_requests: 1 };
  const { key } = await at.one.createKey({ tenant: 'tight', name: 'tight', limits });
  await ask(at.one, { key, fields: prompt('first') });
  assertRefused(await once('tight', prompt('second'), at.one, key), 'rate_limit_exceeded');
  await until(ok('tight', prompt('second'), key), 'the key to be free');
  state.clearFaults();
});

test('the call of a client who leaves goes on, and the retry gets its answer', async () => {
  const { state } = at.simulator;
  state.addFault({ first_token_ms: 300, prompt: 'leaves' });
  const before = at.sent;
  const headers = { ...bearer(at.key), 'idempotency-key': 'leaves' };
  const leaving = fetch(`${at.one.url}/v1/chat/completions`, {
    ...{ method: 'POST', headers, body: chat(prompt('leaves')) },
    signal: AbortSignal.timeout(100),
  });
  await assert.rejects(leaving);
  const again = await replayed('leaves', prompt('leaves'));
  assert.equal(again.status, 200);
  assert.equal(at.sent - before, 1);
  state.clearFaults();
});

test('an answer that is too large to be kept is not run again', async () => {
  const { state } = at.simulator;
  state.addFault({ tokens: 2_000, prompt: 'large' });
  const before = at.sent;
  const first = await once('large', prompt('large'));
  assert.ok(first.body.length > 4_000);
  await until(async () => {
    const reply = await once('large', prompt('large'), at.two);
    return JSON.parse(reply.body.toString()).error.code === 'idempotency_answer_gone';
  });
  const again = await once('large', prompt('large'));
  assertRefused(again, 'idempotency_answer_gone');
  assert.equal(again.headers['x-should-retry'], 'false');
  assert.equal(at.sent - before, 1);
  state.clearFaults();
});

test('a key is 1 to 255 visible characters, and a tenant has so many of them', async () => {
  for (const key of ['', 'a b', 'é', 'x'.repeat(256)]) {
    const error = assertRefused(await once(key, prompt('bad')), 'invalid_parameter');
    assert.equal(error.param, 'Idempotency-Key');
  }
  assert.equal((await once('x'.repeat(255), prompt('long key'))).status, 200);
  const { key } = await at.one.createKey({ tenant: 'many', name: 'many' });
  for (let from = 0; from < 400; from += 100) {
    const keys = Array.from({ length: 100 }, (_, index) => `${from + index}`);
    await Promise.all(keys.map((one) => once(one, prompt('many'), at.one, key)));
  }
  const full = await once('one-more', prompt('many'), at.one, key);
  assertRefused(full, 'idempotency_full');
  assert.equal(full.headers['retry-after'], undefined);
});

test('the official client’s own retries end with the one answer', async () => {
  const { state } = at.simulator;
  state.addFault({ first_token_ms: 600, prompt: 'official' });
  const before = at.sent;
  const request = { model: 'public', messages: [{ role: 'user' as const, content: 'official' }] };
  const answers = await Promise.all(
    [at.one, at.two].map(({ url }) =>
      new OpenAI({ baseURL: `${url}/v1`, apiKey: at.key, maxRetries: 5 }).chat.completions.create(request, {
        headers: { 'Idempotency-Key': 'official' },
      }),
    ),
  );
  assert.equal(answers[0]?.id, answers[1]?.id);
  assert.equal(at.sent - before, 1);
  state.clearFaults();
});
