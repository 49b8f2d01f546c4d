/**
 * Calls of the HTTP client `got`, told to an attempt in the words of undici's dispatcher: so that jobs have the
 * attempts, the time limits and the reports of all other calls. What `got` would do of itself is off: retries,
 * redirects, unpacking, headers of its own.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import got, { type Request } from 'got';
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
  const kept = agents(true);
  const fresh = agents(false);
  return {
    wire: ({ origin }, isFresh, connectTimeoutMs) => ({
      dispatch: (options, handler) =>
        send(origin, options, handler, isFresh ? fresh : kept, connectTimeoutMs),
    }),
    close() {
      kept.http.destroy();
      kept.https.destroy();
    },
  };
}

interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

function agents(keepAlive: boolean): Agents {
  const options = keepAlive ? { keepAlive, timeout: IDLE_MS } : { keepAlive };
  return { http: new HttpAgent(options), https: new HttpsAgent(options) };
}

function send(
  origin: string,
  { method, path, headers, body }: Dispatcher.DispatchOptions,
  handler: Dispatcher.DispatchHandler,
  agent: Agents,
  connectTimeoutMs: number,
): boolean {
  const request = got.stream(origin + path, {
    method: method as 'POST',
    headers: { 'user-agent': undefined, ...named(headers as readonly string[]) },
    ...(body && { body: body as Buffer }),
    agent,
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    allowGetBody: true,
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
function named(flat: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at + 1 < flat.length; at += 2) headers[flat[at] as string] = flat[at + 1] as string;
  return headers;
}
