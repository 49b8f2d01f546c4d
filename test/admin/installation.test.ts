import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fastify from 'fastify';
import { installationRoutes } from '../../src/admin/installation.ts';
import { Installation } from '../../src/admission/installation.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { openGround } from '../admission/ground.ts';
import { asRoot } from './as-root.ts';

/** Two replicas on one Redis, of which the first has the route. */
async function open(t: TestContext) {
  const { redis, connect } = await openGround(t);
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('info', {}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const start = async () => {
    const installation = new Installation({ redis: await connect(), log });
    t.after(() => installation.stop());
    installation.start();
    await installation.check();
    await installation.check(); // what the first look has made, the second one knows
    return installation;
  };
  const connection = await connect();
  const first = await start();
  const second = await start();
  const app = fastify();
  t.after(() => app.close());
  const { journal } = asRoot(app, log);
  installationRoutes(app, { installation: first, journal });
  const accept = () => app.inject({ method: 'POST', url: '/v1/installation/accept' });
  const lose = async () => {
    await connection.ask((client) => client.flushall());
    for (const each of [first, second]) await each.check();
    assert.ok(first.isLost() && second.isLost());
  };
  const written = () => lines.filter(({ action }) => action === 'installation.accept');
  return { redis, connection, accept, lose, first, second, written };
}

test('an operator accepts data that are others than before, and every replica trusts them', async (t) => {
  const { accept, lose, first, second, written } = await open(t);
  await lose();
  const answer = await accept();
  assert.equal(answer.statusCode, 200);
  const { id, accepted_from } = answer.json();
  assert.equal(accepted_from.length, 1);
  assert.notEqual(id, accepted_from[0]);
  assert.ok(first.isTrusted());
  await second.check();
  assert.ok(second.isTrusted());
  assert.deepEqual(
    written().map(({ installation, actor, error }) => [installation, actor, error]),
    [[id, 'root', undefined]],
  );
});

test('where nothing is missed there is nothing to accept', async (t) => {
  const { accept, first, written } = await open(t);
  assert.ok(first.isTrusted());
  const answer = await accept();
  assert.equal(answer.statusCode, 409);
  assert.equal(answer.json().error.code, 'conflict');
  assert.equal(written()[0]?.error, 'conflict');
});

test('while Redis does not answer, nothing can be accepted', async (t) => {
  const { accept, redis } = await open(t);
  redis.pause();
  const answer = await accept();
  redis.resume();
  assert.equal(answer.statusCode, 503);
  assert.equal(answer.headers['retry-after'], '1');
});
