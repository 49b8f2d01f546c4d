/**
 * Preloaded into a gateway or worker: notes every route that any of its listeners declares, as Fastify itself has it, in the
 * file that SLUICE_ROUTES_FILE names. A line is `<number of the listener> <method> <path>`.
 */
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';

const file = process.env.SLUICE_ROUTES_FILE;
let listeners = 0;

if (file !== undefined) {
  subscribe('fastify.initialization', (message) => {
    const { fastify } = message as { readonly fastify: FastifyInstance };
    listeners += 1;
    const listener = listeners;
    fastify.addHook('onRoute', ({ method, url, config }) => {
      if (config?.answers405) return;
      for (const one of [method].flat()) appendFileSync(file, `${listener} ${one} ${url}\n`);
    });
  });
}
