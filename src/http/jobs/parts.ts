/** What the routes of jobs share. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Refusal, refusal } from '../../core/errors.ts';
import type { Principal } from '../../core/principal.ts';
import type { JobResults } from '../../jobs/results.ts';
import type { JobStandings } from '../../jobs/standings.ts';
import type { JobWatch } from '../../jobs/watch.ts';
import type { Watch } from '../../upstream/watchdog.ts';
import type { Exchanges } from '../exchange.ts';
import { refusalOfError } from '../faults.ts';
import type { Responder } from '../respond.ts';

export interface JobParts {
  readonly results: JobResults;
  readonly standings: JobStandings;
  readonly watch: Pick<JobWatch, 'follow'>;
}

export interface JobRouteParts extends JobParts {
  readonly responder: Responder;
  readonly exchanges: Exchanges;
  /** Over the time limits of those that wait. */
  readonly clock: Watch;
  /** A caller who takes nothing for so long is cut. */
  readonly stallMs: number;
  /** Longer than any job lives. */
  readonly streamMsMax: number;
}

export const noSuchJob = refusal('job_not_found', 'There is no such job.');
export const storeAway = refusal('store_unavailable', 'The jobs cannot be looked up at the moment.', {
  headers: { 'retry-after': '1' },
});

export function tenantOf({ call }: FastifyRequest): string {
  return (call.principal as Principal).tenant;
}

export function jobIdOf({ params }: FastifyRequest): string {
  return (params as { id: string }).id;
}

type Act = (request: FastifyRequest, reply: FastifyReply) => Promise<Refusal | undefined>;

/**
 * Answers before a body is looked at, because none of these routes wants one, whatever a client sends along.
 * @param act answers, or returns why it does not
 */
export function jobStep(responder: Responder, act: Act) {
  return (request: FastifyRequest, reply: FastifyReply, _next: () => void): void => {
    act(request, reply).then(
      (refused) => {
        if (refused && !reply.raw.destroyed) responder.refuse(request, reply, refused);
      },
      (error) => {
        // What has begun cannot become an error; without its end it is seen not to be whole.
        const refused = refusalOfError(error);
        if (!reply.raw.headersSent) return responder.refuse(request, reply, refused);
        request.call.refusal = refused;
        request.call.broken = true;
        reply.raw.destroy();
      },
    );
  };
}
