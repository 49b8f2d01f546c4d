/** What became of each attempt is counted once, at its server, in words from a closed set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Call } from '../../src/core/call.ts';
import { linesOf, metricsOf } from './readings.ts';

function callOf(play: (call: Call) => void): Call {
  const start = { requestId: 'r', method: 'POST', route: '/v1', clientAddress: '::1', startedAtMs: 0 };
  const call = new Call(start);
  play(call);
  return call;
}

function attempt(call: Call, upstream: string): void {
  call.attempts += 1;
  call.upstream = upstream;
}

async function attemptsOf(...calls: Call[]): Promise<string[]> {
  const metrics = metricsOf();
  metrics.calls(calls.map((call) => ({ call, outcome: 'completed', endedAtMs: 1 })));
  const lines = await linesOf(metrics);
  return lines.filter((line) => /^sluice_upstream_(attempts|replays)/.test(line)).toSorted();
}

test('a call that moved on failed at two servers and was answered by the third', async () => {
  const call = callOf((one) => {
    attempt(one, 'a');
    one.attemptFailed('connect');
    attempt(one, 'b');
    one.attemptFailed(502);
    attempt(one, 'c');
    one.status = 200;
  });
  assert.deepEqual(await attemptsOf(call), [
    'sluice_upstream_attempts_total{upstream="a",result="connect"} 1',
    'sluice_upstream_attempts_total{upstream="b",result="http_5xx"} 1',
    'sluice_upstream_attempts_total{upstream="c",result="answered"} 1',
    'sluice_upstream_replays_total{upstream="c"} 2',
  ]);
});

test('of those that share one upstream call only the one that made it counts', async () => {
  const lead = callOf((one) => {
    attempt(one, 'a');
    one.status = 200;
  });
  const follower = callOf((one) => {
    one.adopt(lead);
    one.status = 200;
    one.answeredFrom = 'shared';
  });
  assert.deepEqual(await attemptsOf(lead, follower), [
    'sluice_upstream_attempts_total{upstream="a",result="answered"} 1',
  ]);
});

test('whatever number a server makes up, there are five words for it', async () => {
  const calls = [500, 501, 502, 503, 599].map((status) =>
    callOf((one) => {
      attempt(one, 'a');
      one.attemptFailed(status);
    }),
  );
  assert.deepEqual(await attemptsOf(...calls), [
    'sluice_upstream_attempts_total{upstream="a",result="http_5xx"} 5',
  ]);
});

test('a call that its caller left before an answer came was given up', async () => {
  const call = callOf((one) => attempt(one, 'a'));
  assert.deepEqual(await attemptsOf(call), [
    'sluice_upstream_attempts_total{upstream="a",result="given_up"} 1',
  ]);
});
