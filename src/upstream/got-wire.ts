/**
 * Calls of the HTTP client `got`, told to an attempt in the words of undici's dispatcher: so that jobs have the
 * attempts, the time limits and the reports of all other calls. What `got` would do of itself is off: retries,
 * redirects, unpacking, headers of its own.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import got, { type ExtendOptions, type Got, type Request } from 'got';
import type { Dispatcher } from 'undici';
import type { Wire } from './attempts.ts';

/** uvicorn closes idle connections after 5 s: leave before it does. */
const IDLE_MS = 4_000;

export interface GotWire {
  readonly wire: Wire;
  /** Ends its idle connections. */
  close(): void;
}

export function createGotWire(): GotWire {
  const agent = agents(true);
  const kept = got.extend({ ...plain, agent });
  const fresh = got.extend({ ...plain, agent: agents(false) });
  return {
    wire: ({ origin }, isFresh, connectTimeoutMs) => ({
      dispatch: (options, handler) =>
        send(isFresh ? fresh : kept, origin, options, handler, connectTimeoutMs),
    }),
    close() {
      agent.http.destroy();
      agent.https.destroy();
    },
  };
}

function agents(keepAlive: boolean): { http: HttpAgent; https: HttpsAgent } {
  const options = keepAlive ? { keepAlive, timeout: IDLE_MS } : { keepAlive };
  return { http: new HttpAgent(options), https: new HttpsAgent(options) };
}

const plain: ExtendOptions = {
  headers: { 'user-agent': undefined },
  retry: { limit: 0 },
  throwHttpErrors: false,
  followRedirect: false,
  decompress: false,
  allowGetBody: true,
};

function send(
  client: Got,
  origin: string,
  { method, path, headers, body }: Dispatcher.DispatchOptions,
  handler: Dispatcher.DispatchHandler,
  connectTimeoutMs: number,
): boolean {
  const named = namedHeaders(headers as readonly string[]);
  if (body) named['content-length'] = String((body as Buffer).length);
  const request = client.stream(origin + path, {
    method: method as 'POST',
    headers: named,
    // All other limits are the watchdog's; two clocks would disagree.
    timeout: { connect: connectTimeoutMs },
  });
  const controller = controllerOf(request);
  handler.onRequestStart?.(controller, undefined);
  request.on('response', ({ statusCode, headers: said }) =>
    handler.onResponseStart?.(controller, statusCode, said, undefined),
  );
  request.on('data', (piece: Buffer) => handler.onResponseData?.(controller, piece));
  request.once('end', () => handler.onResponseEnd?.(controller, {}));
  request.once('error', (error) => {
    if (!controller.aborted) handler.onResponseError?.(controller, error);
  });
  // Given as an option, got would keep a second copy of it.
  request.end(body as Buffer | null);
  return true;
}

function controllerOf(request: Request): Dispatcher.DispatchController {
  let aborted = false;
  let reason: Error | null = null;
  return {
    get aborted() {
      return aborted;
    },
    get paused() {
      return request.isPaused();
    },
    get reason() {
      return reason;
    },
    pause: () => void request.pause(),
    resume: () => void request.resume(),
    abort(why) {
      aborted = true;
      reason = why;
      request.destroy();
    },
  };
}

/** From names and values in turn. */
function namedHeaders(flat: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at + 1 < flat.length; at += 2) headers[flat[at] as string] = flat[at + 1] as string;
  return headers;
}
