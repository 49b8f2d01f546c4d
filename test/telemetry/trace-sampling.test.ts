/** OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG decide which traces are kept, and the caller's word counts where they say so. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { samplerOf } from '../../src/telemetry/trace-sampler.ts';

const traceId = () => randomBytes(16).toString('hex');
const parent = (isSampled: boolean) => ({
  ...{ traceId: traceId(), spanId: 'b7ad6b7169203331', isSampled, state: undefined },
});
const sampler = (name?: string, argument?: string) =>
  samplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument }, (fault) => assert.fail(fault));

test('without a word all are kept, unless the caller says no', () => {
  for (const decide of [sampler(), sampler('parentbased_always_on')]) {
    assert.equal(decide(traceId(), undefined), true);
    assert.equal(decide(traceId(), parent(true)), true);
    assert.equal(decide(traceId(), parent(false)), false);
  }
});

test('a sampler that is not based on the parent does not ask it', () => {
  assert.equal(sampler('always_on')(traceId(), parent(false)), true);
  assert.equal(sampler('always_off')(traceId(), parent(true)), false);
  assert.equal(sampler('traceidratio', '0')(traceId(), parent(true)), false);
});

test('a ratio keeps that part of the traces, and decides on one of them always alike', () => {
  const decide = sampler('parentbased_traceidratio', '0.25');
  const ids = Array.from({ length: 4_000 }, traceId);
  const kept = ids.filter((id) => decide(id, undefined));
  assert.ok(kept.length > 800 && kept.length < 1_200, String(kept.length));
  assert.deepEqual(
    ids.filter((id) => decide(id, undefined)),
    kept,
  );
  assert.equal(decide(traceId(), parent(true)), true);
});

test('what is not understood is said, and the usual takes its place', () => {
  for (const [name, argument] of [
    ['jaeger_remote'],
    ['traceidratio', '7'],
    ['traceidratio', 'x'],
    ['constructor'],
  ]) {
    const faults: string[] = [];
    const env = { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument };
    const decide = samplerOf(env, (fault) => faults.push(fault));
    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? '', /^OTEL_TRACES_SAMPLER/);
    assert.equal(decide(traceId(), undefined), true);
  }
});
