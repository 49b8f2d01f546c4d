import { METHODS } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Refusal, refusal } from '../core/errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A method that the path does not have: all that it does is to say so. */
    readonly answers405?: true;
  }
}

/**
 * Fastify answers a known path with a wrong method by 404. To be called before a scope declares its routes; the
 * function that it returns, called after them, declares the methods that are left, with 405 and `Allow`.
 */
export function watchMethods(
  app: FastifyInstance,
  refuse: (request: FastifyRequest, reply: FastifyReply, refused: Refusal) => void,
): () => void {
  const methodsByPath = new Map<string, Set<string>>();
  // A method that the router does not know would be a 404. CONNECT never gets as far as the router.
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method);
  }

  app.addHook('onRoute', ({ routePath, method }) => {
    // What CORS declares for preflights of any path is no path of ours.
    if (routePath === '*') return;
    const methods = methodsByPath.get(routePath) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsByPath.set(routePath, methods);
  });

  return function refuseOtherMethods() {
    for (const [path, declared] of [...methodsByPath]) {
      const allow = [...declared].sort().join(', ');
      app.route({
        url: path,
        config: { answers405: true },
        method: app.supportedMethods.filter((method) => !declared.has(method)),
        // Answered before the body is read, whatever its type.
        onRequest: (request, reply, _next) => {
          const message = `${request.method} is not possible here; ${allow} is.`;
          refuse(request, reply, refusal('method_not_allowed', message, { headers: { allow } }));
        },
        handler: () => undefined,
      });
    }
  };
}
