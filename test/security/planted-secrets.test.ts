/**
 * Case S10: secrets in headers, bodies, queries, names and keys, on the way through every error, are in no log, metric, trace
 * or process argument; prompts are in Redis only as requests of jobs, and keys only as digests.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { type ErrorName, errorTable } from '../../src/core/errors.ts';
import { sluice } from '../cli/run.ts';
import { bearer, send } from '../http/client.ts';
import { ADMIN_TOKEN, until } from '../support/gateway.ts';
import * as planted from './support/planted.ts';
import { outOfReach, provocations } from './support/provocations.ts';
import { openSecretGround, type SecretGround } from './support/secret-ground.ts';

const SECRET_OF_ALL = 'a-secret-for-tests-only-0123456789abcdef';
/** Made while the test runs: keys of callers and admins, secrets of webhooks and signatures. */
const issued: string[] = [];
const commandOutput: string[] = [];
const provoked: [ErrorName, code: string][] = [];
let ground: SecretGround;
let places: Record<string, string>;
let stored: ReadonlyMap<string, string>;

before(async () => {
  ground = await openSecretGround();
  issued.push(ground.gateway.key);
  const { createKey } = ground.gateway;
  ground.gateway.createKey = async (wanted) => {
    const made = await createKey(wanted);
    issued.push(made.key);
    return made;
  };
  await useAdminApi();
  await useCommandLine();
  for (const [name, provoke] of provocations) {
    if (name === 'draining') places = { ...(await whatIsThere()), ...(await processArguments()) };
    const { body } = await provoke(ground);
    const text = Buffer.isBuffer(body) ? body.toString() : JSON.stringify(body);
    provoked.push([name, (JSON.parse(text) as { error?: { code: string } }).error?.code ?? text]);
  }
  places = { ...places, ...(await logs()) };
  stored = await everythingIn(ground.redis.url);
});
after(() => ground?.stop());

test('every error that can be provoked was', (t) => {
  for (const [name, code] of provoked) assert.equal(code, errorTable[name].code, name);
  const done = new Set<string>(provoked.map(([name]) => name));
  const missing = Object.keys(errorTable).filter(
    (name) => !done.has(name) && outOfReach[name as ErrorName] === undefined,
  );
  assert.deepEqual(missing, [], 'an error has no provocation here, and no reason in outOfReach');
  t.diagnostic(`${done.size} of ${Object.keys(errorTable).length} errors provoked`);
});

test('no planted or issued secret is in logs, metrics, traces, outputs of commands or process arguments', (t) => {
  for (const [place, text] of Object.entries(places)) {
    t.diagnostic(`${place}: ${text.length} characters`);
    assert.ok(text.length > 100, `${place} is there`);
    for (const secret of allSecrets()) assertAbsent(secret, text, place);
  }
});

test('what callers planted is in Redis only where requests and answers of jobs are kept, and expires', () => {
  const requests = /:\{_jobs\}:payload:/;
  const answers = /:\{_jobs\}:(result|pieces):|:once:/;
  const outside = (...of: RegExp[]) =>
    [...stored]
      .filter(([name]) => !of.some((one) => one.test(name)))
      .map((entry) => entry.join(' '))
      .join('\n');
  // A server that refuses a request may repeat parts of it, and worse.
  assertAbsent(planted.PROMPT, outside(requests, answers), 'Redis outside of requests and answers');
  assertAbsent(planted.ANSWER, outside(answers), 'Redis outside of answers');
  assertAbsent(planted.UPSTREAM_KEY, outside(answers), 'Redis outside of answers');
  const { HEADER, IDEMPOTENCY, QUERY, NAME, CONFIGURED, COLLECTOR_KEY } = planted;
  const nowhere = [HEADER, IDEMPOTENCY, QUERY, NAME, CONFIGURED, COLLECTOR_KEY, ADMIN_TOKEN, SECRET_OF_ALL];
  for (const secret of [...nowhere, ...issued.flatMap(partsOf)]) assertAbsent(secret, outside(), 'Redis');
  const kept = [...stored].filter(([name]) => requests.test(name));
  assert.ok(
    kept.some(([, value]) => value.includes(planted.PROMPT)),
    'the look at Redis sees prompts where they are',
  );
  for (const [name, value] of kept) assert.match(value, /^expires /, name);
});

/** A key has a public part, which may be anywhere. */
function partsOf(key: string): string[] {
  return [key, key.slice(-30), key.slice(-36, -6)];
}

function allSecrets(): string[] {
  const marks = Object.values(planted).filter((value) => typeof value === 'string');
  return [...marks, ADMIN_TOKEN, SECRET_OF_ALL, ...issued.flatMap(partsOf)];
}

function assertAbsent(secret: string, text: string, place: string): void {
  for (const form of planted.everyForm(secret)) {
    const at = text.indexOf(form);
    assert.equal(at, -1, `${secret} in ${place}: …${text.slice(Math.max(0, at - 300), at + 100)}`);
  }
}

async function useAdminApi(): Promise<void> {
  const { gateway } = ground;
  const { admin, adminUrl } = gateway;
  const { body: owner } = await admin('POST', '/admins', { name: 'ann', role: 'owner' });
  const { body: hook } = await admin('PUT', '/tenants/acme/webhook', { url: 'http://127.0.0.1:9/x' });
  const { id } = await gateway.createKey();
  const { body: signing } = await admin('PUT', `/keys/${id}/signing-keys`, { alg: 'hmac-sha256' });
  const { body: rotated } = await admin('POST', `/keys/${id}/rotate`, {});
  for (const made of [owner, hook, signing, rotated]) {
    const secret = made.key ?? made.secret;
    assert.ok(secret, JSON.stringify(made));
    issued.push(String(secret));
  }
  const rows = [{ key: `brought-${planted.HEADER}`, tenant: 'acme', name: 'x' }, { key: planted.NAME }];
  await admin('POST', '/keys/import', { form: { prefix: 'brought-' }, rows });
  await admin('POST', '/keys', { tenant: 'acme', name: 'x', [planted.NAME]: planted.PROMPT });
  for (const path of [`/keys?cursor=${planted.QUERY}`, `/${planted.NAME}`, `/keys/${planted.NAME}`]) {
    for (const key of [planted.HEADER, gateway.key, String(owner.key), `${owner.key}x`]) {
      const headers = { ...planted.plantedHeaders, ...bearer(key) };
      await send(adminUrl, `/admin/v1${path}`, { method: 'GET', headers });
      await send(adminUrl, `/admin/v1${path}`, { method: 'POST', headers, body: `{"${planted.PROMPT}` });
    }
  }
}

async function useCommandLine(): Promise<void> {
  const env = { SLUICE_ADMIN_URL: ground.gateway.adminUrl, SLUICE_ADMIN_TOKEN: ADMIN_TOKEN };
  const wrong = { ...env, SLUICE_ADMIN_TOKEN: `${planted.CONFIGURED}-long-enough` };
  const outputs = await Promise.all([
    sluice(['keys', 'list', '--json'], { env }),
    sluice(['admins', 'list', '--json'], { env }),
    sluice(['audit', 'list', '--json'], { env }),
    sluice(['webhooks', 'show', 'acme', '--json'], { env }),
    sluice(['keys', 'list'], { env: wrong }),
    sluice(['keys', 'list'], { env: { ...env, SLUICE_ADMIN_URL: `${env.SLUICE_ADMIN_URL}/elsewhere` } }),
  ]);
  assert.deepEqual(
    outputs.slice(0, 4).map(({ exitCode }) => exitCode),
    [0, 0, 0, 0],
  );
  assert.ok(outputs[4]?.exitCode, 'a wrong token is no success');
  commandOutput.push(...outputs.flatMap(({ stdout, stderr }) => [stdout, stderr]));
}

async function whatIsThere(): Promise<Record<string, string>> {
  const { gateway, workerUrl, collector } = ground;
  const page = async (url: string) => (await fetch(url)).text();
  // The newest calls are told of once this one is.
  await until(() => collector.spans().length > provocations.length, 'the spans of the calls');
  return {
    'metrics of the gateway': await page(`${gateway.adminUrl}/metrics`),
    'metrics of the worker': await page(`${workerUrl}/metrics`),
    'jobs as admins see them': JSON.stringify((await gateway.admin('GET', '/jobs?limit=100')).body),
    traces: collector.bodies.join('\n'),
    'what commands print': commandOutput.join('\n'),
  };
}

async function logs(): Promise<Record<string, string>> {
  await until(async () => (await ground.gateway.logText()).includes('"error":"draining"'), 'the last line');
  return {
    'log of the gateway': await ground.gateway.logText(),
    'log of the worker': await ground.workerLog(),
  };
}

/** Of all processes on this machine, where it says so. */
async function processArguments(): Promise<Record<string, string>> {
  const entries = await readdir('/proc').catch(() => []);
  const lines = await Promise.all(
    entries
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.length === 0 ? {} : { 'process arguments': lines.join('\n') };
}

/** Names and values of all keys; a value that expires says so first. */
async function everythingIn(url: string): Promise<ReadonlyMap<string, string>> {
  const redis = new Redis(url);
  const readers: Record<string, (name: string) => Promise<unknown>> = {
    string: (name) => redis.get(name),
    set: (name) => redis.smembers(name),
    zset: (name) => redis.zrange(name, '0', '-1'),
    hash: (name) => redis.hgetall(name),
    list: (name) => redis.lrange(name, '0', '-1'),
    stream: (name) => redis.xrange(name, '-', '+'),
  };
  const found = new Map<string, string>();
  for (const name of (await redis.keys('*')).map(String)) {
    const read = readers[await redis.type(name)];
    if (!read) continue;
    const value = await read(name);
    // What the server has said of a refused request, for the tenant alone; it goes with the record.
    if (/:\{_jobs\}:job:/.test(name)) delete Object(value).error_message;
    const expires = (await redis.pttl(name)) > 0 ? 'expires ' : '';
    found.set(name, expires + JSON.stringify(value));
  }
  redis.disconnect();
  return found;
}
