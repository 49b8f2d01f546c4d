/** Which GPU servers a call went to, and what each of them did: in its log line, and in a header for those who want it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat, type Reply, send } from './client.ts';

const NAMES = ['gpu-1', 'gpu-2', 'gpu-3'] as const;
type Name = (typeof NAMES)[number];
type Manner = 'well' | 'reset' | number;

let upstreams: TestUpstream[];
let gateway: TestGateway;
let showing: string;
let manners: Partial<Record<Name, Manner>> = {};
/** What the servers did, in this order. */
let done: string[] = [];

before(async () => {
  upstreams = await Promise.all(
    NAMES.map((name) =>
      startUpstream((request, response, body) => {
        // They are also asked for their load.
        if (request.method === 'GET') return void response.writeHead(404).end();
        const manner = manners[name] ?? 'well';
        done.push(`${name} ${manner === 'well' ? 200 : manner}`);
        if (manner === 'reset') request.socket.resetAndDestroy();
        else if (manner === 'well') answerAsAsked(request, response, body);
        else response.writeHead(manner).end('{"error":{"message":"no"}}');
      }),
    ),
  );
  const servers = NAMES.map((name, index) => ({ name, url: upstreams[index]?.url ?? '' }));
  gateway = await startGateway({
    config: {
      upstreams: servers,
      models: [
        { name: 'public', upstreams: [...NAMES], choice: 'least_load' },
        { name: 'lonely', upstreams: ['gpu-3'] },
      ],
    },
  });
  const { body } = await gateway.admin('POST', '/tenants', { name: 'showing', show_attempts: true });
  assert.equal(body.show_attempts, true);
  ({ key: showing } = await gateway.createKey({ tenant: 'showing' }));
});

after(async () => {
  await gateway.stop();
  await Promise.all(upstreams.map((upstream) => upstream.stop()));
});

/** A retry is paid for by five requests. */
beforeEach(async () => {
  manners = {};
  for (let count = 0; count < 30; count += 1) await call();
});

let calls = 0;

async function call(key = showing, model = 'public'): Promise<Reply & { tried: string; id: string }> {
  calls += 1;
  done = [];
  const id = `tried-${calls}`;
  const headers = { ...bearer(key), 'x-request-id': id };
  const reply = await send(gateway.url, '/v1/chat/completions', { headers, body: chat({ model }) });
  return { ...reply, tried: String(reply.headers['x-sluice-attempts']), id };
}

/** Servers are drawn at random, so it may take some calls. */
async function callUntil(fits: (tried: string) => boolean) {
  for (let left = 100; left > 0; left -= 1) {
    const reply = await call();
    if (fits(reply.tried)) return reply;
  }
  throw new Error('no call went there first');
}

async function lineOf(id: string): Promise<Record<string, unknown> | undefined> {
  for (;;) {
    const found = (await gateway.logLines(1)).find((line) => line.request_id === id);
    if (found) return found;
  }
}

test('a call that the first server answers names it, and has nothing of this in its log line', async () => {
  const { tried, status, id } = await call();
  assert.deepEqual([status, [tried]], [200, done]);
  const line = await lineOf(id);
  assert.deepEqual([line?.tried, line?.attempts], [undefined, undefined]);
});

test('other tenants do not hear of servers', async () => {
  const { status, headers } = await call(gateway.key);
  assert.deepEqual([status, headers['x-sluice-attempts']], [200, undefined]);
});

test('a call that moved on tells of each server in turn, a status and a reset alike', async () => {
  for (const manner of [502, 429, 'reset'] as const) {
    manners = { 'gpu-1': manner };
    const { tried, status, id } = await callUntil((text) => text.startsWith(`gpu-1 ${manner}`));
    assert.deepEqual([status, tried.split(', ')], [200, done]);
    const line = await lineOf(id);
    assert.deepEqual([line?.tried, line?.attempts], [tried, done.length]);
    manners = {};
    for (let count = 0; count < 10; count += 1) await call();
  }
});

test('a call that fails names whom it failed at, also where there was nobody else to ask', async () => {
  manners = { 'gpu-3': 503 };
  const { tried, status } = await call(showing, 'lonely');
  assert.deepEqual([status, tried, done], [503, 'gpu-3 503', ['gpu-3 503']]);
  manners = { 'gpu-3': 404 };
  const refused = await call(showing, 'lonely');
  assert.deepEqual([refused.status, refused.tried], [404, 'gpu-3 404']);
});

test('what never went to a server has no such header', async () => {
  const { status, headers } = await call(showing, 'unknown');
  assert.deepEqual([status, headers['x-sluice-attempts']], [404, undefined]);
});

test('a server that is gone was tried as well', async () => {
  await upstreams[0]?.stop();
  const { tried, status } = await callUntil((text) => text.startsWith('gpu-1 '));
  assert.equal(status, 200);
  const [first, ...others] = tried.split(', ');
  assert.match(String(first), /^gpu-1 (connect|reset)$/);
  assert.deepEqual(
    others.filter((one) => !one.startsWith('gpu-1 ')),
    done,
  );
});
