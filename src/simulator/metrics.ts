/** `/metrics`, under vLLM's names, with the first model as label. */
import type { Ledger } from './ledger.ts';
import type { Settings } from './options.ts';

/** A cache for so many contexts is what a GPU of middling size has left. */
const CACHED_CONTEXTS = 8;

export function metricsText(ledger: Ledger, settings: Settings): string {
  const { counts } = ledger;
  const usage = Math.min(1, ledger.heldTokens / (CACHED_CONTEXTS * settings.contextLength));
  const label = `{engine="0",model_name="${settings.models[0].replace(/[\\"\n]/g, '_')}"}`;
  const metric = (name: string, type: 'gauge' | 'counter', help: string, value: number) =>
    `# HELP vllm:${name} ${help}\n# TYPE vllm:${name} ${type}\nvllm:${name}${label} ${value}\n`;
  return [
    metric('num_requests_running', 'gauge', 'Number of requests in model execution batches.', counts.running),
    metric('num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.', counts.waiting),
    metric('kv_cache_usage_perc', 'gauge', 'KV-cache usage. 1 means 100 percent usage.', usage),
    metric('prompt_tokens_total', 'counter', 'Number of prefill tokens processed.', ledger.promptTokens),
    metric(
      'generation_tokens_total',
      'counter',
      'Number of generation tokens processed.',
      ledger.outputTokens,
    ),
    metric('prefix_cache_queries_total', 'counter', 'Prefix cache queries, in tokens.', ledger.promptTokens),
    metric('prefix_cache_hits_total', 'counter', 'Prefix cache hits, in tokens.', ledger.cachedTokens),
    metric('request_success_total', 'counter', 'Count of finished requests.', counts.finished),
  ].join('');
}
