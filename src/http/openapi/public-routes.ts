/** `/docs` and `/openapi.json` of the public listener, where the configuration wants them there. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LiveConfig } from '../../config/live.ts';
import type { Config } from '../../config/schema.ts';
import { refusal } from '../../core/errors.ts';
import { refusalOfError } from '../faults.ts';
import type { Responder } from '../respond.ts';
import { pageHeaders, pageHtml, pageParts, partReader } from './page-parts.ts';
import { type RegisteredRoute, watchRoutes } from './registered.ts';
import type { Schema } from './schema.ts';

interface DocumentationParts {
  readonly config: Pick<Config, 'routes' | 'listen'>;
  readonly live: () => Pick<LiveConfig, 'caps'>;
  readonly version: string;
}

/** The document of the public listener. It is made when it is first asked for, and anew when the caps have changed. */
export class PublicDocumentation {
  readonly #parts: DocumentationParts;
  #routes: readonly RegisteredRoute[] = [];
  readonly #made = new Map<string, Made>();

  constructor(parts: DocumentationParts) {
    this.#parts = parts;
  }

  /** Before the routes of the listener are declared. */
  watch(app: FastifyInstance): void {
    this.#routes = watchRoutes(app);
  }

  /** @param from which listener hands it out: on the other one nobody knows the address that callers use */
  async text(from: 'public' | 'admin'): Promise<string> {
    const { publicDocument } = await import('./public-document.ts');
    const { config, live, version } = this.#parts;
    const { caps } = live();
    const routes = this.#routes;
    const made = this.#made.get(from);
    // While the gateway starts there may be more routes a moment later.
    if (made?.caps === caps && made.routeCount === routes.length) return made.text;
    const servers = [from === 'public' ? { url: '/' } : serverOf(config.listen)];
    const document = publicDocument({ version, caps, passthrough: config.routes, routes, servers });
    const text = JSON.stringify(document);
    this.#made.set(from, { caps, routeCount: routes.length, text });
    return text;
  }
}

interface Made {
  readonly caps: LiveConfig['caps'];
  readonly routeCount: number;
  readonly text: string;
}

function serverOf({ port, tls }: Config['listen']): Schema {
  const origin = {
    default: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    description: 'Of the public listener.',
  };
  return { url: '{origin}', variables: { origin } };
}

interface DocsParts {
  readonly responder: Responder;
  readonly documentation: Pick<PublicDocumentation, 'text'>;
}

/** Open to everybody, so they say nothing that depends on who asks. */
export function registerPublicDocs(app: FastifyInstance, { responder, documentation }: DocsParts): void {
  const read = partReader();
  const html = pageHtml({ title: 'Sluice: public API', document: '/openapi.json', canTry: true, others: [] });

  const answer = (
    request: FastifyRequest,
    reply: FastifyReply,
    contentType: string,
    body: Promise<Buffer | string> | undefined,
  ): void => {
    if (body === undefined) {
      responder.refuse(request, reply, refusal('not_found', 'There is nothing at this path.'));
      return;
    }
    body.then(
      (text) => {
        if (reply.raw.destroyed) return;
        const bytes = Buffer.from(text);
        const headers = [...Object.entries(pageHeaders).flat(), 'content-length', String(bytes.length)];
        responder.begin(request, reply, 200, contentType, headers);
        request.call.bytesOut = bytes.length;
        reply.raw.end(bytes);
      },
      (error) => responder.refuse(request, reply, refusalOfError(error)),
    );
  };

  app.get('/openapi.json', (request, reply) => {
    answer(request, reply, 'application/json; charset=utf-8', documentation.text('public'));
  });
  app.get('/docs', (request, reply) => {
    answer(request, reply, 'text/html; charset=utf-8', Promise.resolve(html));
  });
  app.get('/docs/:part', (request, reply) => {
    const { part } = request.params as { readonly part: string };
    answer(request, reply, pageParts[part]?.contentType ?? '', read(part));
  });
}
