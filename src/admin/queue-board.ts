/**
 * `/admin/queues`: bull-board, for a look at what is in BullMQ's hands: jobs by their ids, for the seconds that they are
 * there. All that happens to jobs is `/v1/jobs`' business, so the board can change nothing.
 *
 * A browser has no bearer token to send: here it may say token or admin key as the password of Basic authentication. It
 * then sends it along by itself, whoever has written the page; so nothing but GET is answered, and `/v1` takes no Basic.
 * Scripts come from this listener alone, and the fonts that the page asks for elsewhere are not fetched.
 *
 * Loaded with the first look: gateways whose operators do not look at it pay nothing for it.
 */
import fastify, { type FastifyInstance } from 'fastify';
import { type Refusal, refusal } from '../core/errors.ts';
import { watchMethods } from '../http/methods.ts';
import type { BullQueue } from '../jobs/queue.ts';
import type { Answer } from '../redis/connection.ts';
import { refuse, sendRefusal } from './answers.ts';
import type { demandRole } from './authorization.ts';

export interface BoardDependencies {
  /** Opened when somebody looks. */
  readonly bullQueues: readonly (() => Promise<Answer<BullQueue>>)[];
}

export const BOARD_PATH = '/admin/queues';

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** @param guard asked before everything else */
export function queueBoard(dependencies: BoardDependencies, guard: ReturnType<typeof demandRole>) {
  return async (scope: FastifyInstance): Promise<void> => {
    scope.addHook('onRequest', guard);
    const refuseOtherMethods = watchMethods(scope, refuse);
    let opening: Promise<FastifyInstance | undefined> | undefined;
    scope.addHook('onClose', async () => {
      await (await opening)?.close();
    });
    for (const url of ['', '/*']) {
      scope.get(url, async (request, reply) => {
        opening ??= openBoard(dependencies);
        const board = await opening;
        if (!board) {
          opening = undefined;
          return sendRefusal(reply, storeAway);
        }
        reply.hijack();
        for (const [name, value] of Object.entries(HEADERS)) reply.raw.setHeader(name, value);
        board.routing(request.raw, reply.raw);
        return reply;
      });
    }
    refuseOtherMethods();
  };
}

/** Undefined: Redis does not answer. */
async function openBoard({ bullQueues }: BoardDependencies): Promise<FastifyInstance | undefined> {
  const opened = await Promise.all(bullQueues.map((open) => open()));
  const queues = opened.flatMap((queue) => (queue.ok ? [queue.value] : []));
  if (queues.length < opened.length) return undefined;
  const [{ createBullBoard }, { BullMQAdapter }, { FastifyAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/fastify'),
  ]);
  const serverAdapter = new FastifyAdapter();
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true })),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Sluice' } },
  });
  // What a Redis client says of its errors has the arguments of the command in it.
  serverAdapter.setErrorHandler(() => ({ status: 500, body: { error: 'The queue cannot be read.' } }));
  const board = fastify();
  board.register(serverAdapter.setBasePath(BOARD_PATH).registerPlugin(), { prefix: BOARD_PATH });
  await board.ready();
  return board;
}

const storeAway: Refusal = refusal('store_unavailable', 'The Redis of jobs does not answer.', {
  headers: { 'retry-after': '1' },
});
