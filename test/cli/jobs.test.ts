/** `sluice jobs …` against a real gateway. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type DoorStage, prompt, SMALL, startDoorStage } from '../http/jobs/door-stage.ts';
import { got, LINE } from '../http/jobs/player.ts';
import { ADMIN_TOKEN } from '../support/gateway.ts';
import { sluice } from './run.ts';

let stage: DoorStage;
let waiting: string;
let failed: string;
before(async () => {
  stage = await startDoorStage();
  const key = await stage.keyOf('acme-jobs');
  const put = async () => {
    const reply = await stage.post(key, prompt(SMALL), { prefer: 'respond-async' });
    return (JSON.parse(reply.body.toString()) as { id: string }).id;
  };
  failed = await put();
  await stage.player.fail(failed, await stage.player.begin(failed));
  waiting = await put();
});
after(() => stage.stop());

function run(...parameters: string[]) {
  const env = { SLUICE_ADMIN_URL: stage.one.adminUrl, SLUICE_ADMIN_TOKEN: ADMIN_TOKEN };
  return sluice(['jobs', ...parameters], { env });
}

test('jobs are listed with their state and cause, and by what they are asked for', async () => {
  const { stdout, stderr, exitCode } = await run('list', '--tenant', 'acme-jobs');
  assert.deepEqual([exitCode, stderr], [0, '']);
  assert.match(stdout, /^JOB +STATUS +TENANT +MODEL +TOKENS +ATTEMPTS +CREATED +CAUSE$/m);
  assert.match(
    stdout,
    new RegExp(`^${failed} +failed +acme-jobs +${LINE} +\\d+ +1 +20\\S+ +upstream_error$`, 'm'),
  );
  assert.match(stdout, new RegExp(`^${waiting} +queued `, 'm'));
  const some = await run('list', '--status', 'failed', '--json');
  assert.deepEqual(
    (JSON.parse(some.stdout) as { id: string }[]).map(({ id }) => id),
    [failed],
  );
  const first = await run('list', '--limit', '1');
  assert.match(first.stderr, /There are more/);
});

test('what is shown of a failed job says why, and what to do', async () => {
  const { stdout, stderr } = await run('show', failed);
  assert.match(stdout, /^status +failed$/m);
  assert.match(stdout, /^error +upstream_error: It broke\.$/m);
  assert.match(stderr, new RegExp(`sluice jobs retry ${failed}`));
});

test('a failed job is tried again by command, a waiting one cancelled', async () => {
  const tried = await run('retry', failed);
  assert.match(
    tried.stdout,
    new RegExp(`^Job ${failed} runs again as job_[a-z2-7]{26}; it is queued\\.$`, 'm'),
  );
  const cancelled = await run('cancel', waiting);
  assert.equal(cancelled.stdout, `Job ${waiting} is cancelled.\n`);
  assert.equal(got(await stage.player.table.find(waiting))?.status, 'cancelled');
});

test('the queue is stopped and goes on by command', async () => {
  const drained = await run('drain');
  assert.match(drained.stdout, /^No job is begun since 20\S+; \d+ (is|are) unfinished/);
  assert.match((await run('queue')).stdout, /^No job is begun/);
  assert.match((await run('resume')).stdout, /^Jobs are begun as there is room/);
});

test('what cannot be done ends with 1 and says why, wrong usage with 2', async () => {
  const unknown = await run('show', 'job_none');
  assert.equal(unknown.exitCode, 1);
  assert.match(unknown.stderr, /no such job/);
  const notFailed = await run('retry', waiting);
  assert.equal(notFailed.exitCode, 1);
  assert.match(notFailed.stderr, /this one is cancelled/);
  assert.equal((await run('show')).exitCode, 2);
  assert.equal((await run('list', '--limit', '0')).exitCode, 2);
});
