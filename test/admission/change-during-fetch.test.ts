import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { ask, must, newKey, openGround } from './ground.ts';

/** Holds back the first answer of each question until `release`; tells of messages that have arrived. */
function slow(release: Promise<void>, asked: () => void, heard: () => void) {
  return (connection: RedisConnection): RedisConnection => ({
    ...connection,
    async ask(commands) {
      const answer = await connection.ask(commands);
      asked();
      await release;
      return answer;
    },
    subscribe: (channel, subscriber) =>
      connection.subscribe(channel, {
        subscribed: subscriber.subscribed,
        received(message) {
          subscriber.received(message);
          heard();
        },
      }),
  });
}

test('a key revoked while its record is on the way is refused, to all who wait for it', async (t) => {
  const { store, replica } = await openGround(t);
  const { record, secret } = await newKey(store);
  const release = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const heard = Promise.withResolvers<void>();
  const other = await replica({}, slow(release.promise, asked.resolve, heard.resolve));

  const first = ask(other, secret);
  await asked.promise;
  must(await store.revoke(record.id));
  await heard.promise;
  const second = ask(other, secret);
  release.resolve();
  assert.equal(await first, `401 revoked ${record.id}`);
  assert.equal(await second, `401 revoked ${record.id}`);
});

test('a tenant disabled while a record of it is on the way stops it', async (t) => {
  const { store, replica } = await openGround(t);
  const { record, secret } = await newKey(store);
  const release = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const heard = Promise.withResolvers<void>();
  const other = await replica({}, slow(release.promise, asked.resolve, heard.resolve));

  const verdict = ask(other, secret);
  await asked.promise;
  must(await store.updateTenant('acme', { status: 'disabled' }));
  await heard.promise;
  release.resolve();
  assert.equal(await verdict, `401 tenant disabled ${record.id}`);
});

test('many who ask for one key at once put one question', async (t) => {
  const { store, replica } = await openGround(t);
  const { secret } = await newKey(store);
  let questions = 0;
  const other = await replica({}, (connection) => ({
    ...connection,
    ask(commands) {
      questions += 1;
      return connection.ask(commands);
    },
  }));
  questions = 0;
  const verdicts = await Promise.all(Array.from({ length: 100 }, () => ask(other, secret)));
  assert.deepEqual(new Set(verdicts), new Set(['ok']));
  assert.equal(questions, 1);
});
