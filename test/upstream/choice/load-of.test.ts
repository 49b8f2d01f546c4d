import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadOf } from '../../../src/upstream/choice/load-of.ts';

const reported = { running: 20, waiting: 0, ownInFlight: 5, readAtMs: 1_000 };

test('without a report the load is what the replicas have in flight, our own above all', () => {
  assert.equal(loadOf({ inFlight: 3, othersInFlight: 4, reported: undefined }, 0), 3 + 4 / 4);
});

test('no call is counted twice, whoever reports it', () => {
  assert.equal(loadOf({ inFlight: 5, othersInFlight: 15, reported }, 1_000), 5 + 15 / 4);
});

test('calls that go round the gateway count', () => {
  assert.equal(loadOf({ inFlight: 5, othersInFlight: 4, reported }, 1_000), 5 + 15 / 4);
});

test('every call placed or ended here since the report counts at once and in full', () => {
  assert.equal(loadOf({ inFlight: 9, othersInFlight: 4, reported }, 1_500), 9 + 15 / 4);
  assert.equal(loadOf({ inFlight: 0, othersInFlight: 4, reported }, 1_500), 15 / 4);
});

test('calls that wait inside the server weigh twice', () => {
  const queueing = { ...reported, running: 10, waiting: 10 };
  assert.equal(loadOf({ inFlight: 5, othersInFlight: 15, reported: queueing }, 1_000), 5 + (15 + 10) / 4);
});

test('a report fades without a step and is forgotten after ten seconds', () => {
  const figures = { inFlight: 5, othersInFlight: 0, reported };
  const loads = [0, 5_000, 6_000, 7_500, 9_000, 10_000, 60_000].map((ageMs) =>
    loadOf(figures, 1_000 + ageMs),
  );
  assert.deepEqual(loads, [8.75, 8.75, 8, 6.875, 5.75, 5, 5]);
});

test('a report of fewer calls than were in flight here is no negative load', () => {
  const late = { running: 0, waiting: 0, ownInFlight: 9, readAtMs: 0 };
  assert.equal(loadOf({ inFlight: 2, othersInFlight: 0, reported: late }, 0), 2);
});
