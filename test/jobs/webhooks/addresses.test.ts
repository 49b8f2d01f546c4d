/** No message goes inside, whatever an address or a name says, unless the operator has listed the host. */
import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { after, before, test } from 'node:test';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../ground.ts';
import { hostOf, openReceiver, webhookGround } from './ground.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

const refused = [
  'https://127.0.0.1/hook',
  'https://0x7f.1/hook',
  'https://[::1]/hook',
  'https://[::ffff:10.0.0.1]/hook',
  'https://169.254.169.254/latest/meta-data',
  'https://inside.example/hook',
  'https://nowhere.example/hook',
  'http://outside.example/hook',
  'https://name:password@outside.example/hook',
  'ftp://outside.example/hook',
  'file:///etc/passwd',
  'outside.example',
  '',
];

/** `outside` leads out at first and then inside, as an attacker's name server would have it. */
function nameServer(): { resolve: LookupFunction; asked: number } {
  const server = {
    asked: 0,
    resolve: ((hostname, _options, callback) => {
      server.asked += 1;
      const isInside = hostname.startsWith('inside') || server.asked > 1;
      if (hostname.startsWith('nowhere')) return callback(new Error('ENOTFOUND'), []);
      callback(null, [{ address: isInside ? '127.0.0.1' : '93.184.216.34', family: 4 }]);
    }) satisfies LookupFunction,
  };
  return server;
}

test('what leads inside, is not encrypted or is no address is refused when it is registered', async (t) => {
  const { administration, table } = await webhookGround(t, redis.url, {}, nameServer().resolve);
  for (const url of refused) {
    const result = await administration.set('acme', { url });
    assert.ok(!result.ok && result.refusal.status === 400, url);
    assert.equal(result.refusal.param, 'url');
  }
  const found = await table.findEndpoint('acme');
  assert.ok(found.ok && found.value === undefined);
  assert.ok((await administration.set('acme', { url: 'https://93.184.216.34/hook' })).ok);
});

test('a name that leads inside by the time of the delivery gets no connection', async (t) => {
  const receiver = await openReceiver(t, () => ({ status: 200 }));
  const { port } = new URL(receiver.url);
  const names = nameServer();
  const ground = await webhookGround(t, redis.url, { retry_pauses_seconds: [] }, names.resolve);
  await ground.register('rebinder', `https://outside.example:${port}/hook`);
  ground.openMailroom();
  await ground.complete('job_r', 'rebinder');
  await until(() => ground.outcomes[0] === 'dead');
  await until(async () => {
    const event = await ground.administration.event('evt_r');
    return event.ok && event.event.last_cause === 'refused_address';
  });
  assert.equal(names.asked, 2);
  assert.equal(receiver.letters.length, 0);
});

test('a host that is taken off the list gets nothing any more', async (t) => {
  const receiver = await openReceiver(t, () => ({ status: 200 }));
  const before = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  await before.register('unlisted', receiver.url);
  const ground = await webhookGround(t, redis.url, { retry_pauses_seconds: [] });
  ground.openMailroom();
  await ground.complete('job_u', 'unlisted');
  await until(() => ground.outcomes[0] === 'dead');
  assert.equal(receiver.letters.length, 0);
});
