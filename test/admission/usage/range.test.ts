/** A report that cannot be had is refused with a remedy; it never comes with days missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Grouping, planReport } from '../../../src/admission/usage/report-plan.ts';

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');

function spansOf(
  from: string,
  to: string,
  group_by: readonly Grouping[],
  key?: string,
): readonly string[] | string {
  const planned = planReport({ tenant: 'acme', from, to, group_by, key }, NOW_MS);
  return planned.ok ? planned.plan.spans : planned.refusal.message;
}

test('days by key and model reach back 35 days, over the ends of months', () => {
  const spans = spansOf('2026-10-18', '2026-11-21', ['day', 'key', 'model']);
  assert.equal(spans.length, 35);
  assert.deepEqual([spans[13], spans[14]], ['2026-10-31', '2026-11-01']);
  assert.match(String(spansOf('2026-10-17', '2026-11-20', ['key'])), /before 2026-10-18.*group by month/);
  assert.match(String(spansOf('2026-10-18', '2026-11-22', ['model'])), /within 35 days of from/);
  assert.match(String(spansOf('2026-10-17', '2026-10-17', ['day'], 'key_1')), /before 2026-10-18/);
});

test('days of the whole tenant reach back 400 days, over a leap year too', () => {
  assert.equal(spansOf('2025-10-18', '2026-11-21', ['day']).length, 400);
  assert.match(String(spansOf('2025-10-17', '2026-11-20', ['day'])), /before 2025-10-18/);
  const planned = planReport(
    { tenant: 'acme', from: '2028-02-28', to: '2028-03-01', group_by: ['day'] },
    Date.parse('2028-03-01'),
  );
  assert.deepEqual(planned.ok && planned.plan.spans, ['2028-02-28', '2028-02-29', '2028-03-01']);
});

test('months reach back twelve, and are whole', () => {
  assert.equal(spansOf('2025-11', '2026-11', ['month', 'key']).length, 13);
  assert.match(String(spansOf('2025-10', '2026-10', ['month', 'key'])), /before 2025-11/);
  const days = spansOf('2026-01', '2026-02', ['month']);
  assert.deepEqual([days.length, days[0], days.at(-1)], [59, '2026-01-01', '2026-02-28']);
  assert.match(String(spansOf('2026-01-01', '2026-02-28', ['month'])), /must be a month/);
  assert.match(String(spansOf('2026-01', '2026-02', ['day'])), /must be a day/);
  assert.match(String(spansOf('2026-01', '2026-02', ['day', 'month'])), /not both/);
});

test('there is no 30th of February, and nothing ends before it begins', () => {
  for (const day of ['2026-02-30', '2026-13-01', '2026-00-10', '0000-01-01']) {
    assert.match(String(spansOf(day, '2026-11-21', ['day'])), /^from: must be a day/, day);
  }
  assert.match(String(spansOf('2026-11-21', '2026-11-20', ['day'])), /must not be before from/);
});
