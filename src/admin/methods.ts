import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refusal } from '../core/errors.ts';
import { sendRefusal } from './answers.ts';

/**
 * Fastify answers a known path with a wrong method by 404. To be called before a scope declares its routes; the
 * function that it returns, called after them, declares the methods that are left, with 405 and `Allow`.
 */
export function watchMethods(app: FastifyInstance): () => void {
  const methodsByPath = new Map<string, Set<string>>();

  app.addHook('onRoute', ({ routePath, method }) => {
    const methods = methodsByPath.get(routePath) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsByPath.set(routePath, methods);
  });

  return function refuseOtherMethods() {
    for (const [path, declared] of [...methodsByPath]) {
      const allow = [...declared].sort().join(', ');
      app.route({
        url: path,
        method: app.supportedMethods.filter((method) => !declared.has(method)),
        // Answered before the body is read, whatever its type.
        onRequest: async (request: FastifyRequest, reply) => {
          const message = `${request.method} is not possible here; ${allow} is.`;
          return sendRefusal(reply, refusal('method_not_allowed', message, { headers: { allow } }));
        },
        handler: () => undefined,
      });
    }
  };
}
