import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin, TOKEN } from '../admin/fixture.ts';
import { sluice } from './run.ts';

let admin: AdminFixture;
let folder: string;

before(async () => {
  admin = await startAdmin();
  folder = await mkdtemp(join(tmpdir(), 'sluice-import-'));
});
after(async () => {
  await admin.stop();
  await rm(folder, { recursive: true });
});

const ROWS = 2_500;

function run(parameters: readonly string[], stdin = '') {
  return sluice(parameters, { env: { SLUICE_ADMIN_URL: admin.url, SLUICE_ADMIN_TOKEN: TOKEN }, stdin });
}

async function fileOf(name: string, text: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

test('a CSV of many batches goes in; failed rows are named by their line in the file', async () => {
  const lines = Array.from(
    { length: ROWS },
    (_, index) => `csv-${String(index).padStart(12, '0')},team,"a, b",`,
  );
  lines[0] = 'short,team,n,';
  lines[1_200] = 'csv-000000001200,team,n,fifty';
  lines[2_400] = 'csv-000000002400,"team"x,n,';

  const text = `key,tenant,name,rate_limit\n${lines.join('\n')}\n`;
  const { exitCode, stdout, stderr } = await run([
    'keys',
    'import',
    await fileOf('k.csv', text),
    '--prefix',
    'csv-',
  ]);
  assert.equal(exitCode, 1);
  assert.equal(stdout, `${ROWS} rows: ${ROWS - 3} created, 0 there already, 3 failed.\n`);
  assert.deepEqual(stderr.match(/^line \d+/gm), ['line 2', 'line 1202', 'line 2402']);
  assert.match(stderr, /rate_limit must be a whole number/);
  assert.doesNotMatch(stderr + stdout, /csv-0/);
});

test('NDJSON from standard input, told in JSON; a second time nothing changes', async () => {
  const lines = Array.from({ length: ROWS }, (_, index) => {
    return JSON.stringify({ key: String(index).padStart(24, 'k'), tenant: 'team', name: `n${index}` });
  });
  const command = ['keys', 'import', '-', '--format', 'ndjson', '--length', '24', '--json'];
  const first = await run(command, lines.join('\n'));
  assert.equal(first.exitCode, 0, first.stderr);
  assert.deepEqual(JSON.parse(first.stdout), {
    total: ROWS,
    created: ROWS,
    unchanged: 0,
    failed: 0,
    failures: [],
  });
  const second = await run(command, lines.join('\n'));
  assert.deepEqual([second.exitCode, JSON.parse(second.stdout).unchanged], [0, ROWS]);
});

test('what cannot be imported is said in one line, with the right exit code', async () => {
  const good = await fileOf('good.csv', 'key,tenant,name\n');
  const wrong: [string[], number, RegExp][] = [
    [[good, '--prefix', 'a-'], 1, /no rows to import/],
    [[good], 2, /give --prefix or --length/],
    [[good, '--prefix', 'a-', '--length', '20'], 2, /cannot be used with/],
    [['-', '--prefix', 'a-'], 2, /give --format/],
    [[join(folder, 'absent.csv'), '--prefix', 'a-'], 1, /cannot read/],
    [[folder, '--format', 'csv', '--prefix', 'a-'], 1, /cannot read/],
    [[await fileOf('gbk.csv', new Uint8Array([0xcd, 0xf8, 0x0a])), '--prefix', 'a-'], 1, /not text in UTF-8/],
    [[await fileOf('head.csv', 'key,secret\na,b\n'), '--prefix', 'a-'], 1, /unknown column/],
    [[good, '--prefix', 'a-', '--format', 'xml'], 2, /ndjson, csv/],
  ];
  for (const [parameters, code, message] of wrong) {
    const { exitCode, stderr } = await run(['keys', 'import', ...parameters]);
    assert.equal(exitCode, code, `${parameters} ${stderr}`);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  }
});
