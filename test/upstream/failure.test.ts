/** What a caller learns of a server's failure: whose fault it was and whether to try again, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorBody, errorTable } from '../../src/core/errors.ts';
import { causeOfError, refusalOfAnswer, refusalOfCause } from '../../src/upstream/failure.ts';

for (const [code, syscall, cause] of [
  ['ECONNREFUSED', 'connect', 'connect'],
  ['ECONNREFUSED', undefined, 'connect'],
  ['ECONNRESET', 'connect', 'connect'],
  ['EHOSTUNREACH', 'connect', 'connect'],
  ['ENETUNREACH', undefined, 'connect'],
  ['ENOTFOUND', 'getaddrinfo', 'connect'],
  ['EAI_AGAIN', 'getaddrinfo', 'connect'],
  ['ETIMEDOUT', 'connect', 'connect'],
  ['UND_ERR_CONNECT_TIMEOUT', undefined, 'connect'],
  ['ECONNRESET', 'read', 'reset'],
  ['EPIPE', 'write', 'reset'],
  ['UND_ERR_SOCKET', undefined, 'reset'],
  ['HPE_INVALID_CONSTANT', undefined, 'malformed'],
  ['HPE_INVALID_CHUNK_SIZE', undefined, 'malformed'],
  ['UND_ERR_HEADERS_OVERFLOW', undefined, 'malformed'],
  [undefined, undefined, 'reset'],
] as const) {
  test(`${code} of ${syscall} is ${cause}`, () => {
    const error = Object.assign(new Error('x'), { code, syscall }) as Error & {
      code?: string;
      syscall?: string;
    };
    assert.equal(causeOfError(error), cause);
  });
}

for (const [cause, status, name] of [
  ['connect', 503, 'upstream_unavailable'],
  ['reset', 502, 'upstream_error'],
  ['malformed', 502, 'upstream_error'],
  ['first_byte', 504, 'upstream_timeout'],
  ['idle', 504, 'upstream_timeout'],
  ['total', 504, 'upstream_timeout'],
  ['ended_early', 502, 'upstream_error'],
  ['too_long', 502, 'upstream_error'],
] as const) {
  test(`${cause} becomes ${status} ${name}; who and why stand in the log alone`, () => {
    const refused = refusalOfCause(cause, 'gpu-7', 'connect 10.0.0.7:8000');
    assert.deepEqual([refused.status, refused.name], [status, name]);
    assert.equal(errorTable[refused.name].blame, 'upstream');
    assert.equal(errorTable[refused.name].retryable, true);
    assert.equal(refused.reason, `gpu-7: ${cause} (connect 10.0.0.7:8000)`);
    assert.doesNotMatch(errorBody(refused), /gpu-7|10\.0\.0\.7/);
    assert.equal(refused.headers?.['retry-after'], status === 503 ? '1' : undefined);
  });
}

const openAi = '{"error":{"message":"max_tokens is wrong","type":"x","param":"max_tokens","code":4}}';

for (const [status, body, expectedStatus, name, message, param] of [
  [400, openAi, 400, 'upstream_rejected', 'max_tokens is wrong', 'max_tokens'],
  [422, openAi, 422, 'upstream_rejected', 'max_tokens is wrong', 'max_tokens'],
  [400, '{"object":"error","message":"older vLLM","code":400}', 400, 'upstream_rejected', 'older vLLM', null],
  [422, '{"detail":"plain FastAPI"}', 422, 'upstream_rejected', 'plain FastAPI', null],
  [422, '{"detail":[{"loc":["body"]}]}', 422, 'upstream_rejected', '[{"loc":["body"]}]', null],
  [404, '{"error":"TGI says so"}', 404, 'upstream_rejected', 'TGI says so', null],
  [404, '<html>nginx</html>', 404, 'upstream_rejected', 'The model server refused the request (404).', null],
  [400, 'null', 400, 'upstream_rejected', 'The model server refused the request (400).', null],
  [400, '', 400, 'upstream_rejected', 'The model server refused the request (400).', null],
  [401, openAi, 502, 'upstream_error', 'The model server failed.', null],
  [403, openAi, 502, 'upstream_error', 'The model server failed.', null],
  [407, openAi, 502, 'upstream_error', 'The model server failed.', null],
  [302, '', 502, 'upstream_error', 'The model server failed.', null],
  [500, openAi, 502, 'upstream_error', 'The model server failed.', null],
  [502, '<html>', 502, 'upstream_error', 'The model server failed.', null],
  [429, openAi, 503, 'upstream_unavailable', 'The model server is loading or overloaded.', null],
  [503, openAi, 503, 'upstream_unavailable', 'The model server is loading or overloaded.', null],
  [408, '', 504, 'upstream_timeout', 'The model server did not answer in time.', null],
  [504, '', 504, 'upstream_timeout', 'The model server did not answer in time.', null],
  [
    500,
    '{"error":{"message":"input is too large to process. increase the physical batch size"}}',
    400,
    'context_length_exceeded',
    'input is too large to process. increase the physical batch size',
    null,
  ],
] as const) {
  test(`${status} ${body.slice(0, 40)} becomes ${expectedStatus} ${name}`, () => {
    const refused = refusalOfAnswer(status, Buffer.from(body), 'gpu-7');
    assert.deepEqual(
      [refused.status, refused.name, refused.message, refused.param],
      [expectedStatus, name, message, param],
    );
    assert.equal(refused.reason, `gpu-7: answered ${status}`);
  });
}

test('a message without end is cut', () => {
  const refused = refusalOfAnswer(
    400,
    Buffer.from(JSON.stringify({ message: 'x'.repeat(100_000) })),
    'gpu-7',
  );
  assert.equal(refused.message.length, 4_096);
});
