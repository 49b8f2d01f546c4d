/** A worker process delivers what its jobs have become, and another one what a killed worker had in hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { until } from '../ground.ts';
import { openWorkplace } from '../workplace.ts';
import { hostOf, openReceiver, SECRET, webhookGround } from './ground.ts';

test('the end of a job is told at once; a delivery whose worker is killed comes again within ten seconds', async (t) => {
  const receiver = await openReceiver(t, (number) => (number === 1 ? 'silence' : { status: 200 }));
  const webhooks = { allowed_hosts: hostOf(receiver) };
  const place = await openWorkplace(t, { config: { webhooks } });
  const env = { SLUICE_SECRET: SECRET };
  const worker = await place.startWorker(env);
  const ground = await webhookGround(t, place.redis.url, webhooks, undefined, 'sluice');
  const secret = await ground.register('acme', receiver.url);

  const first = await place.putJob();
  const [told] = await receiver.got(1);
  assert.ok(told);
  const event = new Webhook(secret).verify(told.body, told.headers) as { type: string; data: object };
  assert.deepEqual([event.type, event.data], ['job.completed', { id: first }]);
  await until(async () => (await metrics(worker.adminUrl)).includes('outcome="delivered"} 1'));
  assert.match(await metrics(worker.adminUrl), /sluice_webhook_dead_events 0\n/);
  assert.ok(!(await worker.logText()).includes('planted'));

  const second = await place.putJob();
  const [, lost] = await receiver.got(2);
  const other = await place.startWorker(env);
  worker.child.kill('SIGKILL');
  const killedMs = performance.now();
  const [, , again] = await receiver.got(3);
  const tookMs = performance.now() - killedMs;
  t.diagnostic(`delivered again ${Math.round(tookMs)} ms after the kill`);
  assert.ok(again && again.headers['webhook-id'] === lost?.headers['webhook-id']);
  assert.equal(JSON.parse(again.body).data.id, second);
  assert.ok(tookMs < 30_000);
  const stopMs = await other.stop();
  assert.ok(stopMs < 15_000, `${stopMs} ms`);
});

async function metrics(adminUrl: string): Promise<string> {
  return await (await fetch(`${adminUrl}/metrics`)).text();
}
