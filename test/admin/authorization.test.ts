import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from './fixture.ts';

/** Every route, one path that is none, one method that is wrong. */
const guarded = [
  ...[
    ['POST', '/keys'],
    ['GET', '/keys'],
    ['POST', '/keys/import'],
    ['GET', '/keys/key_000000000000'],
  ],
  ...[
    ['PATCH', '/keys/key_000000000000'],
    ['DELETE', '/keys/key_000000000000'],
  ],
  ...[
    ['POST', '/keys/key_000000000000/rotate'],
    ['GET', '/tenants'],
    ['GET', '/tenants/acme'],
  ],
  ...[
    ['PATCH', '/tenants/acme'],
    ['GET', '/upstreams'],
    ['GET', '/models'],
    ['POST', '/config/reload'],
    ['GET', '/nothing'],
    ['PUT', '/keys'],
    ['GET', ''],
  ],
].map(([method = '', path = '']) => ({ method, path: `/admin/v1${path}` }));

let open: AdminFixture;
let off: AdminFixture;

before(async () => {
  open = await startAdmin();
  off = await startAdmin({ token: undefined });
});
after(() => Promise.all([open.stop(), off.stop()]));

test('nothing under /admin answers without the right token, in whatever way it is missing or wrong', async () => {
  const wrong = [undefined, '', 'Bearer', 'Bearer ', `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN}x`];
  wrong.push(`Bearer ${TOKEN.slice(1)}`, `Bearer ${TOKEN} ${TOKEN}`, `Bearer ${TOKEN.toUpperCase()}`);
  for (const { method, path } of guarded) {
    for (const authorization of wrong) {
      const { status, headers, body } = await open.call(method, path, { authorization, json: {} });
      assert.equal(status, 401, `${method} ${path} with ${authorization}`);
      assert.equal(headers.get('www-authenticate'), 'Bearer');
      assert.equal(body.error.code, 'invalid_api_key');
    }
  }
});

test('with the right token none of them is 401', async () => {
  for (const { method, path } of guarded) {
    const { status } = await open.call(method, path, { json: {} });
    assert.notEqual(status, 401, `${method} ${path}`);
  }
});

test('without a configured token the admin API is off: 404 for everything, with the way to switch it on', async () => {
  for (const { method, path } of guarded) {
    for (const authorization of [undefined, 'Bearer ', 'Bearer undefined', `Bearer ${TOKEN}`]) {
      const { status, body } = await off.call(method, path, { authorization, json: {} });
      assert.equal(status, 404, `${method} ${path} with ${authorization}`);
      assert.equal(body.error.code, 'not_found');
      assert.match(body.error.message, /SLUICE_ADMIN_TOKEN/);
    }
  }
});

test('probes and metrics need no token', async () => {
  for (const fixture of [open, off]) {
    for (const path of ['/live', '/ready', '/metrics']) {
      assert.equal((await fixture.call('GET', path, { authorization: undefined })).status, 200);
    }
  }
});

test('a refused token is logged with the address, and is not in the log itself', async () => {
  await open.call('GET', '/admin/v1/keys', { authorization: 'Bearer a-secret-from-elsewhere' });
  const line = open.logLines().findLast(({ msg }) => msg === 'admin token refused');
  assert.equal(line?.reason, 'wrong');
  assert.equal(line?.address, '127.0.0.1');
  assert.doesNotMatch(JSON.stringify(open.logLines()), /a-secret-from-elsewhere/);
});
