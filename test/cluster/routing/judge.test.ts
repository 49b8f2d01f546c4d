/** The judge of these runs notices what it is there to notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '../outage/support/load.ts';
import { badForMs, goodputPerSecond, type LoggedCall, logFaults, sentFaults } from './support/judge.ts';

function call(id: string, status = 200, sentAtMs = 0, tookMs = 10): Call {
  return { id, name: 'acme', replica: 0, sentAtMs, tookMs, status, code: undefined, input: 1, output: 1 };
}

const calls = [call('1'), call('2'), call('3', 502)];
const lines: readonly LoggedCall[] = [
  { request_id: '1', status: 200, upstream: 'a' },
  { request_id: '2', status: 200, upstream: 'b', attempts: 3, tried: 'a reset, a reset, b 200' },
  { request_id: '3', status: 502, upstream: 'b', attempts: 2, tried: 'a connect, b 500' },
];

test('a run in order has no faults', () => {
  assert.deepEqual(logFaults(calls, lines), []);
  assert.deepEqual(
    [sentFaults(lines, 'a', 3), sentFaults(lines, 'a', 1), sentFaults(lines, 'b', 2)],
    [[], [], []],
  );
});

const planted: readonly (readonly [string, readonly LoggedCall[], RegExp])[] = [
  ['a call without a line', lines.slice(1), /^1 has 0 log lines/],
  ['a call with two lines', [...lines, ...lines.slice(0, 1)], /^1 has 2 log lines/],
  [
    'another status than the caller saw',
    [{ ...lines[0], status: 500 }, ...lines.slice(1)],
    /^1: 200, by the log 500/,
  ],
  [
    'an attempt that is not told of',
    [...lines.slice(0, 2), { ...lines[2], attempts: 3 }],
    /not all are told of/,
  ],
  [
    'a server that was asked again',
    [...lines.slice(0, 2), { ...lines[2], tried: 'b 500, b 500' }],
    /b twice/,
  ],
  [
    'a call moved on from its answer',
    [...lines.slice(0, 2), { ...lines[2], tried: 'a 200, b 500' }],
    /on from a/,
  ],
  [
    'an answer from nobody',
    [...lines.slice(1), { ...lines[0], attempts: 1, tried: 'a 500' }],
    /answered by nobody/,
  ],
];

for (const [what, wrong, fault] of planted) {
  test(`${what} is found out`, () => {
    const faults = logFaults(calls, wrong);
    assert.equal(faults.length, 1);
    assert.match(String(faults[0]), fault);
  });
}

test('a server that had more or fewer calls than the replicas tell of is found out', () => {
  for (const [server, started] of [
    ['a', 4],
    ['a', 0],
    ['b', 1],
    ['b', 3],
  ] as const) {
    assert.match(
      String(sentFaults(lines, server, started)),
      new RegExp(`^${server} has had ${started} calls`),
    );
  }
});

test('goodput counts good answers by when they came, and a pool has recovered with the last bad call', () => {
  const history = [
    call('1', 200, 0, 900),
    call('2', 200, 0, 1_100),
    call('3', 503, 500),
    call('4', 200, 2_000, 300),
  ];
  assert.equal(goodputPerSecond(history, 0, 1_000), 1);
  assert.equal(badForMs(history, 0, 1_200), 500);
  assert.equal(badForMs(history, 600, 1_200), 0);
  assert.equal(badForMs(history, 600, 200), 1_400);
});
