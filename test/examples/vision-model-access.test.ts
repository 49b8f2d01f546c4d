/** Who comes in to the example of a vision model, how, and who lets them in. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startIssuer, type TestIssuer } from '../admission/jwt/issuer.ts';
import { assertRefused } from '../http/client.ts';
import { until } from '../support/gateway.ts';
import { ask, startVision, type VisionExample } from './support/vision.ts';

let issuer: TestIssuer;
let example: VisionExample;

before(async () => {
  issuer = await startIssuer();
  example = await startVision({
    '    issuers:': `    allowed_hosts: [${JSON.stringify(new URL(issuer.url).host)}]\n    issuers:`,
    'https://login.example.com': issuer.url,
  });
});

after(async () => {
  await example.stop();
  await issuer.stop();
});

test('an admin with a key of her own makes users, may not make admins, and the trail has her name', async () => {
  const { gateway } = example;
  const made = await gateway.admin('POST', '/admins', { name: 'anna', role: 'operator' });
  const asAnna = (path: string, body: object) =>
    fetch(`${gateway.adminUrl}/admin/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${made.body.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const user = await asAnna('/tenants', { name: 'bob', email: 'bob@example.com' });
  assert.equal(user.status, 201);
  assert.equal((await asAnna('/tenants', { name: 'bob-2', email: 'Bob@example.com' })).status, 409);
  const issued = await asAnna('/keys', { tenant: 'bob', name: 'web' });
  const { key } = (await issued.json()) as { key: string };
  assert.equal((await ask(gateway, key)).status, 200);
  assert.equal((await asAnna('/admins', { name: 'eve', role: 'owner' })).status, 403);
  const { body } = await gateway.admin('GET', '/audit');
  const ofBob = (body.data as { action: string }[]).find(
    (entry) => entry.action === 'tenant.create' && JSON.stringify(entry).includes('"bob"'),
  );
  assert.match(JSON.stringify(ofBob), /"anna"/);
});

test('a key is rotated: the old secret goes on for the overlap, and not longer', async () => {
  const { gateway } = example;
  // The default rate would be used up by asking.
  const limits = { requests_per_minute: 100_000 };
  const { id, key } = await gateway.createKey({ tenant: 'carol', limits, quotas: [] });
  const rotatedAtMs = Date.now();
  const rotated = await gateway.admin('POST', `/keys/${id}/rotate`, { overlap_seconds: 2 });
  const next = String(rotated.body.key);
  assert.equal((await ask(gateway, next)).status, 200);
  assert.equal((await ask(gateway, key)).status, 200);
  await until(async () => (await ask(gateway, key)).status === 401, 'the end of the old secret');
  assert.ok(Date.now() - rotatedAtMs >= 2_000);
  assert.equal((await ask(gateway, next)).status, 200);
});

test('a key with a list of addresses is good there alone, as nginx tells it', async () => {
  const { gateway } = example;
  const allowed_addresses = ['203.0.113.0/24', '2001:db8::/32'];
  const { key } = await gateway.createKey({ tenant: 'dora', allowed_addresses });
  for (const address of ['203.0.113.7', '2001:db8::1']) {
    assert.equal((await ask(gateway, key, { 'x-forwarded-for': address })).status, 200);
  }
  for (const address of ['203.0.114.7', '2001:db9::1']) {
    assertRefused(await ask(gateway, key, { 'x-forwarded-for': address }), 'permission_denied');
  }
  assertRefused(await ask(gateway, key), 'permission_denied');
});

test('a token of the login service is taken in place of a key, with what a new key gets', async () => {
  const { gateway } = example;
  await gateway.admin('POST', '/tenants', { name: 'ines' });
  const reply = await ask(gateway, await issuer.token({ tenant: 'ines' }));
  assert.equal(reply.status, 200, reply.body.toString());
  assert.equal(reply.headers['x-ratelimit-limit-requests'], '60');
  assert.equal(reply.headers['x-quota-remaining-requests'], '999');
  assertRefused(await ask(gateway, await issuer.token({ tenant: 'ines', exp: 1 })), 'invalid_api_key');
  assertRefused(await ask(gateway, await issuer.token({ tenant: 'nobody' })), 'invalid_api_key');
  assertRefused(await ask(gateway, await issuer.token({ tenant: 'ines', aud: 'else' })), 'invalid_api_key');
});
