import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asEstimated, BEGIN_MS, completed, DAY_MS, type Ground, got, openGround } from './ground.ts';

/** A job as it waits, is handed over, runs as attempt 1, runs as attempt 2, and has ended in each way. */
const states = {
  absent: async () => undefined,
  waiting: async ({ accept }) => void (await accept('job_1')),
  handed: async (ground) => {
    await states.waiting(ground);
    await ground.pick(1);
  },
  running: async (ground) => {
    await states.handed(ground);
    await ground.table.start('job_1', 'run 1', 9);
  },
  again: async (ground) => {
    await states.running(ground);
    await ground.table.start('job_1', 'run 2', 9);
  },
  returned: async (ground) => {
    await states.running(ground);
    await ground.table.putBack('job_1', 1);
  },
  done: async (ground) => {
    await states.running(ground);
    await ground.table.finish('job_1', 1, completed, asEstimated);
  },
  cancelled: async (ground) => {
    await states.running(ground);
    await ground.table.cancel('job_1', 'acme', 'caller');
  },
} as const satisfies Record<string, (ground: Ground) => Promise<void>>;

/** What each step says in each state, and the status afterwards. */
const expected: Readonly<Record<keyof typeof states, readonly string[]>> = {
  //           start               put back 0         put back 1           finish 1            cancel
  absent: ['absent', 'absent', 'absent', 'absent', 'absent'],
  waiting: ['waiting queued', 'waiting queued', 'waiting queued', 'superseded queued', 'cancelled cancelled'],
  handed: [
    'started in_progress',
    'waiting queued',
    'superseded queued',
    'superseded queued',
    'cancelled cancelled',
  ],
  running: [
    'started in_progress',
    'superseded in_progress',
    'waiting queued',
    'finished completed',
    'cancelled cancelled',
  ],
  again: [
    'started in_progress',
    ...Array.from({ length: 3 }, () => 'superseded in_progress'),
    'cancelled cancelled',
  ],
  returned: [
    'waiting queued',
    'waiting queued',
    'waiting queued',
    'superseded queued',
    'cancelled cancelled',
  ],
  done: ['over completed', 'over completed', 'over completed', 'finished completed', 'over completed'],
  cancelled: ['over cancelled', 'over cancelled', 'over cancelled', 'over cancelled', 'over cancelled'],
};

const steps: readonly ((ground: Ground) => Promise<{ verdict: string; status: string | undefined }>)[] = [
  async ({ table }) => got(await table.start('job_1', 'run 3', 9)),
  async ({ table }) => got(await table.putBack('job_1', 0)),
  async ({ table }) => got(await table.putBack('job_1', 1)),
  async ({ table }) => got(await table.finish('job_1', 1, completed, asEstimated)),
  async ({ table }) => got(await table.cancel('job_1', 'acme', 'caller')),
];

test('every step says in every state of a job what it has done, and does no more', async (t) => {
  const ground = await openGround(t);
  for (const [state, reach] of Object.entries(states)) {
    const said: string[] = [];
    for (const step of steps) {
      await ground.client.flushall();
      ground.setTime(BEGIN_MS);
      await reach(ground);
      const { verdict, status } = await step(ground);
      said.push([verdict, status].filter(Boolean).join(' '));
      const record = got(await ground.table.find('job_1'));
      assert.equal(record?.status, status, `${state}: the record says what the verdict said`);
    }
    assert.deepEqual(said, expected[state as keyof typeof states], state);
  }
});

test('a run that asks twice has one number, and the next run a new one', async (t) => {
  const { accept, pick, table } = await openGround(t);
  await accept('job_1');
  await pick(1);
  const attempts: number[] = [];
  for (const run of ['a', 'a', 'b', 'b']) attempts.push(got(await table.start('job_1', run, 9)).attempt);
  assert.deepEqual(attempts, [1, 1, 2, 2]);
});

test('the result of the first to finish stands, and its own repetition is told the same', async (t) => {
  const { table, ...ground } = await openGround(t);
  await states.again({ table, ...ground });
  const late = got(await table.finish('job_1', 1, completed, { cost: 7, usage: '{"late":1}' }));
  assert.equal(late.verdict, 'superseded');
  const usage = '{"total_tokens":7}';
  const first = await table.finish(
    'job_1',
    2,
    { status: 'failed', code: 'c', message: 'm' },
    { cost: 7, usage },
  );
  assert.equal(got(first).verdict, 'finished');
  assert.equal(got(await table.finish('job_1', 2, completed, asEstimated)).verdict, 'over');
  assert.equal(got(await table.finish('job_1', 1, completed, asEstimated)).verdict, 'over');
  const record = got(await table.find('job_1'));
  assert.deepEqual([record?.status, record?.result_attempt, record?.usage], ['failed', 2, usage]);
  assert.deepEqual(record?.error, { code: 'c', message: 'm' });
});

test('a job that was cancelled while it ran takes the usage of that run once', async (t) => {
  const { table, ...ground } = await openGround(t);
  await states.cancelled({ table, ...ground });
  for (const usage of ['{"total_tokens":7}', '{"total_tokens":8}']) {
    assert.equal(got(await table.finish('job_1', 1, completed, { cost: 7, usage })).verdict, 'over');
  }
  const record = got(await table.find('job_1'));
  assert.deepEqual([record?.status, record?.usage], ['cancelled', '{"total_tokens":7}']);
  assert.deepEqual([record?.cancelled_by, record?.result_attempt], ['caller', null]);
});

test('a job that ends its workers fails after its tries, and a try that was given back does not count', async (t) => {
  const { accept, pick, table } = await openGround(t);
  await accept('job_1');
  for (let run = 1; run <= 4; run += 1) {
    await pick(1);
    assert.equal(got(await table.start('job_1', `given back ${run}`, 2)).attempt, run);
    await table.putBack('job_1', run);
  }
  await pick(1);
  assert.equal(got(await table.start('job_1', 'a', 2)).attempt, 5);
  assert.equal(got(await table.start('job_1', 'b', 2)).attempt, 6);
  assert.equal(got(await table.start('job_1', 'c', 2)).verdict, 'exhausted');
  const record = got(await table.find('job_1'));
  assert.deepEqual([record?.status, record?.error?.code], ['failed', 'attempts_exhausted']);
});

test('another tenant cannot cancel or forget a job, and learns nothing of it', async (t) => {
  const { accept, table } = await openGround(t);
  await accept('job_1');
  for (const step of [table.cancel('job_1', 'other', 'caller'), table.forget('job_1', 'other')]) {
    assert.deepEqual(got(await step), { verdict: 'absent', attempt: 0, status: undefined });
  }
  assert.equal(got(await table.cancel('job_1', undefined, 'operator')).verdict, 'cancelled');
});

test('a job that is not done in its time expires wherever it is, and its record goes after its time', async (t) => {
  const { accept, pick, setTime, table, client } = await openGround(t);
  await accept('job_1', { expiresInMs: 1_000, keptMs: 500 });
  await accept('job_2', {
    expiresInMs: 1_000,
    keptMs: 500,
    once: { digest: 'd', bodyDigest: 'b', keptMs: DAY_MS },
  });
  await accept('job_3', { expiresInMs: 1_000, keptMs: 500 });
  await pick(2);
  await table.start('job_1', 'run', 3);
  setTime(BEGIN_MS + 999);
  assert.deepEqual(got(await table.sweep(10)), { expired: 0, forgotten: 0 });
  setTime(BEGIN_MS + 1_000);
  assert.deepEqual(await pick(1), [], 'what has expired is picked no more');
  assert.equal(got(await table.start('job_2', 'run', 3)).status, 'expired');
  assert.deepEqual(got(await table.sweep(1)), { expired: 1, forgotten: 0 });
  assert.equal(got(await table.finish('job_1', 1, completed, asEstimated)).status, 'expired');
  assert.deepEqual(got(await table.totals()), { jobs: 0, bytes: 0 });
  setTime(BEGIN_MS + 1_500);
  assert.deepEqual(got(await table.sweep(2)), { expired: 0, forgotten: 2 });
  assert.deepEqual(got(await table.sweep(2)), { expired: 0, forgotten: 1 });
  const left = (await client.keys('sluice:*')).sort();
  // The notes of jobs that ended before they ran go when their tickets are closed.
  const kept = ['line:llama', 'meta', 'unrun'].map((name) => `sluice:1:{_jobs}:${name}`);
  assert.deepEqual(left, kept);
});

test('what nobody began after it was picked is named', async (t) => {
  const { accept, pick, setTime, table } = await openGround(t);
  for (const id of ['job_1', 'job_2', 'job_3']) await accept(id);
  await pick(2);
  setTime(BEGIN_MS + 5_000);
  await table.start('job_1', 'run', 3);
  assert.deepEqual(got(await table.overdue('llama', 5_000, 10)), ['job_2']);
  assert.deepEqual(got(await table.overdue('llama', 5_001, 10)), []);
});

test('a cancelled job leaves the line, and the channel tells each change', async (t) => {
  const { accept, pick, table, client } = await openGround(t);
  const listener = client.duplicate();
  t.after(() => listener.disconnect());
  const told: string[] = [];
  const last = Promise.withResolvers<void>();
  listener.on('message', (_channel, message) => {
    const { id, status, attempt } = JSON.parse(message);
    told.push(`${id} ${status} ${attempt}`);
    if (status === 'completed') last.resolve();
  });
  await listener.subscribe('sluice:1:{_jobs}:events');
  await accept('job_1');
  await accept('job_2');
  await table.cancel('job_1', 'acme', 'caller');
  assert.deepEqual(await pick(5), ['job_2']);
  await table.start('job_2', 'a', 3);
  await table.putBack('job_2', 1);
  await pick(1);
  await table.start('job_2', 'b', 3);
  await table.finish('job_2', 2, completed, asEstimated);
  await last.promise;
  assert.deepEqual(told, [
    ...['job_1 queued 0', 'job_2 queued 0', 'job_1 cancelled 0', 'job_2 in_progress 1'],
    ...['job_2 queued 1', 'job_2 in_progress 2', 'job_2 completed 2'],
  ]);
});
