/** A job whose acceptance was not heard of is taken out again, as soon as Redis answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import type { Principal } from '../../src/core/principal.ts';
import { noCharge } from '../../src/core/ticket.ts';
import { JobDoor } from '../../src/jobs/door.ts';
import { got, startPlayer } from '../http/jobs/player.ts';
import { until } from '../support/gateway.ts';
import { startRedis } from '../support/redis.ts';

const away = { ok: false, failure: { kind: 'unavailable', cause: 'Command timed out' } } as const;

test('what was answered with 503 although Redis had accepted it is gone, with all that it had taken', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const player = await startPlayer(redis);
  t.after(() => player.close());
  const { table, payloads } = player;
  const released: string[] = [];
  let lost = 0;
  const door = new JobDoor({
    config: configSchema.parse({ secret: 'a secret of at least 32 characters' }),
    tickets: {
      reserve: async () => ({ kind: 'admitted', standing: undefined }),
      release: (_tenant, _key, _model, id) => void released.push(id),
    },
    payloads,
    roomFor: async () => ({ ok: true, value: undefined }),
    table: {
      clock: table.clock,
      confirm: table.confirm,
      // Redis is away for the first two tries.
      forget: async (...named) => {
        lost += 1;
        return lost <= 2 ? away : table.forget(...named);
      },
    },
    accept: async (...job) => {
      assert.equal(got(await table.accept(...job)).verdict, 'accepted');
      return away;
    },
  });
  t.after(() => door.stop());
  const taken = await door.take({
    principal: { tenant: 'acme', keyId: 'key_1', jobs: { weight: 1 } } as Principal,
    ...{ way: 'async', priority: 5, once: undefined, body: Buffer.from('{}') },
    spec: {
      ...{ kind: 'inference', tenant: 'acme', key_id: 'key_1', request_id: 'r', method: 'POST', path: '/v1' },
      ...{ query: '', content_type: null, accept: null, model: 'm', requested_model: 'm', version: null },
      ...{ line: 'llama', streamed: false, asks_for_usage: false, suffix: null, estimate: null },
      ...{ charge: noCharge, affinity: null, created_at_ms: 1 },
    },
  });
  assert.deepEqual([taken.kind, taken.kind === 'refused' && taken.refusal.status], ['refused', 503]);
  await until(async () => got(await table.list('acme', 0, 10)).length === 0, 'the job to be withdrawn');
  assert.deepEqual(got(await table.totals()), { jobs: 0, bytes: 0 });
  assert.equal(released.length, 1);
  const [id = ''] = released;
  await until(async () => got(await payloads.readRequest(id)).kind === 'missing', 'the payload to go');
});
