/** The routes of a listener, taken down while they are declared: what is documented is what is there. */
import type { FastifyInstance, FastifySchema } from 'fastify';

export interface RegisteredRoute {
  readonly method: string;
  /** As Fastify has it: `/v1/jobs/:id`. */
  readonly url: string;
  /** What its requests are held to. */
  readonly schema: FastifySchema | undefined;
}

/** To be called before the routes are declared. The list grows until the app is ready. */
export function watchRoutes(app: FastifyInstance): readonly RegisteredRoute[] {
  const routes: RegisteredRoute[] = [];
  app.addHook('onRoute', ({ method, url, schema, config }) => {
    // What CORS declares for preflights of any path is no path of ours.
    if (config?.answers405 || url === '*') return;
    for (const one of [method].flat()) {
      // A GET answers HEAD too.
      if (one !== 'HEAD') routes.push({ method: one, url, schema });
    }
  });
  return routes;
}

/** `GET /v1/jobs/:id`, by which operations are described. */
export function routeName({ method, url }: Pick<RegisteredRoute, 'method' | 'url'>): string {
  return `${method} ${url}`;
}
