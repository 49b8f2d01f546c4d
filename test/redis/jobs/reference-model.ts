/** What the scripts of jobs should do, said as simply as can be: one list of jobs, looked through from end to end. */
import type { Acceptance, JobBounds, NewJob } from '../../../src/redis/job-table.ts';

export interface ModelJob extends NewJob {
  status: string;
  place: 'waiting' | 'handed' | 'over';
  readonly sequence: number;
  readonly createdMs: number;
  readonly expiresMs: number;
  goneMs: number;
  attempt: number;
  tries: number;
  holder: string | undefined;
  result: number | undefined;
  usage: string | undefined;
}

export interface ModelVerdict {
  readonly verdict: string;
  readonly attempt: number;
  readonly status: string | undefined;
}

export class ModelLine {
  virtual = 0;
  readonly tags = new Map<string, number>();
  readonly parked = new Map<string, number>();
}

const CLOCK_BACK_MS_MAX = 60_000;

export class ReferenceModel {
  timeMs: number;
  jobs: ModelJob[] = [];
  readonly lines = new Map<string, ModelLine>();
  readonly entries = new Map<string, { job: string; body: string; untilMs: number }>();
  /** Jobs that ended before they ran, as JSON, with the time. */
  readonly unrun = new Map<string, number>();
  #clockMs = 0;
  #sequence = 0;

  constructor(timeMs: number) {
    this.timeMs = timeMs;
  }

  now(): number {
    const behindMs = this.#clockMs - this.timeMs;
    return behindMs > 0 && behindMs <= CLOCK_BACK_MS_MAX ? this.#clockMs : this.timeMs;
  }

  accept(job: NewJob, bounds: JobBounds, lastMomentMs: number): Acceptance {
    const known = this.#job(job.id);
    if (known) return { verdict: 'accepted', id: job.id, rank: this.#rank(known) };
    if (this.now() > lastMomentMs) return { verdict: 'late' };
    const entry = this.entries.get(`${job.tenant} ${job.once?.digest}`);
    const first = entry && this.#job(entry.job);
    if (entry && first) {
      if (entry.body !== job.once?.bodyDigest) return { verdict: 'mismatch' };
      return { verdict: 'exists', id: entry.job, rank: this.#rank(first) };
    }
    const unfinished = this.jobs.filter(({ place }) => place !== 'over');
    const own = unfinished.filter(({ tenant }) => tenant === job.tenant);
    if (own.length + 1 > bounds.tenantJobsMax || bytesOf(own) + job.bytes > bounds.tenantBytesMax) {
      return { verdict: 'full_tenant' };
    }
    if (unfinished.length + 1 > bounds.jobsMax || bytesOf(unfinished) + job.bytes > bounds.bytesMax) {
      return { verdict: 'full' };
    }
    return this.#take(job, unfinished);
  }

  #take(job: NewJob, unfinished: readonly ModelJob[]): Acceptance {
    const line = this.line(job.line);
    if (!unfinished.some((one) => one.line === job.line)) {
      line.virtual = 0;
      line.tags.clear();
    }
    this.#sequence += 1;
    const taken: ModelJob = {
      ...job,
      ...{ status: 'queued', place: 'waiting', sequence: this.#sequence, createdMs: this.now() },
      ...{ expiresMs: this.now() + job.expiresInMs, goneMs: Number.POSITIVE_INFINITY, attempt: 0, tries: 0 },
      ...{ holder: undefined, result: undefined, usage: undefined },
    };
    this.jobs.push(taken);
    if (job.once) {
      const { digest, bodyDigest, keptMs } = job.once;
      this.entries.set(`${job.tenant} ${digest}`, { job: job.id, body: bodyDigest, untilMs: keptMs });
    }
    this.#clockMs = this.now();
    return { verdict: 'accepted', id: job.id, rank: this.#rank(taken) };
  }

  pick(name: string, count: number): readonly string[] {
    const line = this.line(name);
    this.#clockMs = this.now();
    for (const [tenant, untilMs] of line.parked) if (untilMs <= this.now()) line.parked.delete(tenant);
    const picked: string[] = [];
    while (picked.length < count) {
      const tenants = new Set(this.#waiting(name).map(({ tenant }) => tenant));
      const [first] = [...tenants]
        .filter((tenant) => !line.parked.has(tenant))
        .sort((one, other) => this.tag(name, one) - this.tag(name, other) || (one < other ? -1 : 1));
      const job = first === undefined ? undefined : this.#waiting(name, first)[0];
      if (!job || first === undefined) break;
      if (job.expiresMs <= this.now()) {
        this.#end(job, 'expired');
        continue;
      }
      line.virtual = this.tag(name, first);
      line.tags.set(first, line.virtual + job.cost / job.weight);
      job.place = 'handed';
      picked.push(job.id);
    }
    return picked;
  }

  park(name: string, tenant: string, forMs: number): number {
    this.#clockMs = this.now();
    if (forMs > 0) this.line(name).parked.set(tenant, this.now() + forMs);
    else this.line(name).parked.delete(tenant);
    return this.now() + forMs;
  }

  start(id: string, holder: string, triesMax: number): ModelVerdict {
    const job = this.#job(id);
    if (!job) return absent;
    if (job.place === 'over') return said('over', job);
    if (job.status === 'in_progress' && job.holder === holder) return said('started', job);
    if (job.place === 'waiting') return said('waiting', job);
    this.#clockMs = this.now();
    if (job.expiresMs <= this.now()) return this.#end(job, 'expired', 'over');
    if (job.tries >= triesMax) return this.#end(job, 'failed', 'exhausted');
    job.status = 'in_progress';
    job.attempt += 1;
    job.tries += 1;
    job.holder = holder;
    return said('started', job);
  }

  putBack(id: string, attempt: number): ModelVerdict {
    const job = this.#job(id);
    if (!job) return absent;
    if (job.place === 'over') return said('over', job);
    if (job.place === 'waiting') return said('waiting', job);
    const hasBegun = job.status === 'in_progress';
    if (attempt !== (hasBegun ? job.attempt : 0)) return said('superseded', job);
    this.#clockMs = this.now();
    this.#move(job, -job.cost / job.weight);
    job.place = 'waiting';
    job.status = 'queued';
    if (hasBegun) job.tries -= 1;
    job.holder = undefined;
    return said('waiting', job);
  }

  finish(id: string, attempt: number, status: string, cost: number | undefined, usage: string): ModelVerdict {
    const job = this.#job(id);
    if (!job) return absent;
    const share = cost === undefined ? 0 : cost / job.cost - 1;
    if (job.place === 'over') {
      if (job.attempt === attempt && job.result === attempt) {
        return said(job.status === status ? 'finished' : 'over', job);
      }
      if (job.attempt === attempt && job.holder !== undefined && job.usage === undefined) {
        job.usage = usage;
        this.#move(job, share * (job.cost / job.weight));
        this.#clockMs = this.now();
      }
      return said('over', job);
    }
    if (job.attempt !== attempt || job.status !== 'in_progress') return said('superseded', job);
    job.result = attempt;
    job.usage = usage;
    this.#clockMs = this.now();
    const verdict = this.#end(job, status, 'finished');
    this.#move(job, share * (job.cost / job.weight));
    return verdict;
  }

  cancel(id: string, tenant: string | undefined, isForgotten: boolean): ModelVerdict {
    const job = this.#job(id);
    if (!job || (tenant !== undefined && tenant !== job.tenant)) return absent;
    const wasOver = job.place === 'over';
    if (!wasOver) this.#clockMs = this.now();
    const verdict = wasOver ? said('over', job) : this.#end(job, 'cancelled', 'cancelled');
    if (isForgotten) this.#forget(job);
    return verdict;
  }

  sweep(countMax: number): { readonly expired: number; readonly forgotten: number } {
    this.#clockMs = this.now();
    const due = this.jobs
      .filter((job) => dueMs(job) <= this.now())
      .sort((one, other) => dueMs(one) - dueMs(other) || (one.id < other.id ? -1 : 1))
      .slice(0, countMax);
    const over = due.filter(({ place }) => place === 'over');
    for (const job of due) if (job.place !== 'over') this.#end(job, 'expired');
    for (const job of over) this.#forget(job);
    return { expired: due.length - over.length, forgotten: over.length };
  }

  line(name: string): ModelLine {
    const known = this.lines.get(name) ?? new ModelLine();
    this.lines.set(name, known);
    return known;
  }

  tag(name: string, tenant: string): number {
    const line = this.line(name);
    return Math.max(line.virtual, line.tags.get(tenant) ?? 0);
  }

  #job(id: string): ModelJob | undefined {
    return this.jobs.find((job) => job.id === id);
  }

  #waiting(line: string, tenant?: string): ModelJob[] {
    return this.jobs
      .filter((job) => job.place === 'waiting' && job.line === line && job.tenant === (tenant ?? job.tenant))
      .sort((one, other) => other.priority - one.priority || one.sequence - other.sequence);
  }

  #rank(job: ModelJob): number {
    return Math.max(0, this.#waiting(job.line, job.tenant).indexOf(job));
  }

  #move(job: ModelJob, by: number): void {
    const { virtual, tags } = this.line(job.line);
    tags.set(job.tenant, Math.max(virtual, this.tag(job.line, job.tenant) + by));
  }

  #end(job: ModelJob, status: string, verdict = ''): ModelVerdict {
    if (job.place === 'handed' && job.status === 'queued') this.#move(job, -job.cost / job.weight);
    if (job.status === 'queued') {
      this.unrun.set(JSON.stringify([job.id, job.tenant, job.keyId, job.model]), this.now());
    }
    job.place = 'over';
    job.status = status;
    job.goneMs = this.now() + job.keptMs;
    return said(verdict, job);
  }

  #forget(job: ModelJob): void {
    this.jobs = this.jobs.filter((one) => one !== job);
    const key = `${job.tenant} ${job.once?.digest}`;
    if (this.entries.get(key)?.job === job.id) this.entries.delete(key);
  }
}

export function dueMs(job: ModelJob): number {
  return job.place === 'over' ? job.goneMs : job.expiresMs;
}

const absent: ModelVerdict = { verdict: 'absent', attempt: 0, status: undefined };

function said(verdict: string, { attempt, status }: ModelJob): ModelVerdict {
  return { verdict, attempt, status };
}

function bytesOf(jobs: readonly ModelJob[]): number {
  return jobs.reduce((sum, { bytes }) => sum + bytes, 0);
}
