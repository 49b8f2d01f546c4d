import type { FastifyInstance } from 'fastify';
import type { Health } from '../upstream/upstream.ts';

export interface Readiness {
  /** Whether a balancer should send requests here: false before the first contact with Redis and in the drain. */
  readonly ready: boolean;
  readonly detail: {
    readonly gateway: 'starting' | 'ok' | 'draining';
    readonly redis: 'connecting' | 'ok' | 'degraded';
    /** That of jobs; without it the gateway serves all that is no job. */
    readonly queue: 'connecting' | 'ok' | 'degraded';
    /** By name. */
    readonly upstreams: Readonly<Record<string, Health>>;
  };
}

/** Of a worker. */
export interface WorkerReadiness {
  /** False before the first contact with both Redis servers and in the drain. */
  readonly ready: boolean;
  readonly detail: {
    readonly worker: 'starting' | 'ok' | 'draining';
    readonly redis: 'connecting' | 'ok' | 'degraded';
    readonly queue: 'connecting' | 'ok' | 'degraded';
    /** Jobs that run now. */
    readonly running: number;
    /** By name. */
    readonly upstreams: Readonly<Record<string, Health>>;
  };
}

export interface Probes {
  readiness(): Readiness | WorkerReadiness;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** For supervisors, balancers and Prometheus. */
export function probeRoutes(app: FastifyInstance, probes: Probes): void {
  app.get('/live', async () => ({ status: 'alive' }));

  app.get('/ready', async (_request, reply) => {
    const { ready, detail } = probes.readiness();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not_ready', ...detail });
  });

  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await probes.metrics();
    return reply.type(contentType).send(text);
  });
}
