/** What GPU servers write about themselves, read as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CALLS_MAX, type EngineLoad, engineLoad } from '../../../src/upstream/reports/engine-load.ts';

const vllm = `# HELP python_gc_objects_collected_total Objects collected during gc
# TYPE python_gc_objects_collected_total counter
python_gc_objects_collected_total{generation="0"} 9124.0
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="/data/models/zai-org/GLM-4.7-Flash"} 17.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="/data/models/zai-org/GLM-4.7-Flash"} 4.0
# HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="/data/models/zai-org/GLM-4.7-Flash"} 0.31
vllm:e2e_request_latency_seconds_bucket{engine="0",le="+Inf",model_name="m"} 411.0
`;
const sglang = `# HELP sglang:num_running_reqs The number of running requests.
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="meta-llama/Llama-3.1-8B-Instruct",pp_rank="0",tp_rank="0"} 162.0
# HELP sglang:num_queue_reqs The number of requests in the waiting queue.
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{engine_type="unified",model_name="meta-llama/Llama-3.1-8B-Instruct",pp_rank="0",tp_rank="0"} 2826.0
`;
const llamaCpp = `# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 12
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 3
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 1
`;
const run = 'vllm:num_requests_running';
const wait = 'vllm:num_requests_waiting';

const texts: readonly [what: string, text: string, load: EngineLoad | undefined][] = [
  ['vLLM', vllm, { running: 17, waiting: 4 }],
  ['SGLang', sglang, { running: 162, waiting: 2826 }],
  ['llama.cpp', llamaCpp, { running: 3, waiting: 1 }],
  [
    'several engines and models are summed',
    `${run}{engine="0"} 1\n${run}{engine="1"} 2\n${wait}{engine="0"} 3\n${wait}{model_name="b"} 4\n`,
    { running: 3, waiting: 7 },
  ],
  ['lines that end as on Windows', vllm.replaceAll('\n', '\r\n'), { running: 17, waiting: 4 }],
  ['no line end behind the last sample', `${run} 5`, { running: 5, waiting: 0 }],
  ['a time behind the value', `${run}{a="b"} 5 1795267017123\n`, { running: 5, waiting: 0 }],
  ['tabs, and powers of ten', `${run}\t{a="b"}\t1.2e1\n`, { running: 12, waiting: 0 }],
  ['braces and spaces inside a label', `${run}{model_name="a} 9 {b"} 5\n`, { running: 5, waiting: 0 }],
  ['one of the two alone', `${wait} 5\n`, { running: 0, waiting: 5 }],
  ['a server without such metrics', 'http_requests_total 5\nprocess_cpu_seconds_total 1\n', undefined],
  ['a longer name', `${run}_by_lora 5\n${run}s 6\n`, undefined],
  ['the name inside a comment or a label', `# ${run} 5\nother{name="${run} 5"} 6\n ${run} 7\n`, undefined],
  [
    'values that are none',
    ['NaN', '+Inf', '-1', 'x', '', '1_0'].map((value) => `${run} ${value}\n`).join(''),
    undefined,
  ],
  ['a value that cannot be beside one that can', `${run} NaN\n${run} 2\n`, { running: 2, waiting: 0 }],
  [
    'sums that would overflow',
    `${run} 1e308\n${run} 1e308\n${wait} 1e308\n`,
    { running: CALLS_MAX, waiting: CALLS_MAX },
  ],
  ['nothing', '', undefined],
  ['a page that is no metrics', '<!doctype html><title>404</title>', undefined],
];

for (const [what, text, load] of texts) {
  test(`${what}: ${load ? `${load.running} run, ${load.waiting} wait` : 'says nothing'}`, () => {
    assert.deepEqual(engineLoad(text), load);
  });
}

test('a megabyte of anything is read in milliseconds', (t) => {
  const hostile = ['\n', 'v', `${run}{`, `${run} `, `${run}}`, `${run} 1\n`, 'vllm:num_requests_runnin\n'];
  for (const piece of hostile) {
    const text = piece.repeat(1_000_000 / piece.length);
    const beganAtMs = performance.now();
    engineLoad(text);
    const tookMs = performance.now() - beganAtMs;
    t.diagnostic(`${JSON.stringify(piece)}: ${tookMs.toFixed(1)} ms`);
    assert.ok(tookMs < 300, `${JSON.stringify(piece)} took ${tookMs} ms`);
  }
});
