/** Case S2 for jobs: what a worker sends to a GPU server is the same short list, whatever the caller has sent with his request. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answerAsAsked } from '../http/answers.ts';
import { bearer, chat, send } from '../http/client.ts';
import { startWorker, type TestWorker } from '../http/jobs/worker-process.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';

const SERVER_KEY = 'the-key-of-the-server';

let upstream: TestUpstream;
let gateway: TestGateway;
let worker: TestWorker;

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  const config = {
    upstreams: [
      { name: 'gpu', url: upstream.url },
      { name: 'guarded', url: upstream.url, api_key_env: 'GPU_KEY' },
    ],
    models: [
      { name: 'public', upstreams: ['gpu'] },
      { name: 'guarded', upstreams: ['guarded'] },
    ],
    routes: [{ path: '/predict', upstream: 'gpu' }],
  };
  const env = { GPU_KEY: SERVER_KEY };
  gateway = await startGateway({ config, env });
  worker = await startWorker(gateway.redis, config, env);
});
after(async () => {
  await worker.stop();
  await gateway.stop();
  await upstream.stop();
});

const forged = {
  'x-forwarded-for': '10.1.2.3',
  'x-forwarded-host': 'evil',
  'x-real-ip': '10.1.2.3',
  forwarded: 'for=10.1.2.3',
  via: '1.1 proxy',
  connection: 'close, x-hop',
  'x-hop': '1',
  te: 'trailers',
  cookie: 'session=secret',
  'proxy-authorization': 'Basic eDp5',
  'x-internal-admin': 'true',
  'x-http-method-override': 'DELETE',
  accept: 'text/csv',
  'accept-encoding': 'br',
  'x-request-id': 'of-the-caller',
  origin: 'https://app.example.com',
};
const allowed = ['connection', 'content-length', 'content-type', 'host', 'x-request-id'];

/** Of the request that the worker has made of the caller's. */
async function headersOfJob(path: string, body: string): Promise<Record<string, unknown>> {
  const headers = { ...bearer(gateway.key), ...forged, prefer: 'respond-async' };
  const accepted = await send(gateway.url, path, { headers, body });
  assert.equal(accepted.status, 202, accepted.body.toString());
  const job = await send(gateway.url, String(accepted.headers.location), {
    method: 'GET',
    headers: { ...bearer(gateway.key), prefer: 'wait=20' },
  });
  assert.equal(JSON.parse(job.body.toString()).status, 'completed', job.body.toString());
  const { headers: sent = {}, rawHeaders = [] } = upstream.requests.at(-1) ?? {};
  assert.equal(rawHeaders.length, 2 * Object.keys(sent).length, 'none comes twice');
  return sent;
}

test('a job for a model: the body, its type, the request id, and the key of the server alone', async () => {
  const plain = await headersOfJob('/v1/chat/completions', chat());
  assert.deepEqual(Object.keys(plain).sort(), allowed);
  const guarded = await headersOfJob('/v1/chat/completions', chat({ model: 'guarded' }));
  assert.deepEqual(Object.keys(guarded).sort(), ['authorization', ...allowed]);
  assert.equal(guarded.authorization, `Bearer ${SERVER_KEY}`);
});

test('a job for a plain server: also what is accepted', async () => {
  const sent = await headersOfJob('/predict', '{}');
  assert.deepEqual(Object.keys(sent).sort(), ['accept', ...allowed]);
});
