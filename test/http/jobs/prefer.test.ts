/** `Prefer` is read as RFC 7240 has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preferences } from '../../../src/http/jobs/prefer.ts';

const cases: [
  header: string | string[] | undefined,
  respondAsync: boolean,
  waitSeconds: number | undefined,
][] = [
  [undefined, false, undefined],
  ['', false, undefined],
  ['respond-async', true, undefined],
  ['Respond-Async, WAIT=10', true, 10],
  ['wait=10,respond-async', true, 10],
  ['wait = "7"; x=y', false, 7],
  ['wait=100000', false, 600],
  ['wait=0', false, 0],
  ['wait=3, wait=5', false, 3],
  [['respond-async', 'wait=4'], true, 4],
  ['wait, wait=, wait=-1, wait=1.5, wait=x, respond-asynchronously, return=minimal', false, undefined],
];

for (const [header, respondAsync, waitSeconds] of cases) {
  test(`${JSON.stringify(header)}`, () => {
    assert.deepEqual(preferences(header), { respondAsync, waitSeconds });
  });
}
