/** Who comes in, how, and what is written down about it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { bearer, send } from '../../http/client.ts';
import { until } from '../../support/gateway.ts';
import type { Balancer } from './balancer.ts';
import type { BalancerGround } from './balancer-ground.ts';
import { ask, askHttp2 } from './secure-client.ts';

export function entryTests(ground: BalancerGround): void {
  test(`${ground.name} takes the configuration without a word of doubt`, async () => {
    const { ok, said } = await ground.balancer.check();
    assert.equal(ok, true, said);
    assert.doesNotMatch(said, /\b(warn|warning|alert|emerg)\b/i);
  });

  test('HTTP/2 and HTTP/1.1 over TLS, although one of two gateways is not there', async () => {
    for (let count = 0; count < 10; count += 1) {
      const { status, protocol, text } = await askHttp2(ground.balancer, ground.wish());
      assert.deepEqual([status, protocol], [200, 'h2'], text);
      const plain = await ask(ground.balancer, ground.wish());
      assert.equal(plain.status, 200, plain.body.toString());
      assert.equal(plain.headers['strict-transport-security'], 'max-age=31536000');
    }
  });

  test('HTTP is sent to HTTPS with its method', async () => {
    const { status, headers } = await send(
      `http://127.0.0.1:${ground.balancer.plainPort}`,
      '/v1/models?a=b',
      {
        headers: { host: 'api.example.com' },
        body: '{}',
      },
    );
    assert.deepEqual([status, headers.location], [308, 'https://api.example.com/v1/models?a=b']);
  });

  test('TLS 1.2 and 1.3, nothing older', async () => {
    assert.equal(await versionOf(ground.balancer, 'TLSv1.2'), 'TLSv1.2');
    assert.equal(await versionOf(ground.balancer, 'TLSv1.3'), 'TLSv1.3');
    for (const old of ['TLSv1', 'TLSv1.1'] as const) {
      await assert.rejects(versionOf(ground.balancer, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
    }
  });

  const skip = process.getuid?.() !== 0 && 'only root can become somebody else';
  test('who serves callers is not root', { skip }, async () => {
    const { port, ca } = ground.balancer;
    const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost' });
    await once(socket, 'secureConnect');
    const owner = await ownerOf(port, socket.localPort ?? 0);
    socket.destroy();
    assert.ok(owner > 0, `user ${owner}`);
  });
}

/** @returns the user id of who has accepted the connection, as Linux knows it */
async function ownerOf(port: number, callerPort: number): Promise<number> {
  const hex = (number: number) => number.toString(16).toUpperCase().padStart(4, '0');
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((row) => row.trim().split(/\s+/));
  const row = rows.find(
    ([, local, remote]) => local?.endsWith(`:${hex(port)}`) && remote?.endsWith(`:${hex(callerPort)}`),
  );
  return Number(row?.[7]);
}

export function callerTests(ground: BalancerGround): void {
  test("the gateway logs the caller's own address, whatever it says about itself", async () => {
    const headers = {
      ...bearer(ground.gateway.key),
      'x-request-id': 'whose-address',
      'x-forwarded-for': '203.0.113.9',
      'x-real-ip': '203.0.113.9',
      forwarded: 'for=203.0.113.9',
    };
    await ask(ground.balancer, ground.wish({ headers, localAddress: '127.0.0.5' }));
    assert.equal((await ground.lineOf('whose-address')).address, '127.0.0.5');
  });

  test('its log has lines of JSON, and neither key nor query', async () => {
    await ask(ground.balancer, {
      method: 'GET',
      path: '/v1/models?key=planted',
      headers: bearer(ground.gateway.key),
    });
    const linesIn = async () =>
      (await ground.balancer.log()).split('\n').filter((line) => line.startsWith('{'));
    await until(async () => (await linesIn()).some((line) => line.includes('/v1/models')), 'the line');
    const text = await ground.balancer.log();
    assert.equal(text.includes('planted') || text.includes(ground.gateway.key), false);
    const line = JSON.parse((await linesIn()).find((one) => one.includes('/v1/models')) ?? '') as object;
    for (const field of ['time', 'request_id', 'address', 'method', 'path', 'status', 'gateway']) {
      assert.ok(field in line, field);
    }
  });
}

/** The version that is agreed upon with a client that speaks this one only. */
async function versionOf({ port, ca }: Balancer, version: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') {
  const only = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  const socket = connect({ host: '127.0.0.1', port, ca, servername: 'localhost', ...only });
  await once(socket, 'secureConnect');
  const agreed = socket.getProtocol();
  socket.destroy();
  return agreed;
}
