/** What teams and operators do with the example of a text model: the official client, long prompts, Prometheus. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { createSimulator } from '../../src/simulator/server.ts';
import { officialClient } from '../client/official.ts';
import { startWorker, type TestWorker } from '../http/jobs/worker-process.ts';
import { type TestGateway, until } from '../support/gateway.ts';
import { missingPrograms } from '../support/programs.ts';
import { startPrometheus } from '../watch/support/prometheus.ts';
import { exampleConfig, pathOf, startExample } from './support/example.ts';

const PATH = '/data/models/zai-org/GLM-4.7-Flash';
const SUPPORT = 'a-key-of-support-0123456789';
const LIMIT_MS = 30_000;
const messages = [{ role: 'user' as const, content: 'Hello' }];

const vllm = createSimulator({ models: [PATH], tokens: 6, contextLength: 131_072 });
let gateway: TestGateway;
let worker: TestWorker;

before(async () => {
  const { url } = await vllm.listen('127.0.0.1', 0);
  const replacements = { 'http://127.0.0.1:8000': url };
  const env = { SLUICE_KEYS: `support=${SUPPORT}` };
  gateway = await startExample('text-model', replacements, { env });
  worker = await startWorker(gateway.redis, exampleConfig('text-model', replacements), env);
});

after(async () => {
  await worker.stop();
  await gateway.stop();
  await vllm.close();
});

test('the official client works with nothing changed but base URL and key, streams and refusals too', async () => {
  const openai = officialClient(gateway, SUPPORT);
  const whole = await openai.chat.completions.create({ model: 'gpt-4o', messages });
  assert.equal(whole.model, 'gpt-4o');
  assert.match(whole.choices[0]?.message.content ?? '', /\(Written by a language model\. Case .+\.\)$/);
  const stream = await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  assert.match(text, /^This is a simulated answer\.[\s\S]*\(Written by a language model\. Case .+\.\)$/);
  await assert.rejects(
    officialClient(gateway, 'a-key-of-nobody-0123456789').models.list(),
    (error) => error instanceof OpenAI.AuthenticationError && error.code === 'invalid_api_key',
  );
});

test('a prompt that is too long goes through the queue, and its caller has its answer from there', async () => {
  const long = [{ role: 'user' as const, content: 'A long report. '.repeat(20_000) }];
  const openai = officialClient(gateway, SUPPORT);
  const { data, response } = await openai.chat.completions
    .create({ model: 'gpt-4o', messages: long })
    .withResponse();
  assert.match(data.choices[0]?.message.content ?? '', /Case .+\.\)$/);
  const id = String(response.headers.get('x-sluice-job'));
  assert.match(id, /^job_/);
  const job = await fetch(`${gateway.url}/v1/jobs/${id}`, {
    headers: { authorization: `Bearer ${SUPPORT}` },
  });
  assert.equal(((await job.json()) as { status: string }).status, 'completed');
  const short = await openai.chat.completions.create({ model: 'gpt-4o', messages }).withResponse();
  assert.equal(short.response.headers.get('x-sluice-job'), null);
});

test('Prometheus answers the queries of the README: requests per second, latency and error rate', {
  skip: missingPrograms('prometheus'),
  timeout: 2 * LIMIT_MS,
}, async (t) => {
  const readme = await readFile(pathOf('text-model', 'README.md'), 'utf8');
  const queries = /^```promql\n(.*?)^```$/ms.exec(readme)?.[1]?.trim().split('\n') ?? [];
  assert.equal(queries.length, 3);
  const openai = officialClient(gateway, SUPPORT);
  vllm.state.addFault({ prompt: 'please fail', status: 500 });
  const fails = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'please fail' }] };
  const call = async () => {
    await openai.chat.completions.create({ model: 'gpt-4o', messages });
    await assert.rejects(openai.chat.completions.create(fails, { maxRetries: 0 }));
  };
  await call();
  const targets = { gateways: [gateway.adminUrl], workers: [worker.adminUrl] };
  const prometheus = await startPrometheus(targets, 1);
  t.after(() => prometheus.stop());
  await until(async () => (await prometheus.query('sluice_requests_total')).length > 0, 'a scrape', LIMIT_MS);
  await call();
  for (const query of queries) {
    const isAbove = async () => (await prometheus.query(query)).some(({ value }) => value > 0);
    await until(isAbove, query, LIMIT_MS);
  }
  const [, , share = ''] = queries;
  const [failed] = await prometheus.query(share);
  assert.ok(failed && failed.value < 1, `${failed?.value} of all`);
});
