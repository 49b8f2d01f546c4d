import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { type AdminFixture, startAdmin } from './fixture.ts';

let admin: AdminFixture;

before(async () => {
  admin = await startAdmin();
});
after(() => admin.stop());

const valid = { tenant: 'acme', name: 'web' };

test('what is not built is refused and named, never ignored', async () => {
  for (const field of ['allowed_ips', 'rate_limit', 'total_quota', 'requests_per_minute', 'x']) {
    const { status, body } = await admin.call('POST', '/admin/v1/keys', {
      json: { ...valid, [field]: null },
    });
    assert.equal(status, 400);
    assert.equal(body.error.code, 'unsupported_parameter');
    assert.equal(body.error.param, field);
  }
  const { body } = await admin.call('POST', '/admin/v1/keys', { json: { ...valid, allowed_ips: [] } });
  assert.match(body.error.message, /allowed_ips is named allowed_addresses here/);
});

test('a wrong field is named, with what it should be', async () => {
  const wrong: [object, string, string][] = [
    [{ name: 'web' }, 'missing_required_parameter', 'tenant'],
    [{ tenant: 'acme' }, 'missing_required_parameter', 'name'],
    [{ ...valid, tenant: 'a b' }, 'invalid_value', 'tenant'],
    [{ ...valid, tenant: '{a}' }, 'invalid_value', 'tenant'],
    [{ ...valid, tenant: 7 }, 'invalid_value', 'tenant'],
    [{ ...valid, name: '' }, 'invalid_value', 'name'],
    [{ ...valid, name: 'a\u001b[31m' }, 'invalid_value', 'name'],
    [{ ...valid, name: 'x'.repeat(129) }, 'invalid_value', 'name'],
    [{ ...valid, models: [] }, 'invalid_value', 'models'],
    [{ ...valid, models: 'a' }, 'invalid_value', 'models'],
    [{ ...valid, models: {} }, 'invalid_value', 'models'],
    [{ ...valid, models: { 'a b': { x: 1 } } }, 'invalid_value', 'models'],
    [{ ...valid, models: { ['x'.repeat(129)]: 7 } }, 'invalid_value', 'models'],
    [
      { ...valid, models: { a: { requests_per_minute: 0 } } },
      'invalid_value',
      'models.a.requests_per_minute',
    ],
    [{ ...valid, models: { a: { quota: 1 } } }, 'unsupported_parameter', 'models.a.quota'],
    [{ ...valid, models: ['a', 7] }, 'invalid_value', 'models[1]'],
    [{ ...valid, expires_at: 'tomorrow' }, 'invalid_value', 'expires_at'],
    [{ ...valid, expires_at: 1_900_000_000 }, 'invalid_value', 'expires_at'],
    [{ ...valid, expires_at: '2020-01-01T00:00:00Z' }, 'invalid_value', 'expires_at'],
  ];
  for (const [json, code, param] of wrong) {
    const { status, body } = await admin.call('POST', '/admin/v1/keys', { json });
    assert.deepEqual(
      { status, code: body.error.code, param: body.error.param },
      { status: 400, code, param },
      JSON.stringify(json),
    );
    assert.equal(body.error.type, 'invalid_request_error');
  }
});

test('limits and quotas outside their bounds are refused, and the place is named', async () => {
  const most = 9_007_199_254_740;
  const wrong: [object, string, RegExp?][] = [
    [{ limits: null }, 'limits'],
    [{ limits: [] }, 'limits'],
    [{ limits: { requests_per_minute: 0 } }, 'limits.requests_per_minute', /1 to 1000000000/],
    [{ limits: { requests_per_minute: 1.5 } }, 'limits.requests_per_minute'],
    [{ limits: { requests_per_minute: '5' } }, 'limits.requests_per_minute'],
    [{ limits: { requests_per_minute: 1e9 + 1 } }, 'limits.requests_per_minute'],
    [{ limits: { tokens_per_minute: 1e12 + 1 } }, 'limits.tokens_per_minute'],
    [{ limits: { max_concurrent: 0 } }, 'limits.max_concurrent', /1 to 1000000;/],
    [{ limits: { burst_requests: 5 } }, 'limits.burst_requests', /must come with requests_per_minute/],
    [{ limits: { burst_tokens: 5, tokens_per_minute: null } }, 'limits.burst_tokens'],
    [{ limits: { requests_per_minute: 5, burst_requests: 0 } }, 'limits.burst_requests'],
    [{ quotas: {} }, 'quotas'],
    [{ quotas: [{ period: 'week', requests: 1 }] }, 'quotas[0].period', /minute, hour, day, month, total/],
    [{ quotas: [{ period: 'day' }] }, 'quotas[0]', /at least one of requests/],
    [{ quotas: [{ period: 'day', tokens: null }] }, 'quotas[0]'],
    [{ quotas: [{ period: 'day', requests: -1 }] }, 'quotas[0].requests'],
    [{ quotas: [{ period: 'day', requests: most + 1 }] }, 'quotas[0].requests'],
    [{ quotas: [{ period: 'day', images: 0.5 }] }, 'quotas[0].images'],
    [{ quotas: [{ period: 'day', gpu_seconds: 0.0001 }] }, 'quotas[0].gpu_seconds', /at most 3 decimals/],
    [{ quotas: [{ period: 'day', cost_usd: 1e9 + 1 }] }, 'quotas[0].cost_usd'],
    [{ quotas: [{ period: 'day', cost_usd: 0.0000001 }] }, 'quotas[0].cost_usd', /at most 6 decimals/],
    [
      {
        quotas: [
          { period: 'day', requests: 1 },
          { period: 'day', tokens: 1 },
        ],
      },
      'quotas[1].period',
      /join the two quotas/,
    ],
  ];
  for (const [fields, param, message = /./] of wrong) {
    for (const [path, json] of [
      ['/admin/v1/keys', { ...valid, ...fields }],
      ['/admin/v1/tenants', { name: 'new', ...fields }],
    ] as const) {
      const { status, body } = await admin.call('POST', path, { json });
      assert.deepEqual([status, body.error.param], [400, param], JSON.stringify(json));
      assert.match(body.error.message, message);
    }
  }
});

test('limits and quotas at their bounds are taken', async () => {
  const limits = {
    requests_per_minute: 1e9,
    tokens_per_minute: 1e12,
    max_concurrent: 1_000_000,
    burst_requests: 1,
    burst_tokens: 1,
  };
  const most = { requests: 9_007_199_254_740, tokens: 0, images: null, gpu_seconds: 1e9, cost_usd: 0.000001 };
  const quotas = ['minute', 'hour', 'day', 'month', 'total'].map((period) => ({ period, ...most }));
  const models = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`m${index}`, limits]));
  const { status, body } = await admin.call('POST', '/admin/v1/keys', {
    json: { ...valid, limits, quotas, models },
  });
  assert.equal(status, 201);
  assert.deepEqual([body.limits, body.quotas, body.models], [limits, quotas, models]);
  const crowd = { ...models, m1000: {} };
  const refused = await admin.call('POST', '/admin/v1/keys', { json: { ...valid, models: crowd } });
  assert.deepEqual([refused.status, refused.body.error.param], [400, 'models']);
});

test('queries are as strict as bodies', async () => {
  for (const query of [
    'limit=0',
    'limit=1001',
    'limit=ten',
    'limit=1&limit=2',
    'tenant=a%20b',
    'page=2',
    'cursor=',
  ]) {
    const { status, body } = await admin.call('GET', `/admin/v1/keys?${query}`);
    assert.equal(status, 400, query);
    assert.equal(body.error.param, query.split('=')[0]);
  }
});

test('a change that changes nothing, or revokes by the wrong door, is refused', async () => {
  for (const json of [{}, { status: 'revoked' }, { tenant: 'other' }, { id: 'key_1' }]) {
    const { status } = await admin.call('PATCH', '/admin/v1/keys/key_000000000000', { json });
    assert.equal(status, 400, JSON.stringify(json));
  }
});

test('a body that is no JSON, of another type, or too large is refused as such', async () => {
  const json = { 'content-type': 'application/json' };
  const sent: [Parameters<AdminFixture['call']>[2], number, string][] = [
    [{ headers: json, body: '{"tenant":' }, 400, 'invalid_json'],
    [{ headers: json, body: '' }, 400, 'invalid_json'],
    [{ headers: json, body: '{"tenant":"a","__proto__":{}}' }, 400, 'invalid_json'],
    [{ json: null }, 400, 'invalid_value'],
    [{ json: [valid] }, 400, 'invalid_value'],
    [{ headers: { 'content-type': 'text/xml' }, body: '<a/>' }, 415, 'unsupported_media_type'],
    [{ json: { ...valid, name: 'x'.repeat(1_100_000) } }, 413, 'request_too_large'],
  ];
  for (const [request, status, code] of sent) {
    const answer = await admin.call('POST', '/admin/v1/keys', request);
    assert.deepEqual({ status: answer.status, code: answer.body?.error.code }, { status, code });
  }
});

test('an id that cannot exist is as unknown as one that does not', async () => {
  for (const id of ['key_000000000000', 'x', 'a%7Bb%7D', 'a%00b', 'x'.repeat(99)]) {
    const { status, body } = await admin.call('GET', `/admin/v1/keys/${id}`);
    assert.equal(status, 404, id);
    assert.equal(body.error.code, 'not_found');
  }
  assert.equal((await admin.call('GET', '/admin/v1/tenants/nobody')).status, 404);
});

test('an unknown path is 404, a wrong method 405 with Allow, both in the error format', async () => {
  for (const path of [
    '/',
    '/nothing',
    '/admin',
    '/admin/v1',
    '/admin/v2/keys',
    '/live/',
    '/admin/v1/keys/a/b',
  ]) {
    const { status, body } = await admin.call('GET', path);
    assert.equal(status, 404, path);
    assert.deepEqual(Object.keys(body.error), ['message', 'type', 'param', 'code']);
  }
  const allowed: [string, string, string][] = [
    ['POST', '/live', 'GET, HEAD'],
    ['DELETE', '/metrics', 'GET, HEAD'],
    ['DELETE', '/admin/v1/keys', 'GET, HEAD, POST'],
    ['PUT', '/admin/v1/keys/key_000000000000', 'DELETE, GET, HEAD, PATCH'],
    ['GET', '/admin/v1/keys/key_000000000000/rotate', 'POST'],
    ['GET', '/admin/v1/keys/import', 'POST'],
    ['POST', '/admin/v1/upstreams', 'GET, HEAD'],
    ['OPTIONS', '/admin/v1/tenants/acme', 'GET, HEAD, PATCH'],
    ['DELETE', '/admin/v1/tenants', 'GET, HEAD, POST'],
  ];
  for (const [method, path, allow] of allowed) {
    const { status, headers, body } = await admin.call(method, path, { body: 'x' });
    assert.equal(status, 405, `${method} ${path}`);
    assert.equal(headers.get('allow'), allow, path);
    assert.equal(body.error.code, 'method_not_allowed');
  }
});

test('every answer has a request id, the given one if it is fit, and is not to be stored', async () => {
  const given = await admin.call('GET', '/live', { headers: { 'x-request-id': 'given-1' } });
  assert.equal(given.headers.get('x-request-id'), 'given-1');
  for (const path of ['/live', '/nothing', '/admin/v1/keys', '/%zz']) {
    const { headers } = await admin.call('GET', path, { headers: { 'x-request-id': 'not fit' } });
    assert.match(headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, path);
    assert.equal(headers.get('cache-control'), 'no-store', path);
  }
});

test('bytes that are no HTTP get a 400 in the error format', async () => {
  const socket = connect(Number(new URL(admin.url).port), '127.0.0.1');
  socket.end('GET / HTTP/9.9\r\n\r\n');
  const answer = await text(socket);
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /"code":"bad_http"/);
});
