/** The jobs of a tenant, page by page: each once, the newest first, whatever comes or goes meanwhile. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { assertRefused } from '../client.ts';
import { ask, got, read, type Stage, startStage } from './player.ts';

let stage: Stage;
before(async () => {
  stage = await startStage();
});
after(() => stage.stop());

interface Page {
  readonly data: readonly { readonly id: string; readonly status: string }[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

async function page(query = ''): Promise<Page> {
  const reply = await ask(stage.one, query);
  assert.equal(reply.status, 200);
  const body = read(reply);
  assert.equal(body.object, 'list');
  return body as unknown as Page;
}

test('who has no jobs gets an empty page', async () => {
  assert.deepEqual(await page(), {
    object: 'list',
    data: [],
    first_id: null,
    last_id: null,
    has_more: false,
  });
});

test('pages follow each other without gap or double, although jobs come and go', async () => {
  const { player } = stage;
  const ids: string[] = [];
  for (let count = 0; count < 25; count += 1) {
    ids.unshift(await player.accept());
    // Those of one millisecond are in no order that means anything.
    await setTimeout(2);
  }
  const first = await page('?limit=10');
  assert.deepEqual([first.first_id, first.last_id, first.has_more], [ids[0], ids[9], true]);
  await player.accept();
  got(await player.table.forget(ids[3] as string, 'acme'));
  const second = await page(`?limit=10&after=${first.last_id}`);
  const third = await page(`?limit=10&after=${second.last_id}`);
  const seen = [first, second, third].flatMap(({ data }) => data.map(({ id }) => id));
  assert.deepEqual(seen.slice().sort(), ids.slice().sort());
  assert.deepEqual([second.has_more, third.has_more, third.data.length], [true, false, 5]);
  const { data } = await page();
  assert.equal(data.length, 20);
  assertRefused(await ask(stage.one, `?after=${ids[3]}`), 'invalid_parameter');
});

test('a filter by status finds those few among many', async () => {
  const { player } = stage;
  const few = [await player.accept({ line: 'few' }), await player.accept({ line: 'few' })];
  for (const id of few) {
    got(await player.table.pick('few', 1));
    const { attempt } = got(await player.table.start(id, 'run', 1));
    await player.complete(id, attempt);
  }
  for (let count = 0; count < 120; count += 1) await player.accept();
  const done = await page('?status=completed&limit=2');
  assert.deepEqual(done.data.map(({ id }) => id).sort(), few.slice().sort());
  const none = await page('?status=expired');
  assert.deepEqual([none.data.length, none.has_more], [0, false]);
});

test('what cannot be meant is refused, and says which parameter', async () => {
  const wrong: [string, string][] = [
    ['?limit=0', 'limit'],
    ['?limit=101', 'limit'],
    ['?limit=ten', 'limit'],
    ['?limit=1&limit=2', 'limit'],
    ['?status=done', 'status'],
    ['?after=x', 'after'],
    [`?after=job_${'a'.repeat(26)}`, 'after'],
  ];
  for (const [query, param] of wrong) {
    assert.equal(assertRefused(await ask(stage.one, query), 'invalid_parameter').param, param, query);
  }
});
