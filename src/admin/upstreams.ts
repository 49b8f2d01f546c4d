import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { refusal } from '../core/errors.ts';
import { remembered } from '../upstream/choice/load-of.ts';
import type { Drains } from '../upstream/health/drains.ts';
import type { EjectionReason, FailureKind, ServerState } from '../upstream/health/server-health.ts';
import type { Health, Upstream } from '../upstream/upstream.ts';
import { sendRefusal } from './answers.ts';
import type { Journal } from './journal.ts';
import type { ZodTypes } from './validation.ts';

/** A GPU server as this gateway last saw it. */
export interface UpstreamReport {
  readonly name: string;
  /** Without credentials. */
  readonly url: string;
  /** What its probes say. */
  readonly status: Health;
  /** Whether it may have calls. */
  readonly state: ServerState;
  /** Part of its weight: less than 1 on trial and in the first seconds after its return. */
  readonly weight_factor: number;
  /** Calls of this gateway that it is working on. */
  readonly in_flight: number;
  /** Calls, of anyone, by its own metrics; null: it has said nothing in the last ten seconds. */
  readonly reported_load: {
    readonly running: number;
    readonly waiting: number;
    readonly seconds_ago: number;
  } | null;
  /** Since the gateway has known it, by reason. */
  readonly ejections: Readonly<Record<EjectionReason, number>>;
  /** Of a call. */
  readonly last_failure: { readonly kind: FailureKind; readonly seconds_ago: number } | null;
  /** Public names of the models that it serves. */
  readonly models: readonly string[];
  /** Null: any number. */
  readonly max_in_flight: number | null;
  /** Calls that keep it fully busy; null: nobody has said. */
  readonly capacity: number | null;
  readonly labels: Readonly<Record<string, string>>;
}

/** @param nowMs monotonic */
export function reportOf(upstream: Upstream, models: readonly string[], nowMs: number): UpstreamReport {
  const { name, origin, basePath, load, serverHealth, settings } = upstream;
  const { lastFailure } = serverHealth;
  const reported = remembered(upstream.reported, nowMs);
  return {
    name,
    url: origin + basePath,
    status: serverHealth.health,
    state: serverHealth.state(nowMs),
    weight_factor: Math.round(serverHealth.weightFactor(nowMs) * 100) / 100,
    in_flight: load.inFlight,
    reported_load: reported
      ? {
          running: reported.running,
          waiting: reported.waiting,
          seconds_ago: Math.round((nowMs - reported.readAtMs) / 100) / 10,
        }
      : null,
    ejections: { ...serverHealth.ejections },
    last_failure: lastFailure
      ? { kind: lastFailure.kind, seconds_ago: Math.round((nowMs - lastFailure.atMs) / 1_000) }
      : null,
    models,
    max_in_flight: settings.maxInFlight ?? null,
    capacity: settings.capacity ?? null,
    labels: settings.labels,
  };
}

export interface UpstreamDependencies {
  upstreams(): readonly UpstreamReport[];
  readonly drains: Pick<Drains, 'set'>;
}

const upstreamPath = z.strictObject({ name: z.string().regex(/^[\x21-\x7e]{1,128}$/) });

/** `/v1/upstreams`: the GPU servers, and taking one out without breaking what runs there. */
export function upstreamRoutes(
  app: FastifyInstance,
  dependencies: UpstreamDependencies & { readonly journal: Journal },
): void {
  const routes = app.withTypeProvider<ZodTypes>();
  routes.get('/v1/upstreams', async () => ({ object: 'list', data: dependencies.upstreams() }));

  const commands = [
    ['drain', true],
    ['resume', false],
  ] as const;
  for (const [command, isDrained] of commands) {
    const url = `/v1/upstreams/:name/${command}`;
    routes.post(url, { schema: { params: upstreamPath } }, async (request, reply) => {
      const { name } = request.params;
      const reach = await dependencies.drains.set(name, isDrained);
      const result = reach ? ({ ok: true } as const) : ({ ok: false, refusal: noSuchUpstream } as const);
      await dependencies.journal.write(reply, `upstream.${command}`, result, { upstream: name, reach });
      const report = dependencies.upstreams().find((one) => one.name === name);
      return reach && report ? { ...report, reach } : sendRefusal(reply, noSuchUpstream);
    });
  }
}

const noSuchUpstream = refusal('not_found', 'There is no upstream of this name.');
