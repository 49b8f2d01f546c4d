/** What the replicas have learned of the models, as it lies in Redis. */
import type { Answer, RedisConnection } from './connection.ts';

/** By name of the quantity. Another release may know other names and other ranges. */
export type LearnedRecord = Readonly<Record<string, readonly [value: number, evidence: number]>>;

export interface LearnedTable {
  /** Only of the models named; what cannot be read counts as absent. */
  read(models: readonly string[]): Promise<Answer<ReadonlyMap<string, LearnedRecord>>>;
  /** @param kept when there are too many models, those that are not among these go */
  write(records: ReadonlyMap<string, LearnedRecord>, kept: readonly string[]): Promise<Answer<void>>;
}

const MODELS_MAX = 1_000;

export function learnedTable({ ask, keys }: RedisConnection): LearnedTable {
  return {
    read: (models) =>
      ask(async (client) => {
        const found = new Map<string, LearnedRecord>();
        if (models.length === 0) return found;
        const texts = await client.hmget(keys.learned(), ...models);
        for (const [index, model] of models.entries()) {
          const record = parsed(texts[index] ?? null);
          if (record) found.set(model, record);
        }
        return found;
      }, 'cluster'),

    write: (records, kept) =>
      ask(async (client) => {
        const fields = new Map([...records].map(([model, record]) => [model, JSON.stringify(record)]));
        await client.hset(keys.learned(), fields);
        const excess = (await client.hlen(keys.learned())) - MODELS_MAX;
        if (excess <= 0) return;
        const names = new Set(kept);
        const unknown = (await client.hkeys(keys.learned())).filter((model) => !names.has(model));
        if (unknown.length > 0) await client.hdel(keys.learned(), ...unknown.slice(0, excess));
      }, 'cluster'),
  };
}

function parsed(text: string | null): LearnedRecord | undefined {
  if (text === null) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => isPair(entry)));
}

function isPair(entry: unknown): boolean {
  return Array.isArray(entry) && entry.length === 2 && entry.every((one) => Number.isFinite(one));
}
