/**
 * Asks every route of both listeners of a gateway, and of a worker's, with every kind of credential, and writes down the
 * status of each answer. Requests are such that whoever may do something does it without a trace: ids that nobody has,
 * bodies that lack a field.
 */
import type { ConfigInput } from '../../../src/config/schema.ts';
import { jwtOf } from '../../admission/jwt/ground.ts';
import { startIssuer } from '../../admission/jwt/issuer.ts';
import { answerAsAsked } from '../../http/answers.ts';
import { chat, type Reply, send } from '../../http/client.ts';
import { startWorker } from '../../http/jobs/worker-process.ts';
import { startGateway } from '../../support/gateway.ts';
import { startUpstream } from '../../support/upstream.ts';
import { type Credential, makeCredentials } from './credentials.ts';
import { declaredRoutes } from './declared-routes.ts';

export interface Asked {
  readonly listener: string;
  readonly route: string;
  readonly credential: Credential;
  readonly reply: Reply;
}

export interface Matrix {
  /** As it is committed. */
  readonly text: string;
  readonly asked: readonly Asked[];
  /** What the GPU server was asked, by method and path. */
  readonly forwarded: readonly string[];
}

/** What is no route, or no method of one, and whose answers belong to the picture. */
const besides: Readonly<Record<string, readonly string[]>> = {
  public: ['GET /nothing-here', 'DELETE /v1/models', 'PUT /v1/chat/completions', 'GET /admin/v1/keys'],
  admin: [
    'GET /nothing-here',
    'GET /admin/v1/nothing-here',
    'PUT /admin/v1/keys',
    'POST /v1/chat/completions',
  ],
  worker: ['GET /admin/v1/keys', 'GET /admin/queues', 'POST /v1/chat/completions'],
};

const prompts: Readonly<Record<string, object>> = {
  '/v1/completions': { prompt: 'Hello' },
  '/v1/embeddings': { input: 'Hello' },
  '/v1/responses': { input: 'Hello' },
  '/v1/rerank': { query: 'Hello', documents: ['Hello'] },
  '/v1/score': { text_1: 'Hello', text_2: 'Hello' },
};

function requestFor(route: string): { method: string; path: string; body: string | undefined } {
  const [method = '', pattern = ''] = route.split(' ');
  const path = pattern
    .replace('/models/*', '/models/public')
    .replace('/queues/*', '/queues/api/queues')
    .replaceAll(/:\w+/g, 'nobodys');
  const hasBody = method !== 'GET' && method !== 'HEAD';
  if (!hasBody) return { method, path, body: undefined };
  const prompt = prompts[path];
  if (prompt) return { method, path, body: JSON.stringify({ model: 'public', ...prompt }) };
  return { method, path, body: path === '/v1/chat/completions' ? chat() : '{}' };
}

export async function observeMatrix(): Promise<Matrix> {
  const [upstream, issuer, ofGateway, ofWorker] = await Promise.all([
    startUpstream(answerAsAsked),
    startIssuer(),
    declaredRoutes(),
    declaredRoutes(),
  ]);
  const config: Omit<ConfigInput, 'secret'> = {
    listen: { docs: true },
    auth: { jwt: jwtOf(issuer, { issuer: { claims: { scopes: 'scope' } } }) },
    upstreams: [{ name: 'gpu', url: upstream.url }],
    models: [{ name: 'public', upstreams: ['gpu'] }],
    routes: [{ path: '/predict', upstream: 'gpu', methods: ['GET', 'POST'] }],
    cors: { origins: ['https://app.example.com'] },
  };
  const gateway = await startGateway({ config, env: ofGateway.env, makeKey: false });
  const worker = await startWorker(gateway.redis, config, ofWorker.env);
  try {
    const credentials = await makeCredentials(gateway, issuer);
    const listeners = [
      { listener: 'public', url: gateway.url, routes: await ofGateway.routesBeside('GET /health') },
      { listener: 'admin', url: gateway.adminUrl, routes: await ofGateway.routesBeside('GET /live') },
      { listener: 'worker', url: worker.adminUrl, routes: await ofWorker.routesBeside('GET /live') },
    ];
    const asked: Asked[] = [];
    for (const { listener, url, routes } of listeners) {
      for (const route of [...routes.filter((one) => one !== 'OPTIONS *'), ...(besides[listener] ?? [])]) {
        asked.push(...(await askAll(listener, url, route, credentials)));
      }
    }
    const forwarded = upstream.requests.map(({ method, path }) => `${method} ${path}`);
    return { text: matrixText(asked, credentials), asked, forwarded };
  } finally {
    await Promise.all([gateway.stop(), worker.stop(), ofGateway.stop(), ofWorker.stop()]);
    await Promise.all([upstream.stop(), issuer.stop()]);
  }
}

async function askAll(
  listener: string,
  url: string,
  route: string,
  credentials: readonly Credential[],
): Promise<Asked[]> {
  const request = { ...requestFor(route), authority: new URL(url).host };
  const { method, path, body } = request;
  return Promise.all(
    credentials.map(async (credential) => {
      const ask = () => {
        const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
        const headers = { ...json, ...credential.headersFor(request) };
        return send(url, path, { method, headers, ...(body !== undefined && { body }) });
      };
      if (credential.isReplayed) await ask();
      return { listener, route, credential, reply: await ask() };
    }),
  );
}

const legend = `Who may do what: the status of every route of every listener for every kind of credential.
Written by \`node test/security/write-matrix.ts\` and compared by test/security/matrix.test.ts. A change here is a change of
who gets in: review it as such. A dash is 401. HEAD is not shown where it answers as GET does; the test holds it to that.
Whoever is past the guard gets 400, 404 or 409, because he asks for what nobody has, or leaves out what is needed.
`;

function matrixText(asked: readonly Asked[], credentials: readonly Credential[]): string {
  const lines = [legend, ...credentials.map(({ column, meaning }) => `${column.padEnd(5)} ${meaning}`)];
  const head = credentials.map(({ column }) => column.padStart(4)).join(' ');
  for (const listener of ['public', 'admin', 'worker']) {
    const here = asked.filter((one) => one.listener === listener);
    lines.push('', `${`${listener} listener`.padEnd(ROUTE_WIDTH)} ${head}`);
    for (const route of new Set(here.map((one) => one.route))) {
      if (route.startsWith('HEAD ')) continue;
      const row = here.filter((one) => one.route === route);
      const statuses = row.map(({ reply }) => shown(reply.status).padStart(4)).join(' ');
      lines.push(`${route.padEnd(ROUTE_WIDTH)} ${statuses}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const ROUTE_WIDTH = 52;

/** So that whoever gets anywhere stands out. */
function shown(status: number): string {
  return status === 401 ? '-' : String(status);
}
