/** An event reaches its receiver as the Standard Webhooks have it, and what fails is tried again. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import { until } from '../ground.ts';
import { hostOf, openReceiver, webhookGround } from './ground.ts';

let redis: TestRedis;
before(async () => {
  redis = await startRedis();
});
after(() => redis.stop());

const fine = () => ({ status: 204 });

test('the official library of receivers accepts a delivery, and no changed one', async (t) => {
  const receiver = await openReceiver(t, fine);
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  const secret = await ground.register('acme', receiver.url);
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  ground.openMailroom();
  await ground.complete('job_a');
  const [letter] = await receiver.got(1);
  assert.ok(letter);
  const webhook = new Webhook(secret);
  const event = webhook.verify(letter.body, letter.headers) as Record<string, unknown>;
  const { created_at, ...rest } = event;
  assert.deepEqual(rest, {
    ...{ id: 'evt_a', object: 'event', type: 'job.completed' },
    data: { id: 'job_a' },
  });
  assert.ok(Math.abs(Number(created_at) - Date.now() / 1_000) < 60);
  assert.equal(letter.headers['webhook-id'], 'evt_a');
  assert.equal(letter.headers['content-type'], 'application/json');
  assert.throws(() => webhook.verify(letter.body.replace('job_a', 'job_b'), letter.headers));
  await until(() => ground.outcomes.length === 1);
  assert.deepEqual(ground.outcomes, ['delivered']);
});

test('while a secret is rotated both sign, and the old one ends when its overlap does', async (t) => {
  const receiver = await openReceiver(t, fine);
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  const old = await ground.register('rotator', receiver.url);
  const rotated = await ground.administration.rotate('rotator');
  assert.ok(rotated.ok && rotated.secret !== old);
  ground.openMailroom();
  await ground.complete('job_r1', 'rotator');
  const [both] = await receiver.got(1);
  assert.ok(both);
  assert.equal(both.headers['webhook-signature']?.split(' ').length, 2);
  for (const secret of [old, rotated.secret]) new Webhook(secret).verify(both.body, both.headers);
  const ended = await ground.administration.rotate('rotator', 0);
  assert.ok(ended.ok);
  await ground.complete('job_r2', 'rotator');
  const [, letter] = await receiver.got(2);
  assert.ok(letter);
  new Webhook(ended.secret).verify(letter.body, letter.headers);
  for (const secret of [old, rotated.secret]) {
    assert.throws(() => new Webhook(secret).verify(letter.body, letter.headers));
  }
});

test('a failure is tried again with the same id, and given up behind the last pause; then it can be replayed', async (t) => {
  let status = 500;
  const receiver = await openReceiver(t, () => ({ status }));
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  await ground.register('failing', receiver.url);
  ground.openMailroom();
  await ground.complete('job_f', 'failing');
  await until(() => ground.outcomes.length === 3);
  assert.deepEqual(ground.outcomes, ['retry', 'retry', 'dead']);
  assert.deepEqual(new Set(receiver.letters.map(({ headers }) => headers['webhook-id'])), new Set(['evt_f']));
  await until(async () => {
    const dead = await ground.administration.dead('failing', 0, 10);
    return dead.ok && dead.events[0]?.last_status === 500 && dead.events[0].tries === 3;
  });
  status = 200;
  const replayed = await ground.administration.replay(['evt_f']);
  assert.deepEqual(replayed.ok && replayed.replays, [{ id: 'evt_f', outcome: 'replayed' }]);
  await receiver.got(4);
  await until(() => ground.outcomes.at(-1) === 'delivered');
  assert.equal((await ground.administration.event('evt_f')).ok, false);
});

test('a redirect is not followed', async (t) => {
  const target = await openReceiver(t, fine);
  const receiver = await openReceiver(t, () => ({ status: 307, headers: { location: target.url } }));
  const ground = await webhookGround(t, redis.url, {
    allowed_hosts: hostOf(receiver, target),
    retry_pauses_seconds: [],
  });
  await ground.register('moved', receiver.url);
  ground.openMailroom();
  await ground.complete('job_m', 'moved');
  await until(() => ground.outcomes[0] === 'dead');
  assert.equal(target.letters.length, 0);
});

test('410 disables the endpoint', async (t) => {
  const receiver = await openReceiver(t, () => ({ status: 410 }));
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  await ground.register('leaver', receiver.url);
  ground.openMailroom();
  await ground.complete('job_g', 'leaver');
  await until(async () => {
    const shown = await ground.administration.show('leaver');
    return shown.ok && shown.endpoint.status === 'disabled' && shown.endpoint.disabled_because === 'gone';
  });
  await ground.complete('job_h', 'leaver');
  const shown = await ground.administration.show('leaver');
  assert.deepEqual(shown.ok && shown.events, { waiting: 0, running: 0, dead: 1 });
});

test('Retry-After is waited for, whatever our own pause says', async (t) => {
  const receiver = await openReceiver(t, (number) =>
    number === 0 ? { status: 429, headers: { 'retry-after': '1' } } : { status: 200 },
  );
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  await ground.register('busy', receiver.url);
  ground.openMailroom();
  await ground.complete('job_w', 'busy');
  const [first, second] = await receiver.got(2);
  assert.ok(first && second && second.atMs - first.atMs >= 990, 'our own pause is 0.1 s');
});

test('a receiver that says nothing is given up in time', async (t) => {
  const receiver = await openReceiver(t, () => 'silence');
  const ground = await webhookGround(t, redis.url, {
    allowed_hosts: hostOf(receiver),
    retry_pauses_seconds: [],
    timeout_seconds: 0.3,
  });
  await ground.register('silent', receiver.url);
  ground.openMailroom();
  await ground.complete('job_s', 'silent');
  await until(() => ground.outcomes[0] === 'dead');
  await until(async () => {
    const event = await ground.administration.event('evt_s');
    return event.ok && event.event.last_cause === 'timeout';
  });
});

test('what a worker was delivering when it had to leave, another one delivers at once', async (t) => {
  const receiver = await openReceiver(t, (number) => (number === 0 ? 'silence' : { status: 200 }));
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  await ground.register('mover', receiver.url);
  const leaving = ground.openMailroom();
  await ground.complete('job_v', 'mover');
  await receiver.got(1);
  await leaving.stop(0);
  ground.openMailroom();
  const [first, second] = await receiver.got(2);
  assert.equal(second?.headers['webhook-id'], first?.headers['webhook-id']);
  await until(() => ground.outcomes.length === 1);
  assert.deepEqual(ground.outcomes, ['delivered'], 'leaving is no failure of the receiver');
});

test('neither address nor secret stands in a log line, or in Redis unless encrypted', async (t) => {
  const receiver = await openReceiver(t, () => ({ status: 500 }));
  const ground = await webhookGround(t, redis.url, { allowed_hosts: hostOf(receiver) });
  const secret = await ground.register('discreet', receiver.url);
  ground.openMailroom();
  await ground.complete('job_d', 'discreet');
  await until(() => ground.outcomes.at(-1) === 'dead');
  const stored = await ground.connection.commands.ask((client) =>
    client.hgetall(ground.connection.commands.keys.webhook('discreet')),
  );
  for (const text of [ground.lines.join(''), JSON.stringify(stored)]) {
    assert.ok(text.length > 100 && !text.includes('planted') && !text.includes(secret.slice(6)));
  }
});
