/**
 * A caller who waits on his connection for the answer to his job. He is a caller like any other: his answer goes
 * through a relay, which keeps the connection alive, watches over it, and ends it. Until a byte of it has gone out he
 * may still get the 202 instead.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../../config/schema.ts';
import { type Refusal, refusal } from '../../core/errors.ts';
import type { Principal } from '../../core/principal.ts';
import type { HeldJobs } from '../../jobs/held-jobs.ts';
import { JobSource, type JobSourceParts } from '../../jobs/job-source.ts';
import type { HoldTable } from '../../redis/hold-table.ts';
import type { SharedCalls } from '../../upstream/shared/shared-calls.ts';
import type { Exchanges } from '../exchange.ts';
import { forward } from '../forward.ts';
import { type AnswerParts, answerAccepted } from './accepted.ts';
import type { Subject } from './subject.ts';
import type { JobWish } from './wish.ts';

export interface HoldParts extends AnswerParts {
  readonly config: Pick<Config, 'jobs'>;
  readonly exchanges: Exchanges;
  readonly shared: Pick<SharedCalls, 'watch'>;
  readonly jobs: AnswerParts['jobs'] &
    Pick<JobSourceParts, 'payloads'> & {
      readonly watch: JobSourceParts['news'];
      readonly held: Pick<HeldJobs, 'enter' | 'join' | 'leave' | 'over'>;
      readonly holds: Pick<HoldTable, 'promise'>;
    };
}

/** What comes behind the end of a job's life until its caller has heard of it. */
const LAST_NEWS_MS = 60_000;

export function hold(
  parts: HoldParts,
  request: FastifyRequest,
  reply: FastifyReply,
  subject: Subject,
  { waitMs }: JobWish,
  { id, isNew }: { readonly id: string; readonly isNew: boolean },
): void {
  const { held, holds, table, payloads, watch: news } = parts.jobs;
  const { tenant, keyId } = request.call.principal as Principal;
  const job = { id, tenant, keyId, model: subject.model };
  if (isNew) held.enter(job);
  else void held.join(job);
  let patience: NodeJS.Timeout | undefined;
  const source = new JobSource({
    jobId: id,
    isStream: subject.streamed,
    // Who has named a time shall be able to get the 202 when it is over.
    isAnnounced: subject.streamed && waitMs === undefined,
    shape: subject.shape,
    watch: parts.shared.watch,
    table,
    payloads,
    news,
    nowMs: () => performance.now(),
    isLeaving: () => parts.exchanges.draining && !reply.raw.headersSent,
    ended: (how) => {
      clearTimeout(patience);
      if (how === 'over') held.over(job);
      else held.leave(job);
    },
  });
  if (waitMs !== undefined) {
    patience = setTimeout(() => void release(holds, source, id), waitMs);
  }
  const limits = { ...subject.limits, total_ms: parts.config.jobs.lifetime_seconds * 1_000 + LAST_NEWS_MS };
  forward(parts, request, reply, { source, limits }, (refused: Refusal) => {
    if (refused === PROMISED) answerAccepted(parts, request, reply, id);
    else parts.responder.refuse(request, reply, refused);
  });
}

/** The caller has waited for as long as he wanted: the job goes on without him. */
async function release(holds: Pick<HoldTable, 'promise'>, source: JobSource, id: string): Promise<void> {
  const promised = await holds.promise(id).catch(() => undefined);
  source.giveUp(promised?.ok ? PROMISED : notPromised, promised?.ok ? 'over' : 'left');
}

const PROMISED = refusal('internal_error', 'The caller is told where to ask for the answer.');

const notPromised = refusal(
  'store_unavailable',
  'The job has not been done yet, and cannot go on without its caller at the moment. Try again.',
  { headers: { 'retry-after': '1' } },
);
