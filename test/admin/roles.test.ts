/** What each role may do: each route needs one, and none is open by oversight. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fastify from 'fastify';
import { answerFaults } from '../../src/admin/answers.ts';
import { demandRole, Gate } from '../../src/admin/authorization.ts';
import { routeRoles } from '../../src/admin/roles.ts';
import { type AdminRole, adminRoles, mayActAs } from '../../src/core/admin.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { type AdminFixture, startAdmin, TOKEN } from './fixture.ts';

let admin: AdminFixture;
const keyOf = new Map<AdminRole, string>();

before(async () => {
  admin = await startAdmin();
  for (const role of adminRoles) {
    const { body } = await admin.call('POST', '/admin/v1/admins', { json: { name: `the ${role}`, role } });
    keyOf.set(role, body.key);
  }
});
after(() => admin.stop());

function as(role: AdminRole, method: string, path: string, json: unknown = {}) {
  return admin.call(method, path, { authorization: `Bearer ${keyOf.get(role)}`, json });
}

test('every route under /admin stands in the table of roles, and nothing else does', () => {
  const routes = admin.routes.filter((route) => route.includes(' /admin'));
  assert.deepEqual([...routeRoles.keys()].sort(), [...new Set(routes)].sort());
});

test('each role may do what the table says, and for the rest gets 403', async () => {
  for (const [route, needed] of routeRoles) {
    const [method = '', pattern = ''] = route.split(' ');
    const path = pattern.replace('/*', '/x').replaceAll(/:(\w+)/g, 'none_$1');
    for (const role of adminRoles) {
      const { status, body } = await as(role, method, path);
      const what = `${route} by ${role}: ${status}`;
      assert.notEqual(status, 401, what);
      assert.equal(status === 403, !mayActAs(role, needed), what);
      if (status === 403) assert.equal(body.error.code, 'permission_denied');
    }
  }
});

test('a refusal says which role may', async () => {
  const { body } = await as('viewer', 'POST', '/admin/v1/keys', { tenant: 'acme', name: 'web' });
  assert.equal(
    body.error.message,
    'The role viewer may not do this; operator may. Ask an owner: sluice admins update.',
  );
  assert.equal((await admin.call('GET', '/admin/v1/keys')).body.data.length, 0);
});

test('HEAD needs what GET needs', async () => {
  assert.equal((await as('viewer', 'HEAD', '/admin/v1/keys')).status, 200);
});

test('what is no route is 404 and no method of one 405, for every role', async () => {
  for (const role of adminRoles) {
    assert.equal((await as(role, 'GET', '/admin/v1/nothing')).status, 404);
    assert.equal((await as(role, 'PUT', '/admin/v1/keys')).status, 405);
    assert.equal((await as(role, 'POST', '/admin/queues')).status, 405);
  }
});

test('a route that the table does not know is refused to everybody, the root token too', async () => {
  const log = createLogger('fatal', {}, { write: () => {} });
  const keys = { check: async () => ({ ok: false, kind: 'wrong', reason: 'wrong', isGuess: true }) as const };
  const gate = new Gate({ token: TOKEN, keys, log, now: Date.now });
  const app = fastify();
  app.decorateRequest('admin');
  app.setErrorHandler(answerFaults(log));
  app.addHook('onRequest', demandRole({ gate, journal: { refusedRole: () => undefined }, log }));
  app.get('/admin/v1/forgotten', async () => 'open');
  const answer = await app.inject({
    url: '/admin/v1/forgotten',
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  assert.equal(answer.statusCode, 403);
  assert.equal(answer.json().error.message, 'No role may do this.');
  await app.close();
});

test('the board of the queue opens for a viewer, with the admin key as the password', async () => {
  const password = Buffer.from(`anybody:${keyOf.get('viewer')}`).toString('base64');
  const { status } = await admin.call('GET', '/admin/queues', { authorization: `Basic ${password}` });
  assert.equal(status, 503, 'past the guard; there is no queue here');
  assert.equal(
    (await admin.call('GET', '/admin/v1/keys', { authorization: `Basic ${password}` })).status,
    401,
  );
});
