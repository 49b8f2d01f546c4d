import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Readiness } from '../../src/admin/probes.ts';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;
let readiness: Readiness;

before(async () => {
  admin = await startAdmin({ readiness: () => readiness });
});
after(() => admin.stop());

test('/ready answers 200 or 503 as the gateway says, and shows what it knows of each part', async () => {
  readiness = {
    ready: true,
    detail: { gateway: 'ok', redis: 'degraded', queue: 'ok', upstreams: { gpu: 'unreachable' } },
  };
  const up = await admin.call('GET', '/ready');
  assert.equal(up.status, 200);
  assert.deepEqual(up.body, {
    status: 'ready',
    gateway: 'ok',
    redis: 'degraded',
    queue: 'ok',
    upstreams: { gpu: 'unreachable' },
  });
  readiness = { ready: false, detail: { gateway: 'draining', redis: 'ok', queue: 'ok', upstreams: {} } };
  const draining = await admin.call('GET', '/ready');
  assert.equal(draining.status, 503);
  assert.deepEqual([draining.body.status, draining.body.gateway], ['not_ready', 'draining']);
});

test('/live is 200 while the process lives, /metrics is what telemetry gives', async () => {
  assert.equal((await admin.call('GET', '/live')).status, 200);
  const { headers, text } = await admin.call('GET', '/metrics');
  assert.equal(headers.get('content-type'), 'text/plain; version=0.0.4');
  assert.equal(text, 'sluice_up 1\n');
});
