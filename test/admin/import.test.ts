import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

const ROWS = 2_000;

function send(type: string, body: string | Uint8Array<ArrayBuffer>, query: string) {
  return admin.call('POST', `/admin/v1/keys/import?${query}`, { headers: { 'content-type': type }, body });
}

function keyOf(prefix: string, index: number): string {
  return `${prefix}${String(index).padStart(16, '0')}`;
}

test('2,000 keys in NDJSON: good rows go in, bad ones are named by line, and no key is echoed', async () => {
  const lines = Array.from({ length: ROWS }, (_, index) => {
    return JSON.stringify({ key: keyOf('nd-', index), tenant: `team-${index % 5}`, name: `user ${index}` });
  });
  lines[9] = '{"key": "nd-broken';
  lines[99] = '["nd-no-object"]';
  lines[499] = JSON.stringify({ key: 'other-000000000', tenant: 'a', name: 'b' });
  lines[500] = JSON.stringify({ key: keyOf('nd-', 500), tenant: 'a', name: 'b', rate_limit: 0 });
  lines[1_000] = '';
  lines[1_999] = JSON.stringify({ key: keyOf('nd-', 1_999), tenant: 'a b', name: 'b' });

  const { status, body, text } = await send('application/x-ndjson', lines.join('\r\n'), 'prefix=nd-');
  assert.equal(status, 200);
  assert.deepEqual(
    { total: body.total, created: body.created, unchanged: body.unchanged, failed: body.failed },
    { total: ROWS - 1, created: ROWS - 6, unchanged: 0, failed: 5 },
  );
  assert.deepEqual(
    body.failures.map(({ line }: { line: number }) => line),
    [10, 100, 500, 501, 2_000],
  );
  for (const { reason } of body.failures) assert.equal(typeof reason, 'string');
  assert.match(body.failures[3].reason, /rate_limit must be a whole number from 1/);
  for (const secret of ['nd-broken', 'nd-no-object', 'other-0', 'nd-0'])
    assert.ok(!text.includes(secret), secret);

  const again = await send('application/x-ndjson', lines.join('\n'), 'prefix=nd-');
  assert.deepEqual([again.body.created, again.body.unchanged, again.body.failed], [0, ROWS - 6, 5]);
});

test('2,000 keys in CSV with every column of the old system', async () => {
  const header = 'key,tenant,name,rate_limit,total_quota,used_quota,created_at,expires_at,is_active';
  const lines = Array.from({ length: ROWS }, (_, index) => {
    return `${keyOf('csv-', index)},${index > 0 ? 'csv' : 'csv-old'},"user, ${index}",100,5000,${index},2024-05-01 10:00:00,2099-01-01T00:00:00Z,${index > 0}`;
  });
  lines[4] = `${keyOf('csv-', 4)},csv,two\tfields`;
  lines[5] = `"${keyOf('csv-', 5)}"x,csv,n,,,,,,`;
  lines[6] = `${keyOf('csv-', 6)},csv,n,0,,,,,`;
  lines[7] = `${keyOf('csv-', 7)},csv,n,,,,,next year,`;
  const text = `\ufeff${header}\r\n${lines.join('\r\n')}\r\n`;

  const { status, body } = await send('text/csv; charset=utf-8', text, 'prefix=csv-');
  assert.equal(status, 200);
  assert.deepEqual([body.total, body.created, body.failed], [ROWS, ROWS - 4, 4]);
  assert.deepEqual(
    body.failures.map(({ line }: { line: number }) => line),
    [6, 7, 8, 9],
  );
  const { body: page } = await admin.call('GET', '/admin/v1/keys?tenant=csv-old');
  const [first] = page.data;
  assert.equal(first.name, 'user, 0');
  assert.deepEqual(
    [first.status, first.origin, first.created_at, first.expires_at],
    ['disabled', 'imported', '2024-05-01T10:00:00.000Z', '2099-01-01T00:00:00.000Z'],
  );
  assert.deepEqual([first.limits.requests_per_minute, first.quotas[0].requests], [100, 5_000]);
});

test('JSON carries its form in the body; rows are counted from 1', async () => {
  const rows = [
    { key: 'a'.repeat(20), tenant: 'json', name: 'a' },
    { key: 'short', tenant: 'json', name: 'b' },
  ];
  const json = { form: { length: 20 }, rows };
  const { status, body } = await admin.call('POST', '/admin/v1/keys/import', { json });
  assert.equal(status, 200);
  assert.deepEqual([body.created, body.failed, body.failures[0].line], [1, 1, 2]);
});

test('an import that cannot be understood as a whole is refused before a row is touched', async () => {
  const row = '{"key":"whole-0000000000","tenant":"whole","name":"x"}';
  const ndjson = 'application/x-ndjson';
  const refused: [string, string | Uint8Array<ArrayBuffer>, string, number][] = [
    [ndjson, row, '', 400],
    [ndjson, row, 'prefix=whole-&length=16', 400],
    [ndjson, row, 'prefix=w', 400],
    [ndjson, row, 'length=7', 400],
    [ndjson, row, 'length=257', 400],
    [ndjson, row, 'prefix=whole-&dry_run=1', 400],
    [ndjson, '', 'prefix=whole-', 400],
    [ndjson, new Uint8Array([0x7b, 0xff, 0x7d]), 'prefix=whole-', 415],
    ['text/csv', 'key,tenant,secret\n', 'prefix=whole-', 400],
    ['text/csv', 'key,tenant,key\n', 'prefix=whole-', 400],
    ['text/csv', 'tenant,name\n', 'prefix=whole-', 400],
    ['text/csv', '"key,tenant\n', 'prefix=whole-', 400],
    ['text/plain', row, 'prefix=whole-', 415],
    ['application/json', '{"rows":[]}', '', 400],
    ['application/json', `{"form":{"prefix":"whole-"},"rows":[${row}]}`, 'prefix=whole-', 400],
    ['application/json', `{"form":{"prefix":"whole-","length":8},"rows":[${row}]}`, '', 400],
    ['application/json', '{"form":{"prefix":"whole-"},"rows":[7]}', '', 400],
    [ndjson, `${row}\n`.repeat(400_000), 'prefix=whole-', 413],
  ];
  for (const [type, body, query, status] of refused) {
    const answer = await send(type, body, query);
    assert.equal(answer.status, status, `${type} ${query} ${String(body).slice(0, 60)}`);
    assert.equal(typeof answer.body.error.message, 'string');
  }
  assert.equal((await admin.call('GET', '/admin/v1/tenants/whole')).status, 404);
});

test('other requests are answered while a large import runs', async () => {
  const text = 'not json\n'.repeat(200_000);
  let imported = false;
  const large = send('application/x-ndjson', text, 'prefix=nd-').finally(() => {
    imported = true;
  });
  let answered = 0;
  while (!imported) {
    await admin.call('GET', '/live');
    answered += 1;
  }
  const { body } = await large;
  assert.equal(body.failed, 200_000);
  assert.equal(body.failures.length, 1_000);
  assert.ok(answered > 20, `${answered} answers meanwhile`);
});
