/**
 * Lets the replicas agree on what they have learned: every some seconds, off the path of any call.
 *
 * For each quantity Redis has the value agreed on so far and the evidence that it rests on. A replica that has
 * learned something since takes the mean of both, weighted by evidence, writes it and goes on from it; one that
 * has not goes on from what it finds. The evidence that is written is the mean of both as well, so that of what
 * was once agreed on half is left after each merge: its value is the other's starting point anyway. When the
 * calls stop, all replicas stand at the same values.
 *
 * Reading and writing are two commands. When two replicas merge in the same millisecond, the later one overwrites
 * what the other has just brought in, and that is all: the values in Redis are sound at any time. Lest the same
 * two meet again and again, each pause has a random length. A script would need the same arithmetic in Lua.
 */
import type { LearnedRecord, LearnedTable } from '../../redis/learned-table.ts';
import type { Logger } from '../../telemetry/log.ts';
import { type Estimator, LEARNED_MODELS_MAX } from './estimator.ts';
import type { Agreement, Learned } from './learned-model.ts';
import { clamped, quantityNames, record } from './quantities.ts';

export interface LearnedMergeOptions {
  readonly estimator: Estimator;
  readonly table: LearnedTable;
  /** Public names of the models that are served now; no other is read or written. */
  readonly models: () => readonly string[];
  readonly log: Logger;
  /** On average, between two merges. */
  readonly intervalMs: number;
}

/** More than any replica can gather between two merges; what claims more was not written by one. */
const EVIDENCE_MAX = 1_000_000;

export class LearnedMerge {
  readonly #options: LearnedMergeOptions;
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  constructor(options: LearnedMergeOptions) {
    this.#options = options;
  }

  /** Merges now, so that a new replica begins with what the others know, and then again and again. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#round();
  }

  /** A merge that is under way still ends. */
  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  /** One round. While Redis is away nothing changes, and what was learned waits. */
  async merge(): Promise<void> {
    const { estimator, table, models } = this.#options;
    const names = models().slice(0, LEARNED_MODELS_MAX);
    const answer = await table.read(names);
    if (!answer.ok) return;
    const rounds = names.map((name) => {
      const model = estimator.learnedOf(name);
      const before = model.learned();
      return { name, model, before, agreed: agree(before, answer.value.get(name)) };
    });
    const news = rounds.filter(({ before }) => quantityNames.some((name) => before.evidence[name] > 0));
    if (news.length > 0) {
      const written = await table.write(new Map(news.map(({ name, agreed }) => [name, agreed])), names);
      if (!written.ok) return;
    }
    for (const { model, before, agreed } of rounds) model.adopt(agreed, before);
  }

  async #round(): Promise<void> {
    try {
      await this.merge();
    } catch (error) {
      this.#options.log.error({ err: error }, 'what was learned of the models could not be merged');
    }
    if (!this.#running) return;
    const pauseMs = this.#options.intervalMs * (0.5 + Math.random());
    this.#timer = setTimeout(() => void this.#round(), pauseMs).unref();
  }
}

/** What another release wrote may be missing or out of its range. */
function agree({ values, evidence }: Learned, shared: LearnedRecord | undefined): Agreement {
  return record((name) => {
    const [found = values[name], foundEvidence = 0] = shared?.[name] ?? [];
    const value = clamped(name, found);
    const theirs = Math.min(EVIDENCE_MAX, Math.max(0, foundEvidence));
    const ours = evidence[name];
    if (ours <= 0) return [value, theirs] as const;
    return [(value * theirs + values[name] * ours) / (theirs + ours), (theirs + ours) / 2] as const;
  });
}
