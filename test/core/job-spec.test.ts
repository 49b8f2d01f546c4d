import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { decodeJob, encodeJob, type JobSpec, SPEC_BYTES_MAX } from '../../src/core/job-spec.ts';

const spec: JobSpec = {
  kind: 'inference',
  tenant: 'acme',
  key_id: 'key_000000000001',
  request_id: 'req_1',
  method: 'POST',
  path: '/v1/chat/completions',
  query: '',
  content_type: null,
  accept: null,
  model: 'glm',
  requested_model: 'glm-größer',
  version: null,
  line: 'glm',
  streamed: true,
  asks_for_usage: true,
  suffix: '\n — made by a machine',
  estimate: { input_tokens: 5 },
  charge: { requests: 1, inputTokens: 5, outputTokens: 7, images: 0, gpuMs: 12, costNano: 50 },
  affinity: 123_456,
  created_at_ms: 1_790_000_000_000,
};

function must<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

test('a job comes out as it went in, whatever bytes its body has', () => {
  for (const body of [Buffer.alloc(0), Buffer.from('{"a":1}'), randomBytes(3_000_000)]) {
    const { spec: read, body: bytes } = must(decodeJob(must(encodeJob(spec, body))));
    assert.deepEqual(read, spec);
    assert.ok(bytes.equals(body));
  }
});

test('what another release says beside is ignored, and what lacks a field is not run', () => {
  const whole = (value: object) => {
    const json = Buffer.from(JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(json.length);
    return Buffer.concat([length, json, Buffer.from('{}')]);
  };
  assert.equal(must(decodeJob(whole({ ...spec, webhook: { url: 'x' } }))).spec.tenant, 'acme');
  for (const name of Object.keys(spec)) {
    assert.equal(decodeJob(whole({ ...spec, [name]: undefined })), undefined, `without ${name}`);
    assert.equal(decodeJob(whole({ ...spec, [name]: Symbol.iterator.toString().repeat(9_000) })), undefined);
  }
  const charge = { ...spec.charge, inputTokens: -1 };
  assert.equal(decodeJob(whole({ ...spec, charge })), undefined, 'a charge that gives');
});

test('bytes that are no job are not read as one', () => {
  const whole = must(encodeJob(spec, Buffer.from('body')));
  const long = Buffer.from(whole);
  long.writeUInt32BE(0xffff_ffff);
  const short = Buffer.from(whole);
  short.writeUInt32BE(3);
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(3),
    Buffer.alloc(4),
    whole.subarray(0, 40),
    long,
    short,
  ]) {
    assert.equal(decodeJob(bytes), undefined);
  }
});

test('what stands in front of the body is bounded, both ways', () => {
  const large = { ...spec, estimate: { pixels: Array.from({ length: SPEC_BYTES_MAX / 4 }, () => 1_000) } };
  assert.equal(encodeJob(large, Buffer.alloc(0)), undefined);
  assert.equal(encodeJob({ ...spec, requested_model: 'm'.repeat(100_000) }, Buffer.alloc(0)), undefined);
});
