/** Nothing that a client makes up becomes a label: the number of series stays what it is. */
import assert from 'node:assert/strict';
import { Agent, METHODS, request } from 'node:http';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { bearer, chat } from './client.ts';

/** Of five requests each. */
const ROUNDS = 1_000;

let upstream: TestUpstream;
let gateway: TestGateway;
const agent = new Agent({ keepAlive: true, maxSockets: 16 });

before(async () => {
  upstream = await startUpstream(answerAsAsked);
  gateway = await startGateway({
    config: {
      log: { level: 'warn' },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [
        { name: 'public', upstreams: ['gpu'] },
        { name: 'any', upstreams: ['gpu'], aliases: ['any-*', '*'] },
      ],
    },
  });
});

after(async () => {
  agent.destroy();
  await gateway.stop();
  await upstream.stop();
});

test('5,000 made-up models, paths, keys, ids and methods add no series', async () => {
  await round(0);
  const before = await seriesAfter(5);
  for (let from = 1; from <= ROUNDS; from += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, index) => round(from + index)));
  }
  const now = await seriesAfter(5 * (ROUNDS + 1));
  const known = new Set(before);
  assert.deepEqual(now.filter((one) => !known.has(one)).slice(0, 3), []);
  assert.equal(now.length, before.length);
});

/** Five requests with names that nobody has used before. */
async function round(number: number): Promise<void> {
  const known = bearer(gateway.key);
  const made = `made-up-${number}`;
  await call('POST', '/v1/chat/completions', known, chat({ model: made }));
  await call('POST', `/v1/${made}`, known, chat());
  await call('GET', `/v1/models/${made}?x=${made}`, known);
  await call('GET', '/v1/models', {
    ...bearer(`slc_${made}`),
    'x-request-id': made,
    'x-forwarded-for': made,
  });
  const unusual = METHODS.filter((method) => !['CONNECT', 'HEAD', 'GET', 'POST'].includes(method));
  await call(unusual[number % unusual.length] ?? 'PUT', `/${made}`, known);
}

function call(method: string, path: string, headers: Record<string, string>, body = ''): Promise<void> {
  const { hostname, port } = new URL(gateway.url);
  return new Promise((resolve, reject) => {
    const outgoing = request({
      hostname,
      port,
      method,
      path,
      headers: { ...headers, 'content-length': body.length },
      agent,
    });
    outgoing.on('error', reject).on('response', (response) => response.resume().on('end', resolve));
    outgoing.end(body);
  });
}

/** Once so many requests have been counted. */
async function seriesAfter(requests: number): Promise<string[]> {
  let lines: string[] = [];
  const counted = () =>
    lines
      .filter((line) => line.startsWith('sluice_requests_total'))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  await until(async () => {
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    // A bucket is a series from the first time on that something falls into it; the buckets are a closed set.
    lines = text.split('\n').filter((line) => line.startsWith('sluice_') && !line.includes('_bucket{le='));
    return counted() >= requests;
  }, 'the requests in the metrics');
  return lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
}
