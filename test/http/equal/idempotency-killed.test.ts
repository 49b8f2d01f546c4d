/** A replica that is killed with a request in its hands gives its Idempotency-Key back with its lease. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { until } from '../../support/gateway.ts';
import { assertRefused, type Reply } from '../client.ts';
import { ask, house, prompt } from './house.ts';

const LEASE_SECONDS = 5.2;
const at = house({ admission: { lease_seconds: LEASE_SECONDS, heartbeat_seconds: 0.1 } });

const fields = prompt('killed');
const headers = { 'idempotency-key': 'killed' };

test('while its replica lives a request is held, and after its death a retry runs within the lease', async (context) => {
  const { state } = at.simulator;
  const { key } = at;
  state.addFault({ cut: 'hang', prompt: 'killed', calls: 1 });
  const lost = ask(at.one, { key, headers, fields }).catch(() => 'lost');
  await state.until(({ running }) => running === 1);
  const exited = once(at.one.process, 'exit');
  assertRefused(await ask(at.two, { key, headers, fields }), 'idempotency_running');
  at.one.process.kill('SIGKILL');
  await exited;
  assert.equal(await lost, 'lost');
  const killedAtMs = performance.now();
  let reply: Reply | undefined;
  await until(
    async () => {
      reply = await ask(at.two, { key, headers, fields });
      return reply.status === 200;
    },
    'the retry to run',
    3 * LEASE_SECONDS * 1_000,
  );
  context.diagnostic(`${Math.round(performance.now() - killedAtMs)} ms after the kill`);
  assert.equal(reply?.headers['idempotency-replayed'], undefined, 'it ran anew');
});
