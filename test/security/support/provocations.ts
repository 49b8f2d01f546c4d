/** Ways to every error of the table, with secrets in all that is sent. */
import { newKeyId, newSecret } from '../../../src/admission/keys/key-format.ts';
import type { ErrorName } from '../../../src/core/errors.ts';
import { bearer, chat, type Reply, readReply, send, speak, type Wanted } from '../../http/client.ts';
import { until } from '../../support/gateway.ts';
import { CONFIGURED, HEADER, IDEMPOTENCY, NAME, PROMPT, plantedHeaders, QUERY } from './planted.ts';
import { BODY_LIMIT_BYTES, OVERSIZE_BYTES, type SecretGround } from './secret-ground.ts';

/** Errors that nobody can bring about from outside within the time of a test. */
export const outOfReach: Partial<Record<ErrorName, string>> = {
  internal_error: 'a fault of the gateway itself; its log line is tested in test/http/error-table.test.ts',
  job_failed: 'needs workers that die one after the other; see test/cluster/jobs/poison.test.ts',
  job_expired: 'jobs live for a minute at least',
};

type Answered = Reply | { readonly status: number; readonly body: Record<string, unknown> };
type Provocation = (ground: SecretGround) => Promise<Answered>;

const chatWith = ({ gateway }: SecretGround, wanted: Wanted, path = '/v1/chat/completions') =>
  send(gateway.url, `${path}?key=${QUERY}`, {
    ...wanted,
    headers: { ...plantedHeaders, ...bearer(gateway.key), ...wanted.headers },
  });
const get = (ground: SecretGround, path: string) => chatWith(ground, { method: 'GET' }, path);
const keyWith = async ({ gateway }: SecretGround, terms: object) =>
  (await gateway.createKey({ ...terms })).key;

async function raw({ gateway }: SecretGround, bytes: string): Promise<Reply> {
  return readReply(await speak(gateway.url, bytes));
}

/** The second of two equal calls. */
async function second(act: () => Promise<Reply>): Promise<Reply> {
  await act();
  return act();
}

/** A job that runs until the test is over. */
async function hangingJob(ground: SecretGround, key: string): Promise<Reply> {
  return ground.ask(key, 'hang', {}, { prefer: 'respond-async' });
}

async function cancelledWhileWaiting(ground: SecretGround): Promise<Reply> {
  const { gateway } = ground;
  const key = await keyWith(ground, { tenant: 'impatient' });
  const waits = ground.ask(key, 'hang', {}, { prefer: 'wait=20' });
  const ask = (method: string, path: string) => send(gateway.url, path, { method, headers: bearer(key) });
  let id: string | undefined;
  await until(async () => {
    const { data } = JSON.parse((await ask('GET', '/v1/jobs')).body.toString()) as { data: { id: string }[] };
    id = data[0]?.id;
    return id !== undefined;
  }, 'the job');
  await ask('POST', `/v1/jobs/${id}/cancel`);
  return waits;
}

async function answerOfRunningJob(ground: SecretGround): Promise<Reply> {
  const key = await keyWith(ground, { tenant: 'curious' });
  const { headers } = await hangingJob(ground, key);
  const ask = (method: string, path = '') =>
    send(ground.gateway.url, `${headers.location}${path}`, { method, headers: bearer(key) });
  const reply = await ask('GET', '/result');
  await ask('POST', '/cancel');
  return reply;
}

async function tooManyUnknownKeys(ground: SecretGround): Promise<Reply> {
  for (;;) {
    const reply = await ground.ask(newSecret(newKeyId()));
    if (reply.status !== 401) return reply;
  }
}

async function jobsOfAllTenants(ground: SecretGround): Promise<Reply> {
  const [one, other, third] = await Promise.all(
    ['busy', 'busier', 'last'].map((tenant) => keyWith(ground, { tenant })),
  );
  for (const key of [one, one, other, other]) await hangingJob(ground, key ?? '');
  return hangingJob(ground, third ?? '');
}

async function policyTakenAway(ground: SecretGround): Promise<Reply> {
  const key = await keyWith(ground, { policy: 'house' });
  await ground.reload({ policies: [] });
  return ground.ask(key);
}

async function redisAway(ground: SecretGround): Promise<Reply> {
  ground.redis.pause();
  try {
    return await ground.ask(ground.gateway.key, '', {}, { 'idempotency-key': `${IDEMPOTENCY}-away` });
  } finally {
    ground.redis.resume();
    await until(async () => (await ground.ask(ground.gateway.key)).status === 200, 'Redis to be back');
    const metrics = async () => (await fetch(`${ground.gateway.adminUrl}/ready`)).text();
    await until(async () => /"redis":"ok"/.test(await metrics()), 'the gateway to know it');
  }
}

const image = { type: 'image_url', image_url: { url: `https://user:${PROMPT}@images.example.com/a.png` } };
const twice = (key: string) => ({ 'idempotency-key': `${IDEMPOTENCY}-${key}` });
const own = (ground: SecretGround) => ground.gateway.key;

/** In an order in which none stands in the way of the next. */
export const provocations: readonly (readonly [ErrorName, Provocation])[] = [
  ['bad_http', (g) => raw(g, `GET /${NAME} HTTP/1.1\r\nHost: a\r\nHost: ${HEADER}\r\n\r\n`)],
  ['headers_too_large', (g) => raw(g, `GET / HTTP/1.1\r\nHost: a\r\nX: ${HEADER.repeat(1_000)}\r\n\r\n`)],
  [
    'request_timeout',
    (g) =>
      raw(
        g,
        `POST /v1/chat/completions?k=${QUERY} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${own(g)}\r\n` +
          `Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"user":"${PROMPT}`,
      ),
  ],
  ['invalid_json', (g) => chatWith(g, { body: `{"${PROMPT}` })],
  ['json_too_complex', (g) => chatWith(g, { body: `{"${PROMPT}":1,"${PROMPT}":2}` })],
  ['missing_parameter', (g) => chatWith(g, { body: JSON.stringify({ model: 'public', user: PROMPT }) })],
  ['invalid_parameter', (g) => chatWith(g, { body: chat({ messages: PROMPT }) })],
  ['invalid_parameter', (g) => chatWith(g, { body: JSON.stringify({ y: PROMPT }) }, '/predict')],
  [
    'unsupported_parameter',
    (g) =>
      chatWith(
        g,
        { body: JSON.stringify({ model: 'public', input: PROMPT, stream: true }) },
        '/v1/embeddings',
      ),
  ],
  ['remote_media_refused', (g) => g.ask(own(g), '', { messages: [{ role: 'user', content: [image] }] })],
  ['context_length_exceeded', (g) => g.ask(own(g), PROMPT.repeat(50), { model: 'short' })],
  ['upstream_rejected', (g) => g.ask(own(g), 'fail with 422')],
  ['upstream_error', (g) => g.ask(own(g), 'fail with 500')],
  ['upstream_unavailable', (g) => g.ask(own(g), '', { model: 'gone' })],
  ['upstream_timeout', (g) => g.ask(own(g), 'slow', { model: 'late' })],
  [
    'overloaded',
    async (g) => {
      const first = g.ask(own(g), 'slow', { model: 'narrow' });
      await until(async () => (await g.gateway.metric('sluice_requests_in_flight')) > 0);
      const reply = await g.ask(own(g), 'slow', { model: 'narrow' });
      await first;
      return reply;
    },
  ],
  ['model_not_allowed', async (g) => g.ask(await keyWith(g, { models: ['public'] }), '', { model: 'gone' })],
  ['model_not_found', (g) => g.ask(own(g), '', { model: NAME })],
  ['permission_denied', async (g) => g.ask(await keyWith(g, { scopes: ['usage'] }))],
  ['not_found', (g) => chatWith(g, { body: PROMPT }, `/${NAME}`)],
  ['job_not_found', (g) => get(g, `/v1/jobs/job_${NAME}`)],
  ['method_not_allowed', (g) => chatWith(g, { method: 'DELETE' }, '/v1/models')],
  ['request_too_large', (g) => chatWith(g, { body: PROMPT.repeat(BODY_LIMIT_BYTES / PROMPT.length + 1) })],
  [
    'request_oversized',
    async (g) => {
      const key = await keyWith(g, { tenant: 'small' });
      await g.gateway.admin('PATCH', '/tenants/small', { oversize: 'reject' });
      return g.ask(key, PROMPT.repeat(OVERSIZE_BYTES / PROMPT.length + 1));
    },
  ],
  [
    'unsupported_media_type',
    (g) => chatWith(g, { headers: { 'content-type': `text/${HEADER}` }, body: PROMPT }),
  ],
  [
    'rate_limit_exceeded',
    async (g) => {
      const key = await keyWith(g, { limits: { requests_per_minute: 1, burst_requests: 1 } });
      return second(() => g.ask(key));
    },
  ],
  [
    'insufficient_quota',
    async (g) => {
      const key = await keyWith(g, { quotas: [{ period: 'total', requests: 1 }] });
      return second(() => g.ask(key));
    },
  ],
  [
    'idempotency_running',
    async (g) => {
      const both = [0, 1].map(() => g.ask(own(g), 'slow', {}, twice('running')));
      const replies = await Promise.all(both);
      return replies.find(({ status }) => status !== 200) ?? (replies[0] as Reply);
    },
  ],
  ['idempotency_answer_gone', (g) => second(() => g.ask(own(g), 'large', {}, twice('gone')))],
  ['idempotency_mismatch', (g) => g.ask(own(g), 'else', {}, twice('gone'))],
  [
    'idempotency_full',
    async (g) => {
      const key = await keyWith(g, { tenant: 'repeating' });
      for (let index = 0; index < 4; index += 1) await g.ask(key, '', {}, twice(`full-${index}`));
      return g.ask(key, '', {}, twice('full'));
    },
  ],
  ['job_cancelled', cancelledWhileWaiting],
  ['upstream_error', (g) => g.ask(own(g), 'fail with 500', {}, { prefer: 'wait=20' })],
  ['upstream_rejected', (g) => g.ask(own(g), 'fail with 422', {}, { prefer: 'wait=20' })],
  ['job_has_no_answer', answerOfRunningJob],
  [
    'too_many_jobs',
    async (g) => {
      const key = await keyWith(g, { tenant: 'busy' });
      await hangingJob(g, key);
      await hangingJob(g, key);
      return hangingJob(g, key);
    },
  ],
  ['job_queue_full', jobsOfAllTenants],
  ['conflict', (g) => g.gateway.admin('POST', '/tenants', { name: 'acme' })],
  ['invalid_configuration', (g) => g.reload({ admin: { token: CONFIGURED }, unknown: CONFIGURED })],
  ['policy_missing', policyTakenAway],
  [
    'invalid_api_key',
    async (g) => {
      const revoked = await g.gateway.createKey();
      await g.gateway.admin('DELETE', `/keys/${revoked.id}`);
      return g.ask(revoked.key);
    },
  ],
  ['too_many_failed_keys', tooManyUnknownKeys],
  ['store_unavailable', redisAway],
  [
    // The last one: it ends the gateway.
    'draining',
    async (g) => {
      const reply = g.ask(own(g), 'slow');
      await until(async () => (await g.gateway.metric('sluice_requests_in_flight')) > 0);
      g.gateway.process.kill('SIGTERM');
      return reply;
    },
  ],
];
