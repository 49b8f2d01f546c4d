/** Case S9: what every kind of credential may do on every route of every listener is the committed matrix.txt. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { type Asked, type Matrix, observeMatrix } from './support/matrix.ts';

const OPENED = ['GET /predict', 'POST /predict', 'POST /v1/chat/completions', 'POST /v1/completions'];
const FORWARDED = [
  ...OPENED,
  'POST /v1/embeddings',
  'POST /v1/rerank',
  'POST /v1/responses',
  'POST /v1/score',
];

let matrix: Matrix;
before(async () => {
  matrix = await observeMatrix();
});

const where = ({ listener, route, credential }: Asked) => `${listener} ${route} with ${credential.meaning}`;
const said = ({ reply }: Asked) =>
  JSON.parse(reply.body.toString()).error as { message: string; code: string };

test('every route with every credential answers as matrix.txt says, which is written by command alone', async (t) => {
  const committed = await readFile(new URL('./matrix.txt', import.meta.url), 'utf8');
  t.diagnostic(
    `${matrix.asked.length} answers of ${new Set(matrix.asked.map(({ route }) => route)).size} routes`,
  );
  if (matrix.text === committed) return;
  const [now, then] = [matrix.text, committed].map((text) => text.split('\n')) as [string[], string[]];
  const lines = [
    ...then.filter((line) => !now.includes(line)).map((line) => `- ${line}`),
    ...now.filter((line) => !then.includes(line)).map((line) => `+ ${line}`),
  ];
  assert.fail(
    `who may do what has changed; if that is meant, run: node test/security/write-matrix.ts\n${lines.join('\n')}`,
  );
});

test('HEAD answers whoever GET answers, and nobody else', () => {
  const statuses = new Map(matrix.asked.map((one) => [where(one), one.reply.status]));
  const heads = matrix.asked.filter(({ route }) => route.startsWith('HEAD '));
  assert.ok(heads.length > 500, `${heads.length}`);
  for (const head of heads) {
    const get = { ...head, route: head.route.replace('HEAD', 'GET') };
    assert.equal(head.reply.status, statuses.get(where(get)), where(head));
    assert.equal(head.reply.body.length, 0, where(head));
  }
});

test('the GPU server hears of those calls alone that were answered with 200', () => {
  for (const route of FORWARDED) {
    const answered = matrix.asked.filter((one) => one.route === route && one.reply.status === 200);
    // The call that is replayed was a good one before.
    assert.equal(matrix.forwarded.filter((one) => one === route).length, answered.length + 1, route);
  }
  assert.deepEqual([...new Set(matrix.forwarded)].sort(), [...FORWARDED].sort());
});

test('whoever is refused reads the same words whatever is wrong, and learns nothing of the route', () => {
  const refused = matrix.asked.filter(
    ({ route, reply }) => !route.startsWith('HEAD ') && reply.status === 401,
  );
  assert.ok(refused.length > 500, `${refused.length}`);
  const words = new Set<string>();
  for (const one of refused) {
    const { code, message } = said(one);
    assert.equal(code, 'invalid_api_key', where(one));
    assert.ok(one.reply.headers['www-authenticate'], where(one));
    words.add(`${one.listener} ${one.credential.column === 'none' ? 'none' : 'wrong'} ${message}`);
  }
  assert.deepEqual([...words].map((one) => one.split('. ')[0]?.replace(/\.$/, '')).sort(), [
    'admin none The admin token is missing or wrong',
    'admin wrong The admin token is missing or wrong',
    'public none No API key provided',
    'public wrong Incorrect API key provided',
  ]);
});

test('403 on the public listener says nothing of scope or address', () => {
  const refused = matrix.asked.filter((one) => one.listener === 'public' && one.reply.status === 403);
  const words = new Set(refused.filter(({ reply }) => reply.body.length > 0).map((one) => said(one).message));
  assert.deepEqual([...words], ['This API key may not be used for this request.']);
});
