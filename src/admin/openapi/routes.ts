/** `/docs` and `/openapi.json` of the admin listener: its own document, and that of the public one. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { pageHeaders, pageHtml, pageParts, partReader } from '../../http/openapi/page-parts.ts';
import type { RegisteredRoute } from '../../http/openapi/registered.ts';
import { answerUnknownPath } from '../answers.ts';

export interface DocumentationDependencies {
  /** Of the gateway. */
  readonly version: string;
  /** The document of the public listener, as text. */
  publicDocument(): Promise<string>;
}

const adminPage = { title: 'Sluice: admin API', document: '/openapi.json', canTry: true };
const publicPage = { title: 'Sluice: public API', document: '/openapi-public.json', canTry: false };

/** @param routes of the whole listener, once it is ready */
export function documentationRoutes(
  app: FastifyInstance,
  { version, publicDocument }: DocumentationDependencies,
  routes: readonly RegisteredRoute[],
): void {
  const read = partReader();
  let made: Promise<string> | undefined;
  const adminDocument = async () => {
    const { adminDocument } = await import('./admin-document.ts');
    return JSON.stringify(adminDocument(version, routes));
  };

  app.get('/openapi.json', async (_request, reply) => {
    made ??= adminDocument();
    return asJson(reply, await made);
  });
  app.get('/openapi-public.json', async (_request, reply) => asJson(reply, await publicDocument()));

  const pages = [
    ['/docs', { ...adminPage, others: [[publicPage.title, '/docs/public']] }],
    ['/docs/public', { ...publicPage, others: [[adminPage.title, '/docs']] }],
  ] as const;
  for (const [url, page] of pages) {
    const html = pageHtml(page);
    app.get(url, async (_request, reply) => {
      return reply.headers(pageHeaders).type('text/html; charset=utf-8').send(html);
    });
  }

  app.get<{ Params: { part: string } }>('/docs/:part', async (request, reply) => {
    const { part } = request.params;
    const bytes = await read(part);
    if (bytes === undefined) return answerUnknownPath(request, reply);
    return reply
      .headers(pageHeaders)
      .type(pageParts[part]?.contentType ?? '')
      .send(bytes);
  });
}

function asJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.headers(pageHeaders).type('application/json; charset=utf-8').send(text);
}
