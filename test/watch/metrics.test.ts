/** Real processes tell of what they have done: traffic, money, closeness to limits, servers, jobs, themselves. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../support/gateway.ts';
import { busyProcesses, MODEL, textOf } from './support/processes.ts';

const ends = new AsyncDisposableStack();
let gateway: ReadonlyMap<string, number>;
let worker: ReadonlyMap<string, number>;

before(async () => {
  const processes = await busyProcesses(ends);
  const read = async () => seriesOf(await textOf(processes.gateway.adminUrl));
  await until(async () => {
    gateway = await read();
    return sum(gateway, 'sluice_requests_total') === 9;
  }, 'all requests in the metrics');
  worker = seriesOf(await textOf(processes.workerAdminUrl));
});

after(() => ends.disposeAsync());

const chat = `route="/v1/chat/completions",model="${MODEL}"`;

test('errors are counted by name and by who is to blame', () => {
  assert.equal(gateway.get('sluice_errors_total{error="rate_limit_exceeded",blame="limit"}'), 2);
  assert.equal(gateway.get('sluice_errors_total{error="invalid_api_key",blame="client"}'), 1);
  assert.equal(sum(gateway, 'sluice_errors_total', 'blame="upstream"'), 1);
});

test('a stream has a time to its first token and one for each of the others', () => {
  assert.equal(gateway.get(`sluice_time_to_first_token_seconds_count{${chat}}`), 1);
  assert.equal(gateway.get(`sluice_time_per_output_token_seconds_count{${chat}}`), 1);
});

test('tokens and money are those of the books, of calls and of jobs, by model and by tenant', () => {
  for (const [series, calls] of [
    [gateway, 4],
    [worker, 1],
  ] as const) {
    const [input, output] = ['input', 'output'].map((kind) =>
      Number(series.get(`sluice_tokens_total{model="${MODEL}",kind="${kind}"}`)),
    ) as [number, number];
    assert.ok(input >= calls && output >= calls * 2, `${input} and ${output} tokens`);
    assert.equal(sum(series, 'sluice_tenant_tokens_total', 'kind="output"'), output);
    const cost = sum(series, 'sluice_cost_usd_total');
    assert.ok(Math.abs(cost - (input + 2 * output) / 1e6) < 1e-9, `${cost} dollars`);
    assert.ok(Math.abs(sum(series, 'sluice_tenant_cost_usd_total') - cost) < 1e-9);
    assert.ok(sum(series, 'sluice_reserved_tokens_total') > 0);
    assert.equal(series.get(`sluice_request_tokens_count{model="${MODEL}",kind="output"}`), calls);
  }
});

test('who is close to a limit, and who was turned away, has a name', () => {
  const used = (tenant: string, limit: string) =>
    gateway.get(`sluice_tenant_limit_used_ratio{tenant="${tenant}",limit="${limit}"}`);
  assert.equal(used('few', 'requests_per_minute'), 1);
  assert.equal(used('few', 'tokens_per_minute'), undefined);
  const requests = Number(used('acme', 'requests_per_minute'));
  assert.ok(requests > 0.01 && requests < 0.1, `${requests} of the requests`);
  assert.equal(used('acme', 'max_concurrent'), 0.1);
  assert.equal(gateway.get('sluice_tenant_limited_total{tenant="few",limit="requests_per_minute"}'), 2);
  assert.equal(gateway.get('sluice_tenant_requests_total{tenant="acme",outcome="completed"}'), 4);
});

test('attempts are counted at their server by what became of them', () => {
  assert.equal(gateway.get('sluice_upstream_attempts_total{upstream="gpu",result="answered"}'), 4);
  assert.equal(gateway.get('sluice_upstream_attempts_total{upstream="gpu",result="http_5xx"}'), 1);
  assert.equal(worker.get('sluice_upstream_attempts_total{upstream="gpu",result="answered"}'), 1);
});

test('a model has its servers, what they do and what they could do more', () => {
  const pool = (what: string) => gateway.get(`sluice_pool_${what}{model="${MODEL}"}`);
  assert.equal(pool('servers'), 1);
  assert.equal(pool('servers_usable'), 1);
  assert.equal(pool('calls_in_flight'), 0);
  assert.equal(pool('calls_waiting'), 0);
  assert.equal(pool('places_free'), 8);
  assert.equal(gateway.get('sluice_upstream_places{upstream="gpu"}'), 8);
  assert.equal(gateway.get('sluice_upstream_capacity{upstream="gpu"}'), 4);
});

test('a job is counted where it is accepted, and where it runs', () => {
  assert.equal(gateway.get(`sluice_jobs_accepted_total{${chat}}`), 1);
  assert.equal(
    worker.get(`sluice_job_attempts_total{model="${MODEL}",outcome="completed",reason="none"}`),
    1,
  );
});

test('each process says what it is, how both Redis are and how busy its event loop is', () => {
  for (const [series, role] of [
    [gateway, 'gateway'],
    [worker, 'worker'],
  ] as const) {
    assert.equal(sum(series, 'sluice_build_info', `role="${role}"`), 1);
    assert.equal(series.get('sluice_redis_up'), 1);
    assert.equal(series.get('sluice_queue_redis_up'), 1);
    assert.ok(series.has('sluice_redis_questions_pending{store="limits"}'));
    assert.equal(series.get('sluice_config_last_reload_successful'), 1);
    const readAt = Number(series.get('sluice_config_last_reload_success_timestamp_seconds'));
    assert.ok(Math.abs(Date.now() / 1_000 - readAt) < 120, 'the configuration was read at the start');
    assert.ok(Number(series.get('sluice_event_loop_active_seconds_total')) > 0);
    assert.ok(Number(series.get('sluice_event_loop_delay_seconds_count')) > 0);
    assert.ok(Number(series.get('process_cpu_seconds_total')) > 0);
    assert.ok(Number(series.get('process_resident_memory_bytes')) > 1e7);
  }
});

/** Values by name with labels. */
function seriesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

function sum(series: ReadonlyMap<string, number>, name: string, having = ''): number {
  let total = 0;
  for (const [key, value] of series) {
    if (key.startsWith(`${name}{`) && key.includes(having)) total += value;
  }
  return total;
}
