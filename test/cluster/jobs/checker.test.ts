/** A judge that cannot say no is worth nothing: it is shown runs with a fault. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KeptLine } from '../support/books.ts';
import { jobFaults } from './support/checker.ts';
import type { GpuCall, JobHistory, Post, Reading } from './support/history.ts';

const post = (number: number, more: Partial<Post> = {}): Post => ({
  ...{ request: `job-${number}`, replica: 0, sentAtMs: number, tookMs: 1, status: 202 },
  ...{ code: undefined, job: `job_${number}`, ...more },
});
const refused = { status: 503, code: 'store_unavailable', job: undefined };
const reading = (number: number, more: Partial<Reading> = {}): Reading => ({
  ...{ job: `job_${number}`, atMs: 100, status: 'completed', attempts: 1, digest: `answer ${number}` },
  ...{ usage: { input: 5, output: 4 }, ...more },
});
const call = (number: number): GpuCall => ({ request: `job-${number}`, by: 'worker-1', atMs: 50 });
const line = (number: number, more: Partial<KeptLine> = {}): KeptLine => ({
  ...{ request_id: `job-${number}`, status: 200, input_tokens: 5, output_tokens: 4, ...more },
});

const good: JobHistory = {
  posts: [post(1), post(2)],
  readings: [reading(1, { status: 'in_progress', digest: undefined }), reading(1), reading(2), reading(1)],
  calls: [call(1), call(2)],
};
const lines = [line(1), line(2)];

test('a run in which every job ends once says nothing, also where one has run twice, failed or was refused', () => {
  assert.deepEqual(jobFaults(good, lines), []);
  const again = {
    ...good,
    readings: [reading(1, { attempts: 2 }), reading(2)],
    calls: [...good.calls, call(1)],
  };
  assert.deepEqual(jobFaults(again, lines), []);
  const failed = { ...good, readings: [reading(1), reading(2, { status: 'failed', digest: undefined })] };
  assert.deepEqual(jobFaults(failed, [line(1)]), []);
  assert.deepEqual(jobFaults({ ...good, posts: [...good.posts, post(3, refused)] }, lines), []);
});

test('a job that was promised and is not there is noticed, also when it was there before', () => {
  const gone = reading(2, { status: 'absent', attempts: 0, digest: undefined });
  assert.deepEqual(jobFaults({ ...good, readings: [reading(1), gone] }, lines), ['job-2 is lost']);
  const later = { ...good, readings: [...good.readings, gone] };
  assert.deepEqual(jobFaults(later, lines), ['job-2 is lost']);
});

test('a job that never ends, or that nobody has asked for, is noticed', () => {
  const waiting = reading(2, { status: 'queued', digest: undefined });
  assert.deepEqual(jobFaults({ ...good, readings: [reading(1), waiting] }, lines), [
    'job-2 has not ended: it is queued',
  ]);
  assert.deepEqual(jobFaults({ ...good, readings: [reading(1)] }, lines), ['job-2 was never asked for']);
});

test('a second end, and an answer that changes or is missing, are noticed', () => {
  const ended = (more: Partial<Reading>) => ({ ...good, readings: [...good.readings, reading(2, more)] });
  assert.deepEqual(jobFaults(ended({ status: 'failed', digest: undefined }), lines), [
    'job-2 has ended as completed and as failed',
  ]);
  assert.deepEqual(jobFaults(ended({ digest: 'another' }), lines), ['the answer of job-2 has changed']);
  const empty = { ...good, readings: [reading(1), reading(2, { digest: undefined })] };
  assert.deepEqual(jobFaults(empty, lines), ['job-2 has no answer']);
});

test('a run of which no attempt knows, and an end without a run, are noticed', () => {
  assert.deepEqual(jobFaults({ ...good, calls: [...good.calls, call(2)] }, lines), [
    'job-2 has run 2 times in 1 attempts',
  ]);
  assert.deepEqual(jobFaults({ ...good, calls: [call(1)] }, lines), [
    'job-2 is completed, and nobody has run it',
  ]);
});

test('a charge that is missing, comes twice or is another than was told is noticed', () => {
  assert.deepEqual(jobFaults(good, [line(1)]), ['job-2 is completed and was charged 0 times']);
  assert.deepEqual(jobFaults(good, [...lines, line(2)]), ['job-2 is completed and was charged 2 times']);
  assert.deepEqual(jobFaults(good, [line(1), line(2, { output_tokens: 9 })]), [
    'job-2 was told 5 and 4 tokens and charged 5 and 9',
  ]);
});

test('two promises of one job, and jobs that nobody has sent, are noticed', () => {
  const same = { ...good, posts: [post(1), post(2, { job: 'job_1' })] };
  assert.deepEqual(jobFaults(same, lines), ['job-2 and job-1 were promised the same job_1']);
  assert.deepEqual(jobFaults({ ...good, calls: [...good.calls, call(3)] }, [...lines, line(3)]), [
    'job-3 has run and was never sent',
    'job-3 is in the books and was never sent',
  ]);
});

test('what was refused and runs or costs something nevertheless is noticed; without an answer it may once', () => {
  const later = { ...good, posts: [...good.posts, post(3, refused)], calls: [...good.calls, call(3)] };
  assert.deepEqual(jobFaults(later, [...lines, line(3)]), [
    'job-3 was refused with 503 and has run',
    'job-3 was refused with 503 and is charged',
  ]);
  const unknown = { ...later, posts: [...good.posts, post(3, { status: 0, job: undefined })] };
  assert.deepEqual(jobFaults(unknown, [...lines, line(3)]), []);
  assert.deepEqual(jobFaults(unknown, [...lines, line(3), line(3)]), ['job-3 was charged 2 times']);
});
