/**
 * What the example of a plain model server promises, with a simulator in its place.
 * Each promise of the set-up, and the test that holds it (promises.test.ts sees to it that there is one):
 *
 * | promise | file: test |
 * | --- | --- |
 * | it starts, and is called, as its README says | readme: what the README of ${name} says is what comes |
 * | it starts without its server | start: ${name} starts without its servers, names them |
 * | POST /predict with {"input_data": …}, passed through | plain-model: the body arrives, and the answer comes back, byte for byte |
 * | what does not fit never reaches the server | plain-model: a body without input_data, or another method, never reaches the server |
 * | the key with or without the word Bearer | plain-model: the key may stand with or without Bearer |
 * | quotas per minute, hour, day | plain-model: a key has quotas by minute, hour and day |
 * | keys of one’s own making imported | plain-model: a key of one’s own making keeps its rate |
 * | signed requests | plain-model-access: where a key demands signatures |
 * | address lists | plain-model-access: a key, and a tenant with all its keys, may be good at listed addresses alone |
 * | HTTPS, by the gateway itself | readme: what the README of ${name} says is what comes |
 * | HTTPS, by nginx | vision-model-operation: nginx with HTTPS in front |
 * | a container | plain-model-access: what the README runs in a container serves the file that it mounts |
 * | the image of the container | deploy/dockerfile: the gateway runs as nobody who may write |
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSimulator } from '../../src/simulator/server.ts';
import { assertRefused, bearer, type Reply, send } from '../http/client.ts';
import { ADMIN_TOKEN, type TestGateway, until } from '../support/gateway.ts';
import { startExample } from './support/example.ts';

const predictor = createSimulator();
let predictorUrl: string;
let gateway: TestGateway;

before(async () => {
  predictorUrl = (await predictor.listen('127.0.0.1', 0)).url;
  gateway = await startExample('plain-model', { 'http://127.0.0.1:5001': predictorUrl });
});

after(async () => {
  await gateway.stop();
  await predictor.close();
});

/** Spaces, escapes and numbers as no serializer would write them. */
const body = '{ "input_data" : ["\\u0048i", 1.0e+2],\n\t"z":0, "a":-0.0 }';

function predict(key: string, text = body): Promise<Reply> {
  return send(gateway.url, '/predict', { headers: bearer(key), body: text });
}

/** @returns the answer that is no success, and how many there were before it */
async function predictUntilRefused(
  key: string,
  callsMax: number,
): Promise<{ admitted: number; last: Reply }> {
  for (let admitted = 0; ; admitted += 1) {
    const last = await predict(key);
    if (last.status !== 200 || admitted === callsMax) return { admitted, last };
  }
}

test('the body arrives, and the answer comes back, byte for byte, refusals of the server too', async () => {
  const directly = () =>
    send(predictorUrl, '/predict', { headers: { 'content-type': 'application/json' }, body });
  for (const status of [undefined, 422]) {
    if (status) predictor.state.addFault({ status });
    const expected = await directly();
    const reply = await predict(gateway.key);
    assert.equal(String(predictor.state.last?.body), body);
    assert.deepEqual([reply.status, String(reply.body)], [status ?? 200, String(expected.body)]);
    assert.equal(reply.headers['content-type'], expected.headers['content-type']);
  }
  predictor.state.clearFaults();
});

test('a failure of the server is told in our words, and its own stay inside', async () => {
  predictor.state.addFault({ status: 500, error_body: 'html', calls: 1 });
  assertRefused(await predict(gateway.key), 'upstream_error');
});

test('the key may stand with or without Bearer, or in x-api-key, and never reaches the server', async () => {
  const { key } = gateway;
  for (const header of [{ authorization: `Bearer ${key}` }, { authorization: key }, { 'x-api-key': key }]) {
    const headers = new Map([...Object.entries(header), ['content-type', 'application/json']]);
    const wanted = { headers: Object.fromEntries(headers), body };
    assert.equal((await send(gateway.url, '/predict', wanted)).status, 200);
    assert.ok(!JSON.stringify(predictor.state.last?.rawHeaders).includes(key));
  }
  assertRefused(await send(gateway.url, '/predict', { body }), 'invalid_api_key');
});

test('a body without input_data, or another method, never reaches the server', async () => {
  const before = predictor.state.counts.started;
  assertRefused(await predict(gateway.key, '{"data":1}'), 'invalid_parameter');
  assertRefused(await predict(gateway.key, '{"input_data":'), 'invalid_json');
  const wrong = await send(gateway.url, '/predict', { method: 'GET', headers: bearer(gateway.key) });
  assertRefused(wrong, 'method_not_allowed');
  assert.equal(predictor.state.counts.started, before);
});

test('a key has quotas by minute, hour and day, each of which refuses when it is spent', async () => {
  const { key } = await gateway.createKey({ tenant: 'counted', name: 'as the file has it' });
  const { quotas } = (await usageOf(key)) as {
    quotas: { key: { period: string; requests: { limit: number } }[] };
  };
  assert.deepEqual(
    quotas.key.map(({ period, requests }) => [period, requests.limit]),
    [
      ['minute', 60],
      ['hour', 1_000],
      ['day', 10_000],
    ],
  );
  // The minute may begin anew on the way.
  const { admitted, last } = await predictUntilRefused(key, 120);
  assertRefused(last, 'insufficient_quota');
  assert.ok(admitted >= 60, `${admitted} admitted`);

  for (const period of ['hour', 'day']) {
    const one = await gateway.createKey({
      tenant: 'counted',
      name: period,
      quotas: [{ period, requests: 1 }],
    });
    const { message } = assertRefused((await predictUntilRefused(one.key, 2)).last, 'insufficient_quota');
    assert.match(message, new RegExp(period));
  }
});

test('a key of one’s own making keeps its rate, its quota, what it has used, and its switch', async () => {
  const rows = [
    'key,tenant,name,rate_limit,total_quota,used_quota,is_active',
    'own-0000000001,brought,used,100,5,3,true',
    'own-0000000002,brought,off,100,5,0,false',
  ];
  const imported = await fetch(`${gateway.adminUrl}/admin/v1/keys/import?prefix=own-`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'text/csv' },
    body: `${rows.join('\n')}\n`,
  });
  const { created } = (await imported.json()) as { created: number };
  assert.deepEqual([imported.status, created], [200, 2]);
  const { rate_limit, used_quota, total_quota } = await usageOf('own-0000000001');
  assert.deepEqual([rate_limit, used_quota, total_quota], [100, 3, 5]);
  const { admitted, last } = await predictUntilRefused('own-0000000001', 5);
  assert.equal(admitted, 2);
  assertRefused(last, 'insufficient_quota');
  assertRefused(await predict('own-0000000002'), 'invalid_api_key');
});

test('/health tells the server apart from the gateway', async () => {
  const health = (await (await fetch(`${gateway.url}/health`)).json()) as Record<string, unknown>;
  assert.deepEqual([health.status, health.routes], ['ok', { '/predict': 'healthy' }]);
});

test('a call is booked with its price', async () => {
  const { key } = await gateway.createKey({ tenant: 'billed', name: 'k' });
  await predict(key);
  await until(async () => {
    const [call] = (await gateway.admin('GET', '/usage/calls?tenant=billed')).body.data as {
      cost_usd: number;
    }[];
    if (call) assert.equal(call.cost_usd, 0.0001);
    return call !== undefined;
  }, 'the call in the books');
});

async function usageOf(key: string): Promise<Record<string, unknown>> {
  const reply = await send(gateway.url, '/v1/usage', { method: 'GET', headers: bearer(key) });
  assert.equal(reply.status, 200, reply.body.toString());
  return JSON.parse(reply.body.toString());
}
