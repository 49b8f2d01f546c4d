/** `X-Forwarded-For` is believed when a trusted proxy says it, and never otherwise. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { bearer, send } from './client.ts';

let redis: TestRedis;
let plain: TestGateway;
let behindProxy: TestGateway;

before(async () => {
  redis = await startRedis();
  const config = { listen: { trusted_proxies: ['127.0.0.1', '10.0.0.0/8'] } };
  [plain, behindProxy] = await Promise.all([startGateway({ redis }), startGateway({ redis, config })]);
});

after(async () => {
  await Promise.all([plain.stop(), behindProxy.stop()]);
  await redis.stop();
});

const WARNING = 'X-Forwarded-For from an address that is not in TRUSTED_PROXIES is not believed';

test('without trusted proxies the address is that of the connection, and one warning says so', async () => {
  const addresses = await addressesOf(plain, [
    '203.0.113.7',
    '10.0.0.1, 203.0.113.7',
    'nonsense',
    '127.0.0.1',
  ]);
  assert.deepEqual(addresses, Array(4).fill('127.0.0.1'));
  assert.equal((await plain.logText()).split(WARNING).length - 1, 1);
});

test('a trusted proxy is believed as far as the chain is trusted', async () => {
  const forwarded = ['203.0.113.7', '198.51.100.9, 203.0.113.7', '203.0.113.7, 10.0.0.3', '2001:db8::7'];
  const addresses = await addressesOf(behindProxy, forwarded);
  assert.deepEqual(addresses, ['203.0.113.7', '203.0.113.7', '203.0.113.7', '2001:db8::7']);
  assert.equal((await behindProxy.logText()).includes(WARNING), false);
});

test('no other header tells the address', async () => {
  const lies = {
    'x-real-ip': '203.0.113.9',
    forwarded: 'for=203.0.113.9',
    'cf-connecting-ip': '203.0.113.9',
  };
  const before = (await behindProxy.logLines(0)).length;
  await send(behindProxy.url, '/v1/models', {
    method: 'GET',
    headers: { ...bearer(behindProxy.key), ...lies },
  });
  assert.equal((await behindProxy.logLines(before + 1)).at(-1)?.address, '127.0.0.1');
});

async function addressesOf(gateway: TestGateway, forwarded: readonly string[]): Promise<unknown[]> {
  for (const value of forwarded) {
    const headers = { ...bearer(gateway.key), 'x-forwarded-for': value };
    await send(gateway.url, '/v1/models', { method: 'GET', headers });
  }
  return (await gateway.logLines(forwarded.length)).slice(-forwarded.length).map(({ address }) => address);
}
