/**
 * With 10,000 keys and a year of usage, every page of the admin API and every list and report of the command line comes
 * within a second on a quiet machine (the figures are printed), and within three where tests share one.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluiceHere } from './pipes.ts';
import { seed, TENANT } from './seed.ts';

const MS_MAX = 3_000;
const DAY_MS = 86_400_000;
const nowMs = Date.now();
const day = (back: number) => new Date(nowMs - back * DAY_MS).toISOString().slice(0, 10);
const thisMonth = day(0).slice(0, 7);
const firstMonth = new Date(Date.UTC(Number(day(0).slice(0, 4)), Number(day(0).slice(5, 7)) - 12))
  .toISOString()
  .slice(0, 7);
const halfAYearAgo = new Date(nowMs - 182 * DAY_MS).toISOString();

let admin: AdminFixture;
before(async () => {
  admin = await startAdmin();
  await seed(admin.connection, nowMs);
});
after(() => admin.stop());

/** Of the longest reports these many are enough to know the slowest. */
const PAGES_MAX = 10;
const TRIES = 3;

/** @returns how many things the pages have together */
async function readPages(path: string): Promise<{ count: number; pages: number; slowestMs: number }> {
  let [count, pages, slowestMs] = [0, 0, 0];
  let cursor: string | null = '';
  while (cursor !== null && pages < PAGES_MAX) {
    const beganMs = performance.now();
    const { status, body } = await admin.call(
      'GET',
      `/admin/v1${path}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    assert.equal(status, 200, JSON.stringify(body));
    count += body.data.length;
    pages += 1;
    cursor = body.next_cursor ?? null;
  }
  return { count, pages, slowestMs };
}

/** With what they are to bring all in all; undefined: more pages than are read, or groups that are cut by pages. */
const lists: readonly [string, number | undefined][] = [
  ['/keys?limit=1000', 10_000],
  [`/keys?limit=1000&tenant=${TENANT}`, 5_000],
  ['/keys?limit=100&tag=rare', 10],
  ['/keys?limit=1000&status=revoked', 0],
  [`/keys?limit=1000&created_before=${halfAYearAgo}`, 5_014],
  [`/keys?limit=1000&unused_since=${halfAYearAgo}`, 4_512],
  ['/tenants?limit=1000', 251],
  [`/usage?tenant=${TENANT}&from=${day(364)}&to=${day(0)}&group_by=day`, 365],
  [`/usage?tenant=${TENANT}&from=${firstMonth}&to=${thisMonth}&group_by=month`, 12],
  [`/usage?tenant=${TENANT}&from=${firstMonth}&to=${thisMonth}&group_by=month,key,model`, undefined],
  [`/usage?tenant=${TENANT}&from=${day(34)}&to=${day(0)}&group_by=day,key,model`, undefined],
  [`/usage?tenant=${TENANT}&from=${day(29)}&to=${day(0)}&group_by=key`, undefined],
  [`/usage?tenant=${TENANT}&from=${day(29)}&to=${day(0)}&group_by=model`, undefined],
  [`/usage/calls?tenant=${TENANT}&limit=1000`, 10_000],
  ['/audit?limit=1000', 10_000],
  ['/audit?limit=100&action=tenant', 20],
];

for (const [path, wanted] of lists) {
  test(`each page of ${path.replace(/=20[^&]*/g, '=…')}`, async (context) => {
    const { count, pages, slowestMs } = await readPages(path);
    context.diagnostic(`${count} in ${pages} pages, the slowest in ${slowestMs.toFixed(0)} ms`);
    if (wanted !== undefined) assert.equal(count, wanted);
    assert.ok(slowestMs < MS_MAX, `${slowestMs} ms`);
  });
}

const commands: readonly [string, number][] = [
  ['keys list', 10_001],
  ['keys list --tenant acme --older-than 182d', 2_500],
  ['keys list --unused-for 182d', 4_500],
  ['tenants list', 252],
  ['usage show --tenant acme', 32],
  ['usage show --tenant acme --by month', 14],
  ['usage show --tenant acme --by model', 7],
  ['usage show --tenant acme --by key', 402],
  ['usage calls --tenant acme --limit 1000', 1_001],
  ['audit list --limit 1000', 1_001],
];

for (const [command, linesMin] of commands) {
  test(`sluice ${command}`, async (context) => {
    const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
    let [stdout, tookMs] = ['', MS_MAX];
    // What else runs on the machine makes it slower, never faster.
    for (let tries = 0; tries < TRIES && tookMs >= MS_MAX; tries += 1) {
      const beganMs = performance.now();
      const finished = await sluiceHere(command.split(' '), env);
      tookMs = performance.now() - beganMs;
      assert.equal(finished.exitCode, 0, finished.stderr);
      stdout = finished.stdout;
    }
    const lines = stdout.trimEnd().split('\n').length;
    context.diagnostic(`${lines} lines in ${tookMs.toFixed(0)} ms`);
    assert.ok(lines >= linesMin, `${lines} lines`);
    assert.ok(tookMs < MS_MAX, `${tookMs} ms`);
  });
}
