/** Requests that wait for the answer to an earlier one on their connection are not forgotten when it goes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway, until } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import { chat, speak } from './client.ts';

let upstream: TestUpstream;
let gateway: TestGateway;

before(async () => {
  // Never answers whoever asks it to wait.
  upstream = await startUpstream((request, response, body) => {
    if (!body.includes('"wait"')) answerAsAsked(request, response, body);
  });
  gateway = await startGateway({
    config: {
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.stop();
});

function request(body: string, ...headers: string[]): string {
  const lines = [
    'POST /v1/chat/completions HTTP/1.1',
    'Host: a',
    `Authorization: Bearer ${gateway.key}`,
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

test('answers come in the order of the requests', async () => {
  const requests = ['1', '2', '3'].map((id) => request(chat(), `X-Request-Id: ${id}`));
  const heard = await speak(
    gateway.url,
    requests.join('') + request(chat(), 'X-Request-Id: 4', 'Connection: close'),
  );
  assert.deepEqual(
    [...heard.matchAll(/x-request-id: (\d)/g)].map(([, id]) => id),
    ['1', '2', '3', '4'],
  );
});

test('a client that leaves takes all of its requests along, those that wait for their turn as well', async () => {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  socket.write(request(chat({ user: 'wait' })).repeat(3));
  await until(() => upstream.running() === 3, 'three calls at the server');
  socket.destroy();
  await until(() => upstream.running() === 0, 'the server to be rid of them');
  await until(async () => (await gateway.metric('sluice_requests_in_flight')) === 0, 'none in flight');
  await until(
    async () => (await gateway.metric('sluice_upstream_in_flight{upstream="gpu"}')) === 0,
    'none upstream',
  );
  const lines = (await gateway.logLines(7)).slice(4);
  assert.deepEqual(
    lines.map(({ outcome }) => outcome),
    Array(3).fill('client_gone'),
  );
});
