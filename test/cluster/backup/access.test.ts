/** Who may do what is put back with everything else: keys that sign, demands, e-mail addresses, admins, the trail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, bearer, send } from '../../http/client.ts';
import { ed25519Signer, hmacSigner, signed } from '../../http/signing.ts';
import { until } from '../../support/gateway.ts';
import { openSite, runRole, scratch } from './support/ground.ts';

const MODELS = '/v1/models';

test('admins and signing keys work from a copy, demands hold, addresses stay taken, and the trail goes on', {
  timeout: 60_000,
}, async (t) => {
  const file = (await scratch(t))('made.backup');
  const [site, other] = await Promise.all([openSite(t, {}), openSite(t, {})]);
  const [first, second] = await Promise.all([site.startGateway(), other.startGateway()]);
  const email = 'ops@example.com';
  await first.admin('POST', '/tenants', { name: 'owner', email, require_signature: true });
  const signing = await first.createKey({ tenant: 'owner' });
  const signers = [await ed25519Signer(first, signing.id), await hmacSigner(first, signing.id)];
  const narrow = await first.createKey({
    tenant: 'acme',
    scopes: ['usage'],
    note: 'of the report',
    tags: ['a'],
  });
  const { body: ann } = await first.admin('POST', '/admins', { name: 'ann', role: 'viewer' });

  const made = await runRole(['backup', file], site.urls);
  assert.equal(made.code, 0, made.err);
  const back = await runRole(['restore', file], other.urls);
  assert.equal(back.code, 0, back.err);

  const models = (headers: Record<string, string>) => send(second.url, MODELS, { method: 'GET', headers });
  const { host } = new URL(second.url);
  for (const signer of signers) {
    const request = { method: 'GET', authority: host, target: MODELS };
    await until(async () => (await models(signed(request, signer))).status === 200, signer.alg);
  }
  assertRefused(await models(bearer(signing.key)), 'invalid_api_key');
  assertRefused(await models(bearer(narrow.key)), 'permission_denied');
  const { body: shown } = await second.admin('GET', `/keys/${narrow.id}`);
  assert.deepEqual([shown.note, shown.tags], ['of the report', ['a']]);
  const taken = await second.admin('POST', '/tenants', { name: 'thief', email: 'OPS@example.com' });
  assert.equal(taken.status, 409);
  const asAnn = { headers: bearer(String(ann.key)) };
  assert.equal((await fetch(`${second.adminUrl}/admin/v1/admins/${ann.id}`, asAnn)).status, 200);
  const { body: trail } = await second.admin('GET', '/audit?action=key.signing_add');
  assert.equal((trail.data as unknown[]).length, 2);
});
