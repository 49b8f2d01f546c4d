/**
 * The call of a job to a GPU server: the attempts, the relay and the router of all calls, with another HTTP client and
 * with Redis in the place of the caller.
 */
import type { Call, CallEnd } from '../core/call.ts';
import { type Refusal, refusal } from '../core/errors.ts';
import type { JobSpec } from '../core/job-spec.ts';
import type { Principal } from '../core/principal.ts';
import { Attempts, type Route, type Wire } from '../upstream/attempts.ts';
import { seekPlace } from '../upstream/call-route.ts';
import { refusalOfCause } from '../upstream/failure.ts';
import { Relay } from '../upstream/relay.ts';
import type { Router } from '../upstream/router.ts';
import { type Destination, modelTarget, routeTarget } from './destination.ts';
import { JobOutlet } from './job-outlet.ts';

interface CallParts {
  readonly router: Router;
  readonly wire: Wire;
}

interface JobCall extends Pick<ConstructorParameters<typeof JobOutlet>[0], 'bytesMax' | 'openStream'> {
  readonly spec: JobSpec;
  readonly body: Buffer;
  readonly call: Call;
  readonly principal: Principal;
  readonly destination: Destination;
  /** From now on, the wait for a place included. */
  readonly totalMsMax: number;
  /** Ends it, at once. */
  readonly signal: AbortSignal;
}

export interface JobCallEnd {
  /** `unsent`: no server had a place for it in time. */
  readonly how: CallEnd;
  readonly outlet: JobOutlet;
}

/** Never rejects. What became of it stands in `call`. */
export function callServer(parts: CallParts, job: JobCall): Promise<JobCallEnd> {
  return new Promise((resolve) => {
    const { call, signal, destination } = job;
    let relay: Relay | undefined;
    let leaveRoom: (() => void) | undefined;
    const outlet = new JobOutlet({
      bytesMax: job.bytesMax,
      openStream: job.openStream,
      // The relay is in the middle of its own work.
      tooLong: () => queueMicrotask(() => relay?.breakOff(refusalOfCause('too_long', call.upstream ?? ''))),
    });
    const end = (how: CallEnd) => {
      signal.removeEventListener('abort', leave);
      resolve({ how, outlet });
    };
    const leave = () => {
      if (relay) return relay.leave();
      leaveRoom?.();
      end('unsent');
    };
    const refuse = (refused: Refusal) => {
      refuseCall(call, refused);
      end('unsent');
    };
    const send = (route: Route) => {
      relay = relayOf(parts, job, route, outlet, end);
      relay.start();
    };
    if (signal.aborted) return end('unsent');
    signal.addEventListener('abort', leave, { once: true });
    if (destination.kind === 'model') leaveRoom = seekModel(parts, job, destination.model, { send, refuse });
    else seekRoute(job, destination, { send, refuse });
  });
}

interface Found {
  send(route: Route): void;
  refuse(refused: Refusal): void;
}

function seekModel(
  { router }: CallParts,
  { spec, body, principal, totalMsMax }: JobCall,
  model: Extract<Destination, { kind: 'model' }>['model'],
  found: Found,
): (() => void) | undefined {
  const { pool } = model;
  const hasChoice = pool.members.length > 1 && pool.choice === 'affinity';
  const seeking = {
    model,
    affinity: hasChoice ? (spec.affinity ?? undefined) : undefined,
    tenant: principal.tenant,
    priority: principal.priority,
    deadlineMs: performance.now() + totalMsMax,
    targetOf: modelTarget(spec, body),
  };
  return seekPlace(router, seeking, found);
}

function seekRoute(
  { spec, body }: JobCall,
  { route, upstream }: Extract<Destination, { kind: 'route' }>,
  { send, refuse }: Found,
): void {
  if (!upstream.hasPlace()) return refuse(refusal('overloaded', 'The server of the route is busy.'));
  send({ first: routeTarget(spec, body, route, upstream), another: () => undefined });
}

function relayOf(
  { wire }: CallParts,
  { call, destination, totalMsMax, spec }: JobCall,
  route: Route,
  outlet: JobOutlet,
  ended: (how: CallEnd) => void,
): Relay {
  const { timeouts } = destination;
  const source = new Attempts({
    call,
    route,
    wire,
    connectTimeoutMs: timeouts.connect_ms,
    replayable: destination.kind === 'model' || spec.method === 'GET',
  });
  return new Relay({
    call,
    source,
    limits: { ...timeouts, total_ms: Math.min(timeouts.total_ms, totalMsMax) },
    caller: {
      response: undefined,
      outlet,
      head(status, contentType) {
        call.status = status;
        outlet.head(status, contentType);
      },
      refuse: (refused) => refuseCall(call, refused),
      ended,
    },
  });
}

function refuseCall(call: Call, refused: Refusal): void {
  call.refusal = refused;
  call.status = refused.status;
}
