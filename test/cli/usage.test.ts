import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { runProgram } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { type Books, dayOf, expectedRows, noonAgo, openBooks, TOKEN } from '../admission/usage/ground.ts';
import { sluice } from './run.ts';

/** More sums than one answer of the admin API reads. */
const MODELS = 300;
const DAYS = 35;

let books: Books;
let url: string;
let folder: string;
const from = dayOf(noonAgo(DAYS - 1));
const today = dayOf(noonAgo(0));

before(async () => {
  books = await openBooks();
  url = await books.serve();
  folder = await mkdtemp(join(tmpdir(), 'sluice-usage-'));
  for (let index = 0; index < MODELS; index += 1) {
    const daysAgo = DAYS - 1 - Math.floor((index * DAYS) / MODELS);
    const figures = {
      input: 1_000 + index,
      output: index,
      gpuMs: 3,
      costNano: 1_001,
      durationMs: 7,
      images: index % 2,
    };
    await books.play(noonAgo(daysAgo) + index * 1_000, {
      key: `key_${index % 2}`,
      model: `m,"${index}"`,
      ...figures,
    });
  }
});
after(async () => {
  await books.stop();
  await rm(folder, { recursive: true });
});

function run(...parameters: string[]) {
  return sluice(['usage', ...parameters], { env: { SLUICE_ADMIN_URL: url, SLUICE_ADMIN_TOKEN: TOKEN } });
}

test('a table ends with the totals; JSON has them exact', async () => {
  const [expected] = expectedRows(books.ledger, () => ({}));
  for (const [by, namesOf] of [
    ['day', ({ day }: { day: string }) => ({ date: day })],
    ['key', ({ key }: { key: string }) => ({ key })],
    ['model', ({ model }: { model: string }) => ({ model })],
  ] as const) {
    const range = ['--tenant', 'acme', '--from', from, '--to', today, '--by', by];
    const json = await run('show', ...range, '--json');
    assert.equal(json.exitCode, 0, json.stderr);
    const { data, totals } = JSON.parse(json.stdout);
    assert.deepEqual(totals, expected, by);
    const shown = expectedRows(books.ledger, namesOf);
    assert.deepEqual(data.toSorted(byName), shown, by);
    const lines = (await run('show', ...range)).stdout.trimEnd().split('\n');
    assert.match(lines[0] ?? '', new RegExp(`^${by.toUpperCase()} +CALLS`));
    assert.equal(lines.length, data.length + 2);
    const tokens = expected.input_tokens.toLocaleString('en');
    assert.match(lines.at(-1) ?? '', new RegExp(`^total +300 +0 +0 +${tokens} `));
  }
});

test('without a range the last thirty days are shown, or twelve months', async () => {
  const days = JSON.parse((await run('show', '--tenant', 'acme', '--json')).stdout);
  assert.deepEqual([days.from, days.to], [dayOf(noonAgo(29)), today]);
  const months = JSON.parse((await run('show', '--tenant', 'acme', '--by', 'month', '--json')).stdout);
  assert.equal(months.totals.calls, MODELS);
  const none = await run('show', '--tenant', 'nobody');
  assert.deepEqual([none.exitCode, none.stdout], [0, '']);
  assert.match(none.stderr, /nobody has used nothing/);
});

test('an export has a row for each day, key and model, over many pages, to a file or along a pipe', async () => {
  const range = ['--tenant', 'acme', '--from', from, '--to', today];
  const expected = expectedRows(books.ledger, ({ day, key, model }) => ({ date: day, key, model }));
  const page = await books.usage.report({
    tenant: 'acme',
    from,
    to: today,
    group_by: ['day', 'key', 'model'],
  });
  assert.ok(page.ok && page.value.nextCursor !== null);
  const ndjson = await run('export', ...range, '--format', 'ndjson');
  assert.equal(ndjson.exitCode, 0, ndjson.stderr);
  assert.equal(ndjson.stderr, '');
  const rows = ndjson.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(rows, expected);

  const file = join(folder, 'usage.csv');
  const csv = await run('export', ...range, '--format', 'csv', '--output', file);
  assert.deepEqual([csv.exitCode, csv.stdout], [0, ''], csv.stderr);
  assert.match(csv.stderr, /^300 rows are in /);
  const [header, first, ...more] = (await readFile(file, 'utf8')).trimEnd().split('\n');
  assert.equal(
    header,
    'date,key,model,calls,errors,lost,input_tokens,output_tokens,cached_tokens,images,gpu_seconds,cost_usd,cost_nano_usd,duration_seconds',
  );
  assert.equal(first, `${from},key_0,"m,""0""",1,0,0,1000,0,0,0,0.003,0.000001,1001,0.007`);
  assert.equal(more.length, MODELS - 1);
});

test('an export to a file tells a person how far it is, and clears that line at the end', async () => {
  const stderr = Object.assign(new PassThrough(), { isTTY: true });
  const env = { SLUICE_ADMIN_URL: url, SLUICE_ADMIN_TOKEN: TOKEN };
  const terminal = { env, stdin: process.stdin, stdout: new PassThrough(), stderr } as unknown as Terminal;
  const range = ['--tenant', 'acme', '--from', from, '--to', today];
  const output = ['--format', 'ndjson', '--output', join(folder, 'seen.ndjson')];
  assert.equal(await runProgram(['usage', 'export', ...range, ...output], terminal), 0);
  stderr.end();
  const [before, ...drawn] = (await text(stderr)).split('\r\x1b[K');
  // The first bar comes after a tenth of a second, which a quick machine does not need.
  for (const bar of drawn.slice(0, -1)) assert.match(bar, /^\[#*\.*\] \d+ % {2}\d+ rows$/);
  assert.match(drawn.at(-1) ?? before ?? '', /^300 rows are in /);
});

test('calls are listed newest first, as many as are asked for', async () => {
  const { stdout } = await run('calls', '--tenant', 'acme', '--limit', '3');
  const lines = stdout.trimEnd().split('\n');
  assert.deepEqual(
    lines.slice(1).map((line) => /t\d+$/.exec(line)?.[0]),
    ['t300', 't299', 't298'],
  );
  assert.equal(JSON.parse((await run('calls', '--tenant', 'acme', '--json')).stdout).length, 20);
  assert.match((await run('calls', '--tenant', 'nobody')).stderr, /No calls/);
});

test('what cannot be done is said in one line, and an older file is left alone', async () => {
  const old = join(folder, 'old.csv');
  await writeFile(old, 'old');
  const range = ['--from', today, '--to', today];
  const wrong: [string[], number, RegExp][] = [
    [['show'], 2, /--tenant/],
    [['show', '--tenant', 'acme', '--by', 'hour'], 2, /day, month, key, model/],
    [['show', '--tenant', 'acme', '--from', 'monday'], 1, /^sluice: from: must be a day/],
    [['export', '--tenant', 'acme', ...range], 2, /--format/],
    [
      ['export', '--tenant', 'acme', ...range, '--format', 'csv', '--output', folder],
      1,
      /cannot write .*EISDIR/,
    ],
    [
      [
        'export',
        '--tenant',
        'acme',
        '--from',
        '2020-01-01',
        '--to',
        '2020-01-02',
        '--format',
        'csv',
        '--output',
        old,
      ],
      1,
      /group by month/,
    ],
    [['calls', '--tenant', 'acme', '--limit', '0'], 2, /from 1 to/],
  ];
  for (const [parameters, code, message] of wrong) {
    const { exitCode, stderr } = await run(...parameters);
    assert.equal(exitCode, code, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  }
  assert.equal(await readFile(old, 'utf8'), 'old');
});

/** As the ledger sorts its rows; each begins with its name. */
function byName(one: object, other: object): number {
  const [a, b] = [one, other].map((row) =>
    JSON.stringify(Object.fromEntries(Object.entries(row).slice(0, 1))),
  );
  return (a ?? '') < (b ?? '') ? -1 : 1;
}
