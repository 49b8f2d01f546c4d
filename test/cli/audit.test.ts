import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { runHere } from './in-process.ts';

let admin: AdminFixture;
let folder: string;
const TENANTS = 600;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-audit-'));
  admin = await startAdmin();
  const { keys } = admin.connection;
  await admin.call('POST', '/admin/v1/tenants', { json: { name: 'first' } });
  await admin.call('PATCH', '/admin/v1/tenants/first', { json: { priority: 'high' } });
  const { body } = await admin.call('GET', '/admin/v1/audit?limit=1');
  await admin.connection.ask(async (client) => {
    const adding = client.pipeline();
    for (let count = 0; count < TENANTS; count += 1) {
      const entry = { ...body.data[0], subject: { tenant: `many-${count}` }, actor_name: 'an, "other"' };
      adding.xadd(keys.audit(), '*', 'entry', JSON.stringify(entry));
    }
    await adding.exec();
  });
});
after(async () => {
  await admin.stop();
  await rm(folder, { recursive: true });
});

async function run(...parameters: string[]) {
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const finished = await runHere(['audit', ...parameters], env);
  assert.equal(finished.exitCode, 0, finished.stderr);
  return finished;
}

test('a list is a table for people, with what was changed, and JSON for programs', async () => {
  const { stdout } = await run('list', '--subject', 'first', '--last', '1h');
  const [title, update, create] = stdout.split('\n');
  assert.match(title ?? '', /^AT +WHO +FROM +ACTION +OUTCOME +SUBJECT +CHANGES$/);
  assert.match(
    update ?? '',
    /Z {2}root {2}127\.0\.0\.1 {2}tenant\.update {2}done +first +priority: normal → high$/,
  );
  assert.match(create ?? '', /tenant\.create .*name: first/);
  const entries = JSON.parse((await run('list', '--json', '--limit', '550')).stdout);
  assert.equal(entries.length, 550);
  assert.equal(entries[0].subject.tenant, `many-${TENANTS - 1}`);
  assert.match((await run('list', '--actor', 'nobody')).stderr, /nothing of that kind/);
});

test('an export has all of it over many pages, as NDJSON on a pipe or as CSV in a file', async () => {
  const lines = (await run('export')).stdout.trimEnd().split('\n');
  assert.equal(lines.length, TENANTS + 2);
  assert.equal(new Set(lines.map((line) => JSON.parse(line).id)).size, TENANTS + 2);

  const file = join(folder, 'audit.csv');
  const { stdout, stderr } = await run('export', '--format', 'csv', '--output', file);
  assert.deepEqual([stdout, stderr], ['', `602 rows are in ${file}.\n`]);
  const [columns, row = '', ...more] = (await readFile(file, 'utf8')).trimEnd().split('\n');
  assert.equal(
    columns,
    'id,at,actor,actor_name,role,address,request_id,action,outcome,subject,changes,counts',
  );
  assert.ok(row.includes(',root,"an, ""other""",owner,127.0.0.1,'), row);
  assert.ok(row.includes(`"{""tenant"":""many-${TENANTS - 1}""}"`), row);
  assert.equal(more.length, TENANTS + 1);
});

test('a change that is not in the trail yet is said to the person who made it', async () => {
  const { connection } = admin;
  await connection.ask((client) => client.del(connection.keys.audit()));
  await connection.ask((client) => client.set(connection.keys.audit(), 'in the way'));
  const env = { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN };
  const finished = await runHere(['tenants', 'create', 'late'], env);
  assert.equal(finished.exitCode, 0, finished.stderr);
  assert.match(finished.stderr, /The change was made, but is not in the audit trail yet/);
  await connection.ask((client) => client.del(connection.keys.audit()));
});
