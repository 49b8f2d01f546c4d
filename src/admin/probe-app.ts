import fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from '../telemetry/log.ts';
import { answerBrokenHttp, answerFaults, answerUnknownPath } from './answers.ts';
import { type Probes, probeRoutes } from './probes.ts';

const REQUEST_TIMEOUT_MS = 30_000;

/** The admin listener of a process without an admin API: probes and metrics. */
export function createProbeApp(probes: Probes, log: Logger): FastifyInstance {
  const app = fastify({
    bodyLimit: 1_024,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Node looks at connections only every 30 s unless told.
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    frameworkErrors: answerFaults(log),
    clientErrorHandler: answerBrokenHttp,
  });
  app.setErrorHandler(answerFaults(log));
  app.setNotFoundHandler(answerUnknownPath);
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  probeRoutes(app, probes);
  return app;
}
