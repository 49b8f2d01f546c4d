/** The headers of answers, each described once. */
import { jobHeaderNames } from '../jobs/job-headers.ts';
import { limitHeaderNames } from '../limit-headers.ts';
import { storedHeaderNames } from '../stored-headers.ts';
import type { Schema } from './schema.ts';

const text = { type: 'string' };
const whole = { type: 'integer', minimum: 0 };

/** By name in lower case; `limitHeaders` beside them. */
const described: Readonly<Record<string, readonly [description: string, schema: Schema, example: unknown]>> =
  {
    'x-request-id': [
      'Id of the request, as the log has it; one that the request brings is kept.',
      { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
      '5f0c3b1e-8f5e-4a53-9d0d-1d3c8e6a7b42',
    ],
    'x-should-retry': ['Whether the same request may succeed later.', { enum: ['true', 'false'] }, 'true'],
    'retry-after': ['Seconds to wait before the next try.', { type: 'integer', minimum: 1 }, 2],
    'retry-after-ms': ['The same in milliseconds, where seconds are too coarse.', whole, 500],
    'x-process-time': ['Seconds until the head of the answer was written.', text, '0.412'],
    'openai-processing-ms': ['Milliseconds that the GPU server took to begin its answer.', whole, 398],
    'server-timing': ['Where the time went.', text, 'gateway;dur=1.10, upstream;dur=398.20'],
    'x-sluice-attempts': ['GPU servers that were tried, for tenants that ask for it.', text, 'gpu-1:ok'],
    'cache-control': ['`no-store`, but for answers from the cache and for streams.', text, 'no-store'],
    'x-accel-buffering': ['Of streams: proxies pass each event on at once.', { const: 'no' }, 'no'],
    'www-authenticate': ['How to authenticate.', text, 'Bearer'],
    allow: ['Methods that the path has.', text, 'GET, HEAD'],
    'x-cache': ['Where the answer comes from, where the model has a cache.', text, 'hit'],
    age: ['Seconds since the answer was kept.', whole, 12],
    'idempotency-replayed': ['The answer to the same Idempotency-Key before.', { const: 'true' }, 'true'],
    location: ['Where to ask for the job.', text, '/v1/jobs/job_0123456789abcdefghijkl'],
    'openai-poll-after-ms': ['When to ask again.', whole, 5000],
    'preference-applied': ['What of `Prefer` was heeded (RFC 7240).', text, 'respond-async'],
    'x-sluice-job': ['Id of the job that was made of the request.', text, 'job_0123456789abcdefghijkl'],
    'ratelimit-policy': [
      'The rates (IETF draft): q is the burst, w the seconds in which it comes back.',
      text,
      '"requests";q=100;w=60;qu="requests"',
    ],
    ratelimit: [
      'What is left of them, and in how many seconds they are whole.',
      text,
      '"requests";r=42;t=35',
    ],
  };

const limitHeader = /^x-(ratelimit|quota)-(limit|remaining|reset)-(.+)$/;

function component(name: string): Schema {
  const known = described[name];
  if (known) {
    const [description, schema, example] = known;
    return { description, schema, example };
  }
  const [, kind = '', what = '', of = ''] = limitHeader.exec(name) ?? [];
  const unit = of === 'cost-usd' ? 'US dollars' : of;
  if (what === 'reset') {
    return {
      description: `When the rate of ${unit} is whole again, as Go prints durations.`,
      schema: text,
      example: '6m0s',
    };
  }
  const span = kind === 'quota' ? 'in the period of the quota that has the least left' : 'a minute';
  const description = what === 'limit' ? `How many ${unit} ${span}.` : `How many ${unit} are left.`;
  return {
    description,
    schema: of === 'cost-usd' ? { type: 'number' } : whole,
    example: what === 'limit' ? 100 : 42,
  };
}

/** On every answer that has come to admission. */
export const limitHeaders: readonly string[] = limitHeaderNames;

const names = [
  ...new Set([...Object.keys(described), ...limitHeaderNames, ...storedHeaderNames, ...jobHeaderNames]),
];

export const headerComponents: Readonly<Record<string, Schema>> = Object.fromEntries(
  names.map((name) => [name, component(name)]),
);

/** As an answer lists them. */
export function headersOf(wanted: readonly string[]): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    [...new Set(wanted)].sort().map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );
}
