/** An equal request of a tenant that opts in gets the kept answer, through any replica, and no other request does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { bearer, type Reply, send } from '../client.ts';
import { type Asked, ask, house, prompt } from './house.ts';

const at = house();
const cached = { model: 'cached', temperature: 0 };

function asked(text: string, more: Partial<Asked> = {}): Asked {
  return { key: at.key, ...more, fields: { ...cached, ...prompt(text), ...more.fields } };
}

/** Asks until the answer has been kept, which nobody waits for. */
async function hit(wanted: Asked): Promise<Reply> {
  let reply: Reply | undefined;
  await until(async () => {
    reply = await ask(at.two, wanted);
    return reply.headers['x-cache'] === 'hit';
  }, 'a hit');
  return reply as Reply;
}

function outcome({ headers, status }: Reply) {
  return { status, cache: headers['x-cache'], control: headers['cache-control'] };
}

test('the answer of one replica is given again by the other, byte for byte, with its age', async () => {
  const first = await ask(at.one, asked('once'));
  assert.deepEqual(outcome(first), { status: 200, cache: 'miss', control: 'no-store' });
  assert.equal(first.headers.age, undefined);
  const again = await hit(asked('once'));
  assert.deepEqual(outcome(again), { status: 200, cache: 'hit', control: 'private' });
  assert.match(String(again.headers.age), /^\d$/);
  assert.equal(again.body.toString(), first.body.toString());
  assert.equal(JSON.parse(again.body.toString()).model, 'cached');
  assert.equal(again.headers['x-request-id'] === first.headers['x-request-id'], false);
});

test('streams are given again as the same stream', async () => {
  const fields = { stream: true };
  const first = await ask(at.one, asked('streamed', { fields }));
  const again = await hit(asked('streamed', { fields }));
  assert.match(String(again.headers['content-type']), /^text\/event-stream/);
  assert.equal(again.body.toString(), first.body.toString());
  assert.match(again.body.toString(), /data: \[DONE\]\n\n$/);
  assert.doesNotMatch(
    again.body.toString(),
    /"usage":\{/,
    'the chunk that the gateway asked for is taken out again',
  );
});

test('what differs in a byte, or comes from another tenant, is asked anew', async () => {
  await ask(at.one, asked('exact'));
  await hit(asked('exact'));
  const before = at.sent;
  const { key } = await at.one.createKey({ tenant: 'other', name: 'other' });
  const others = [asked('exact', { key }), asked('exact', { fields: { max_tokens: 100 } }), asked('exact.')];
  for (const other of others) assert.equal((await ask(at.one, other)).headers['x-cache'], 'miss');
  assert.equal(at.sent - before, others.length);
});

test('without temperature 0 a request says max-age, which bounds the age that it takes', async () => {
  const fields = { temperature: 1 };
  const warm = (maxAge: number) =>
    asked('warm', { fields, headers: { 'cache-control': `max-age=${maxAge}` } });
  const silent = await ask(at.one, asked('warm', { fields }));
  assert.equal(silent.headers['x-cache'], 'bypass');
  assert.equal((await ask(at.one, warm(60))).headers['x-cache'], 'miss', 'it was not kept');
  await hit(warm(60));
  await until(async () => Number((await ask(at.one, warm(60))).headers.age) >= 1, 'an age of a second');
  assert.equal((await ask(at.one, warm(1))).headers['x-cache'], 'miss');
});

test('no-cache asks anew and is kept, no-store does neither', async () => {
  const wants = (directive: string) => asked('wished', { headers: { 'cache-control': directive } });
  assert.equal((await ask(at.one, wants('no-store'))).headers['x-cache'], 'bypass');
  assert.equal((await ask(at.one, wants('no-cache'))).headers['x-cache'], 'miss');
  await hit(asked('wished'));
  const before = at.sent;
  assert.equal((await ask(at.one, wants('no-cache'))).headers['x-cache'], 'miss');
  assert.equal((await ask(at.one, wants('max-age=0'))).headers['x-cache'], 'miss');
  assert.equal((await ask(at.one, wants('no-store'))).headers['x-cache'], 'bypass');
  assert.equal(at.sent - before, 3);
});

test('a model without a cache says nothing of one', async () => {
  for (let times = 0; times < 2; times += 1) {
    const reply = await ask(at.one, asked('none', { fields: { model: 'public' } }));
    assert.deepEqual(outcome(reply), { status: 200, cache: undefined, control: 'no-store' });
  }
});

test('what a fallback model has said is not kept as the answer of another', async () => {
  const wanted = asked('replaced', { fields: { model: 'replaced' } });
  await until(async () => (await ask(at.one, wanted)).status === 200, 'the dead server to be noticed');
  const before = at.sent;
  for (let times = 0; times < 3; times += 1) {
    assert.deepEqual(outcome(await ask(at.one, wanted)), { status: 200, cache: 'miss', control: 'no-store' });
  }
  assert.equal(at.sent - before, 3);
});

test('failures and refusals of the server are not kept', async () => {
  for (const status of [400, 500]) {
    at.simulator.state.addFault({ status, prompt: `fails with ${status}`, calls: 2 });
    for (let times = 0; times < 2; times += 1) {
      const failed = await ask(at.one, asked(`fails with ${status}`));
      assert.ok(failed.status >= 400);
    }
    assert.equal((await ask(at.one, asked(`fails with ${status}`))).headers['x-cache'], 'miss');
    at.simulator.state.clearFaults();
  }
});

test('equal requests that come together are answered by one upstream call', async () => {
  at.simulator.state.addFault({ first_token_ms: 200, prompt: 'together' });
  const { key } = await at.one.createKey({ tenant: 'apart', name: 'apart' });
  const before = at.sent;
  const stranger = ask(at.one, asked('together', { key }));
  const replies = await Promise.all(Array.from({ length: 20 }, () => ask(at.one, asked('together'))));
  assert.equal((await stranger).headers['x-cache'], 'miss', 'tenants do not meet');
  at.simulator.state.clearFaults();
  assert.equal(at.sent - before, 2);
  const by = Map.groupBy(replies, ({ headers }) => headers['x-cache']);
  assert.deepEqual([by.get('miss')?.length, by.get('shared')?.length], [1, 19]);
  assert.equal(new Set(replies.map(({ body }) => body.toString())).size, 1);
});

test('a hit and a shared answer cost their request, and no tokens or money', async () => {
  const quotas = [{ period: 'total', requests: 1_000, tokens: 1_000_000 }];
  const { key } = await at.one.createKey({ tenant: 'payer', name: 'payer', quotas });
  const used = async () => {
    const reply = await send(at.one.url, '/v1/usage', { method: 'GET', headers: bearer(key) });
    const [quota] = JSON.parse(reply.body.toString()).quotas.key;
    return { requests: quota.requests.used, tokens: quota.tokens.used };
  };
  await ask(at.one, asked('paid', { key }));
  await until(async () => (await used()).requests === 1);
  const paid = await used();
  assert.ok(paid.tokens > 0);
  const before = at.sent;
  await hit(asked('paid', { key }));
  await ask(at.two, asked('paid', { key }));
  await until(async () => (await used()).requests > 2);
  assert.equal((await used()).tokens, paid.tokens);
  assert.equal(at.sent, before);
  assert.ok((await at.two.metric('sluice_response_cache_total{result="hit"}')) >= 2);
  await until(async () => {
    const lines = await at.two.logLines(1);
    return lines.filter(({ tenant }) => tenant === 'payer').at(-1)?.answered_from === 'cache';
  }, 'the log line');
});
