import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Books, dayOf, expectedRows, noonAgo, openBooks, TOKEN } from '../admission/usage/ground.ts';

const CALLS = 25;

let books: Books;
let url: string;
const today = dayOf(noonAgo(0));

before(async () => {
  books = await openBooks();
  url = await books.serve();
  for (let index = 0; index < CALLS; index += 1) {
    const call = {
      key: `key_${index % 3}`,
      model: 'org/m',
      input: index,
      output: 1,
      durationMs: 20,
      gpuMs: 7,
    };
    await books.play(noonAgo(0) + index * 1_000, {
      ...call,
      costNano: 1_500,
      status: index === 4 ? 500 : 200,
    });
  }
});
after(() => books.stop());

async function get(path: string, token = TOKEN) {
  const answer = await fetch(`${url}/admin/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { status: answer.status, body: JSON.parse(await answer.text()) };
}

test('sums come as a list with totals, in seconds, dollars and exact nano-dollars', async () => {
  const range = `tenant=acme&from=${today}&to=${today}`;
  const { status, body } = await get(`/usage?${range}&group_by=day,key,model`);
  assert.equal(status, 200);
  assert.deepEqual(body, {
    object: 'list',
    data: expectedRows(books.ledger, ({ day, key, model }) => ({ date: day, key, model })),
    totals: expectedRows(books.ledger, () => ({}))[0],
    next_cursor: null,
  });
  assert.deepEqual([body.totals.cost_nano_usd, body.totals.cost_usd], [CALLS * 1_500, 0.000038]);
  assert.equal(body.totals.gpu_seconds, 0.175);
  assert.equal(body.totals.errors, 1);
  const byDay = await get(`/usage?${range}`);
  assert.deepEqual(byDay.body.data, [{ date: today, ...body.totals }]);
  assert.deepEqual((await get(`/usage?tenant=nobody&from=${today}&to=${today}`)).body.data, []);
});

test('the latest calls come newest first, each once, over pages', async () => {
  const seen: Record<string, unknown>[] = [];
  for (let cursor = ''; ; ) {
    const { status, body } = await get(`/usage/calls?tenant=acme&limit=10${cursor}`);
    assert.equal(status, 200);
    seen.push(...body.data);
    if (body.next_cursor === null) break;
    cursor = `&cursor=${body.next_cursor}`;
  }
  assert.deepEqual(
    seen.map(({ request_id }) => request_id),
    Array.from({ length: CALLS }, (_, index) => `t${CALLS - index}`),
  );
  const { id, ended_at, ...last } = seen[0] ?? {};
  assert.match(String(id), /^\d+-\d+$/);
  assert.ok(Math.abs(Date.parse(String(ended_at)) - Date.now()) < 60_000);
  assert.deepEqual(last, {
    ...{ request_id: 't25', key: 'key_0', endpoint: '/v1/chat/completions', model: 'org/m', status: 200 },
    ...{ input_tokens: 24, output_tokens: 1, cached_tokens: 0, images: 0, gpu_ms: 7, duration_ms: 20 },
    ...{ cost_nano_usd: 1_500, cost_usd: 0.000002 },
  });
});

test('what does not fit is refused, and the field named', async () => {
  const range = `from=${today}&to=${today}`;
  const wrong: [string, string][] = [
    [`/usage?${range}`, 'tenant'],
    [`/usage?tenant=acme&to=${today}`, 'from'],
    [`/usage?tenant={x}&${range}`, 'tenant'],
    [`/usage?tenant=acme&tenant=acme&${range}`, 'tenant'],
    ['/usage?tenant=acme&from=yesterday&to=today', 'from'],
    ['/usage?tenant=acme&from=2020-02-30&to=2020-03-01', 'from'],
    ['/usage?tenant=acme&from=0001-01-01&to=9999-12-31', 'from'],
    ['/usage?tenant=acme&from=1000-01-01&to=2999-12-31&group_by=key', 'to'],
    [`/usage?tenant=acme&${range}&group_by=hour`, 'group_by'],
    [`/usage?tenant=acme&${range}&group_by=key,key`, 'group_by'],
    [`/usage?tenant=acme&${range}&group_by=`, 'group_by'],
    [`/usage?tenant=acme&${range}&key=a%20b`, 'key'],
    [`/usage?tenant=acme&${range}&model=a%0ab`, 'model'],
    [`/usage?tenant=acme&${range}&group_by=key&cursor=`, 'cursor'],
    [`/usage?tenant=acme&${range}&limit=5`, 'limit'],
    ['/usage/calls?tenant=acme&limit=0', 'limit'],
    ['/usage/calls?tenant=acme&limit=1001', 'limit'],
    ['/usage/calls?tenant=acme&cursor=%2B', 'cursor'],
    ['/usage/calls', 'tenant'],
  ];
  for (const [path, param] of wrong) {
    const { status, body } = await get(path);
    assert.equal(status, 400, path);
    assert.equal(body.error.param, param, path);
  }
  assert.equal((await get(`/usage?tenant=acme&${range}`, 'wrong')).status, 401);
});

test('a cursor of another report leads nowhere worse than to another page', async () => {
  for (const cursor of ['x', '2026-11-21', ' ', `${today} key_1 org/m`, '~ ~ ~']) {
    const path = `/usage?tenant=acme&from=${today}&to=${today}&group_by=key,day&cursor=${encodeURIComponent(cursor)}`;
    assert.equal((await get(path)).status, 200, cursor);
  }
});

test('without Redis there is a 503 soon', async (t) => {
  const away = await openBooks(200);
  t.after(() => away.stop());
  const base = await away.serve();
  away.redis.pause();
  for (const path of [`/usage?tenant=acme&from=${today}&to=${today}`, '/usage/calls?tenant=acme']) {
    const startedAtMs = performance.now();
    const answer = await fetch(`${base}/admin/v1${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const body = JSON.parse(await answer.text());
    assert.deepEqual([answer.status, body.error.code], [503, 'store_unavailable']);
    assert.equal(answer.headers.get('retry-after'), '1');
    assert.ok(performance.now() - startedAtMs < 1_500);
  }
});
