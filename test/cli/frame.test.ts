/** The screen of `sluice top` fits the terminal that it is given, whatever there is to show. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { widthOf } from '../../src/cli/terminal.ts';
import { figuresOf } from '../../src/cli/watch/figures.ts';
import { type FrameSize, frameOf } from '../../src/cli/watch/frame.ts';
import type { Round } from '../../src/cli/watch/processes.ts';
import { Samples } from '../../src/cli/watch/samples.ts';
import { pipes } from './pipes.ts';

interface Load {
  readonly upstreams: number;
  readonly tenants: number;
  readonly calls: number;
  readonly startedAt?: number;
}

function round({ upstreams, tenants, calls, startedAt = 1_000 }: Load, askedAtMs: number): Round {
  const each = (count: number, line: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i));
  const lines = [
    `process_start_time_seconds ${startedAt}`,
    `sluice_requests_total{route="/v1/chat/completions",model="m",status="200",outcome="completed",blame="none"} ${9 * calls}`,
    `sluice_requests_total{route="/v1/chat/completions",model="m",status="429",outcome="refused",blame="limit"} ${calls}`,
    `sluice_tokens_total{model="m",kind="input"} ${1_000 * calls}`,
    ...[0.1, 1, '+Inf'].map(
      (le, index) => `sluice_request_duration_seconds_bucket{le="${le}"} ${(index === 0 ? 5 : 10) * calls}`,
    ),
    ...each(
      upstreams,
      (i) => `sluice_upstream_attempts_total{upstream="gpu-${i}",result="answered"} ${calls}`,
    ),
    ...each(
      tenants,
      (i) => `sluice_tenant_requests_total{tenant="网关-\u001b[2J${i}",outcome="completed"} ${i * calls}`,
    ),
  ];
  const ofUpstreams = Object.fromEntries(each(upstreams, (i) => `gpu-${i}`).map((name) => [name, 'healthy']));
  const readiness = { status: 'ready', gateway: 'ok', redis: 'ok', queue: 'ok', upstreams: ofUpstreams };
  const samples = new Samples(lines.join('\n'));
  return { readings: [{ url: 'http://10.0.0.7:8081', askedAtMs, readiness, samples }], silent: [] };
}

function linesAt(size: FrameSize, load: Omit<Load, 'calls'>): string[] {
  const figures = figuresOf(
    round({ ...load, calls: 20 }, 2_000),
    round({ ...load, calls: 10 }, 1_000),
    undefined,
    0,
  );
  const terminal = pipes({});
  terminal.stdout.isTTY = true;
  const history = Array.from({ length: 200 }, (_, index) => index);
  return frameOf(terminal, { figures, history, seconds: 10, time: '12:34:56' }, size);
}

test('a screen of 80 × 24 has all parts, of GPU servers and tenants as many as there is room for', () => {
  const lines = linesAt({ columns: 80, rows: 24 }, { upstreams: 40, tenants: 60 });
  assert.equal(lines.length, 24);
  const text = stripVTControlCharacters(lines.join('\n'));
  for (const part of [
    '12:34:56',
    'requests     100/s',
    'UPSTREAM',
    'gpu-0',
    'TENANT',
    '网关-?[2J59',
    '… and 5',
  ]) {
    assert.ok(text.includes(part), `${part}\n${text}`);
  }
});

test('no line is wider than the terminal and no frame higher, at any size', () => {
  for (const columns of [20, 40, 79, 80, 132]) {
    for (const rows of [5, 12, 24, 60]) {
      const lines = linesAt({ columns, rows }, { upstreams: 9, tenants: 30 });
      assert.ok(lines.length <= rows);
      for (const line of lines) assert.ok(widthOf(stripVTControlCharacters(line)) <= columns, line);
    }
  }
});

test('where one part needs little room the other one has it', () => {
  const text = linesAt({ columns: 80, rows: 24 }, { upstreams: 1, tenants: 8 }).join('\n');
  assert.ok(!text.includes('… and'), text);
});

test('names from elsewhere do not steer the terminal', () => {
  const text = linesAt({ columns: 80, rows: 60 }, { upstreams: 1, tenants: 3 }).join('\n');
  assert.ok(!text.includes('\u001b[2J'));
});

test('rates and quantiles are of what came meanwhile', () => {
  const load = { upstreams: 1, tenants: 2 };
  const figures = figuresOf(
    round({ ...load, calls: 30 }, 3_000),
    round({ ...load, calls: 10 }, 1_000),
    undefined,
    0,
  );
  assert.equal(figures.requestsPerSecond, 100);
  assert.equal(figures.errorsPerSecond.limit, 10);
  assert.equal(figures.tokensPerSecond.input, 10_000);
  assert.equal(figures.duration.p50, 0.1);
  assert.ok(Math.abs(figures.duration.p95 - 0.91) < 1e-9);
  assert.deepEqual(
    figures.tenants.map((one) => one.requestsPerSecond),
    [10],
  );
});

test('a process that began anew has no rates until it is asked again', () => {
  const load = { upstreams: 1, tenants: 2 };
  const now = round({ ...load, calls: 5, startedAt: 2_000 }, 3_000);
  const figures = figuresOf(now, round({ ...load, calls: 10 }, 1_000), undefined, 0);
  assert.ok(Number.isNaN(figures.requestsPerSecond));
  assert.deepEqual(figures.tenants, []);
});
