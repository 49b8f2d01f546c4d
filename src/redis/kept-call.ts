/** What a tenant's stream keeps of a call: no prompt, no answer. Its time is that of the entry. */
export interface KeptCall {
  readonly request_id: string;
  readonly key: string;
  readonly endpoint: string;
  readonly model: string;
  readonly status: number;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly cached_tokens: number;
  readonly images: number;
  readonly gpu_ms: number;
  readonly duration_ms: number;
  readonly cost_nano_usd: number;
}

/** @param entry names and values in turn, as settle.lua writes them */
export function readKeptCall(entry: readonly string[]): KeptCall {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < entry.length; at += 2) fields.set(entry[at] as string, entry[at + 1] as string);
  const text = (name: string) => fields.get(name) ?? '';
  const count = (name: string) => Number(fields.get(name) ?? 0);
  return {
    request_id: text('id'),
    key: text('key'),
    endpoint: text('route'),
    model: text('model'),
    status: count('status'),
    input_tokens: count('input'),
    output_tokens: count('output'),
    cached_tokens: count('cached'),
    images: count('images'),
    gpu_ms: count('gpu_ms'),
    duration_ms: count('ms'),
    cost_nano_usd: count('nano_usd'),
  };
}
