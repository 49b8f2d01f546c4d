import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { prose, seeded } from './prose.ts';

const random = seeded(4);
const text = prose('latin', 500, random);

function chat(contents: readonly string[]): string {
  return JSON.stringify({
    model: 'm',
    stream: true,
    messages: contents.map((content) => ({ role: 'user', content })),
  });
}

/** Milliseconds of the fastest of several rounds, so that neighbours on the machine do not count. */
function fastestMs(rounds: number, times: number, work: () => unknown): number {
  let fastest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const begunMs = performance.now();
    for (let time = 0; time < times; time += 1) work();
    fastest = Math.min(fastest, (performance.now() - begunMs) / times);
  }
  return fastest;
}

function costs(json: string, times: number): { estimateMs: number; parseMs: number } {
  const estimator = new Estimator(() => undefined);
  const body = JSON.parse(json) as Record<string, unknown>;
  return {
    estimateMs: fastestMs(10, times, () =>
      estimator.estimate('m', body, json.length, '/v1/chat/completions'),
    ),
    parseMs: fastestMs(10, times, () => JSON.parse(json)),
  };
}

test('an everyday call is estimated in 3 µs, or in three times what parsing it took', () => {
  const { estimateMs, parseMs } = costs(chat([text]), 5_000);
  assert.ok(
    estimateMs < Math.max(0.003, 3 * parseMs),
    `${estimateMs * 1_000} µs, parsed in ${parseMs * 1_000}`,
  );
});

test('a megabyte of prompt is estimated in less time than it took to parse', () => {
  const { estimateMs, parseMs } = costs(chat([text.repeat(2_000)]), 20);
  assert.ok(estimateMs < parseMs, `${estimateMs} ms, parsed in ${parseMs}`);
});

test('a megabyte in thousands of messages is estimated in less time than it took to parse twice', () => {
  const { estimateMs, parseMs } = costs(chat(Array(5_000).fill(text.slice(0, 190))), 5);
  assert.ok(estimateMs < 2 * parseMs, `${estimateMs} ms, parsed in ${parseMs}`);
});
