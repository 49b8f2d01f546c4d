import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Estimator } from '../../../src/admission/estimate/estimator.ts';
import { LearnedMerge } from '../../../src/admission/estimate/learned-merge.ts';
import type { RedisConnection } from '../../../src/redis/connection.ts';
import { type LearnedTable, learnedTable } from '../../../src/redis/learned-table.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { openGround, quiet } from '../ground.ts';
import { chatOf, estimateChat, type Kind, observed, prose, seeded, tokens } from './prose.ts';

interface LearningReplica {
  readonly estimator: Estimator;
  readonly merge: LearnedMerge;
}

function replicaOn(
  connection: RedisConnection,
  models: readonly string[] = ['m'],
  table = learnedTable(connection),
  log = quiet,
): LearningReplica {
  const estimator = new Estimator(() => undefined);
  return {
    estimator,
    merge: new LearnedMerge({ estimator, table, models: () => models, log, intervalMs: 20 }),
  };
}

const random = seeded(11);

function calls({ estimator }: LearningReplica, kind: Kind, count: number, model = 'm'): void {
  for (let call = 0; call < count; call += 1) {
    const text = prose(kind, 1_000, random);
    const estimate = estimateChat(estimator, chatOf(text), model);
    estimator.learn(model, estimate, observed({ inputTokens: tokens(text) + 4, gpuMs: 3_000 }));
  }
}

/** Real ÷ estimated tokens. */
function error({ estimator }: LearningReplica, kind: Kind, model = 'm'): number {
  const text = prose(kind, 4_000, seeded(12));
  return (tokens(text) + 4) / estimateChat(estimator, chatOf(text), model).inputTokens;
}

async function stored(connection: RedisConnection): Promise<Record<string, string>> {
  const answer = await connection.ask((client) => client.hgetall(connection.keys.learned()));
  assert.ok(answer.ok);
  return answer.value;
}

async function store(connection: RedisConnection, fields: Record<string, string>): Promise<void> {
  assert.ok((await connection.ask((client) => client.hset(connection.keys.learned(), fields))).ok);
}

async function pair(t: TestContext) {
  const { connect, redis } = await openGround(t);
  return {
    redis,
    one: replicaOn(await connect()),
    other: replicaOn(await connect()),
    connection: await connect(),
  };
}

test('two replicas that see different scripts come to know both, and the same', async (t) => {
  const { one, other } = await pair(t);
  for (let round = 0; round < 20; round += 1) {
    calls(one, 'cjk', 20);
    calls(other, 'latin', 20);
    await one.merge.merge();
    await other.merge.merge();
  }
  await one.merge.merge();
  await other.merge.merge();
  await one.merge.merge();
  assert.deepEqual(one.estimator.learnedOf('m').learned(), other.estimator.learnedOf('m').learned());
  for (const kind of ['cjk', 'latin'] as const) {
    assert.ok(Math.abs(error(other, kind) - 1) < 0.1, `${kind}: ${error(other, kind)}`);
  }
});

test('a new replica begins with what the others know', async (t) => {
  const { one, other } = await pair(t);
  calls(one, 'latin', 200);
  await one.merge.merge();
  other.merge.start();
  t.after(() => other.merge.stop());
  while (other.estimator.gpuMs('m') === 1_000) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(error(other, 'latin'), error(one, 'latin'));
});

test('replicas that merge at the same time all the same come to know what each has seen', async (t) => {
  const { one, other } = await pair(t);
  calls(one, 'cjk', 200);
  calls(other, 'latin', 200);
  for (const { merge } of [one, other]) {
    merge.start();
    t.after(() => merge.stop());
  }
  const far = () => Math.max(Math.abs(error(one, 'latin') - 1), Math.abs(error(other, 'cjk') - 1));
  while (far() >= 0.1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    calls(one, 'cjk', 20);
    calls(other, 'latin', 20);
  }
});

test('a replica that has stopped merges no more', async (t) => {
  const { one, other, connection } = await pair(t);
  one.merge.start();
  one.merge.stop();
  await one.merge.merge();
  calls(one, 'latin', 5);
  other.merge.start();
  t.after(() => other.merge.stop());
  for (let round = 0; round < 4; round += 1) {
    const before = await stored(connection);
    calls(other, 'latin', 5);
    while ((await stored(connection)).m === before.m) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(one.estimator.learnedOf('m').learned().evidence.gpu_ms, 5);
});

test('what was agreed on yesterday gives way to what is seen today', async (t) => {
  const { one, connection } = await pair(t);
  await store(connection, { m: JSON.stringify({ letters: [1.5, 5_000] }) });
  await one.merge.merge();
  for (let round = 0; round < 30; round += 1) {
    calls(one, 'latin', 50);
    await one.merge.merge();
  }
  assert.ok(Math.abs(error(one, 'latin') - 1) < 0.1, `${error(one, 'latin')}`);
});

test('what is learned while a merge is under way is not lost', async (t) => {
  const { connection } = await pair(t);
  const table = learnedTable(connection);
  const slow: LearnedTable = {
    read: table.read,
    write: async (...record) => {
      calls(replica, 'latin', 50);
      return table.write(...record);
    },
  };
  const replica = replicaOn(connection, ['m'], slow);
  calls(replica, 'cjk', 50);
  await replica.merge.merge();
  const { evidence } = replica.estimator.learnedOf('m').learned();
  assert.equal(evidence.gpu_ms, 50);
  assert.ok(evidence.cjk < 0.001 && evidence.letters > 10);
  assert.ok(Math.abs(error(replica, 'latin') - 1) < 0.1, `${error(replica, 'latin')}`);
});

for (const [name, text] of [
  ['is no JSON', '{'],
  ['is no record', '5'],
  ['has other types', '{"letters":"x","cjk":[null,1],"code":[1],"answer":{}}'],
  ['is beyond all bounds', '{"letters":[1e300,1e300],"cjk":[-5,-1],"answer":[1e300,1],"gpu_ms":[1e18,9e9]}'],
  ['knows quantities of another release', '{"vowels":[3,4],"__proto__":[1,2]}'],
] as const) {
  test(`a stored record that ${name} leaves every value in its range`, async (t) => {
    const { one, connection } = await pair(t);
    await store(connection, { m: text });
    calls(one, 'latin', 5);
    await one.merge.merge();
    await one.merge.merge();
    const { values, evidence } = one.estimator.learnedOf('m').learned();
    for (const value of [...Object.values(values), ...Object.values(evidence)]) {
      assert.ok(Number.isFinite(value) && value >= 0 && value <= 3_600_000, JSON.stringify(values));
    }
    assert.ok(values.letters <= 1.5 && values.cjk >= 0.2);
    const { letters } = JSON.parse((await stored(connection)).m ?? '');
    assert.ok(letters[0] >= 0.05 && letters[0] <= 1.5, `${letters}`);
  });
}

test('only models that are served are read and written', async (t) => {
  const { connect } = await openGround(t);
  const connection = await connect();
  const replica = replicaOn(connection, ['served']);
  calls(replica, 'latin', 5, 'served');
  calls(replica, 'latin', 5, 'made-up');
  await replica.merge.merge();
  assert.deepEqual(Object.keys(await stored(connection)), ['served']);
});

test('models that nobody serves go when there are too many', async (t) => {
  const { connect } = await openGround(t);
  const connection = await connect();
  await store(connection, Object.fromEntries(Array.from({ length: 1_200 }, (_, at) => [`old${at}`, '{}'])));
  const kept = Array.from({ length: 300 }, (_, at) => `old${at}`);
  const replica = replicaOn(connection, ['served', ...kept]);
  calls(replica, 'latin', 5, 'served');
  await replica.merge.merge();
  const names = Object.keys(await stored(connection));
  assert.equal(names.length, 1_000);
  assert.ok(['served', ...kept].every((name) => names.includes(name)));
});

test('while Redis is away a replica goes on learning, and brings it in afterwards', async (t) => {
  const { one, other, redis } = await pair(t);
  redis.pause();
  calls(one, 'latin', 200);
  await one.merge.merge();
  const known = error(one, 'latin');
  redis.resume();
  while (other.estimator.gpuMs('m') === 1_000) {
    await one.merge.merge();
    await other.merge.merge();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(error(other, 'latin'), known);
});

test('a key of another type is logged and harms nobody', async (t) => {
  const { connection } = await pair(t);
  assert.ok((await connection.ask((client) => client.set(connection.keys.learned(), 'x'))).ok);
  const logged = Promise.withResolvers<string>();
  const log = createLogger('info', {}, { write: (line: string) => logged.resolve(line) });
  const { merge } = replicaOn(connection, ['m'], learnedTable(connection), log);
  merge.start();
  t.after(() => merge.stop());
  assert.match(await logged.promise, /could not be merged/);
});
