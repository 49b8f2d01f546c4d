/** A balancer, a gateway behind it and a GPU server behind that, for the tests of `deploy/nginx` and `deploy/haproxy`. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { completion } from '../../http/answers.ts';
import { bearer, chat, type Reply } from '../../http/client.ts';
import { startGateway, type TestGateway, until } from '../../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../../support/upstream.ts';
import { type Balancer, type BalancerName, startBalancer } from './balancer.ts';
import type { SecureWish } from './secure-client.ts';

/** Refuses connections: a port of old that nothing listens on. */
export const NOBODY = 'http://127.0.0.1:1';

type Answer = (response: ServerResponse, body: string) => void;

export class BalancerGround {
  readonly name: BalancerName;
  /** Set by a test that answers itself. */
  answer: Answer | undefined;
  #upstream: TestUpstream | undefined;
  #gateway: TestGateway | undefined;
  #balancer: Balancer | undefined;

  constructor(name: BalancerName) {
    this.name = name;
  }

  async start(): Promise<void> {
    this.#upstream = await startUpstream((_request, response, body) => {
      if (this.answer) this.answer(response, body);
      else response.setHeader('content-type', 'application/json').end(completion('public'));
    });
    this.#gateway = await startGateway({
      config: {
        listen: { trusted_proxies: ['127.0.0.1'] },
        redis: { command_timeout_ms: 5_000 },
        upstreams: [{ name: 'gpu', url: this.#upstream.url }],
        models: [{ name: 'public', upstreams: ['gpu'] }],
        routes: [{ path: '/predict', upstream: 'gpu' }],
      },
    });
    // The first of them is not there, as one that is being restarted.
    this.#balancer = await startBalancer(this.name, { gateways: [NOBODY, this.#gateway.url] });
  }

  async stop(): Promise<void> {
    await this.#balancer?.stop();
    await this.#gateway?.stop();
    await this.#upstream?.stop();
  }

  get balancer(): Balancer {
    return started(this.#balancer);
  }

  get gateway(): TestGateway {
    return started(this.#gateway);
  }

  get upstream(): TestUpstream {
    return started(this.#upstream);
  }

  /** The gateway's log line of a call, by the id that its caller has given it; waited for. */
  async lineOf(requestId: string): Promise<Record<string, unknown>> {
    let line: Record<string, unknown> | undefined;
    await until(async () => {
      const lines = await this.gateway.logLines(0);
      line = lines.find(({ request_id }) => request_id === requestId);
      return line !== undefined;
    }, 'the log line');
    return started(line);
  }

  /** A good request, but for what is given. */
  wish(more: SecureWish = {}): SecureWish {
    return { headers: bearer(this.gateway.key), body: chat(), ...more };
  }
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the ground was not started');
  return part;
}

/** Holds an answer to the format of errors, whether a balancer or a gateway has written it. */
export function assertOurs(reply: Reply, status: number, code: string, shouldRetry: string): void {
  const text = reply.body.toString();
  assert.equal(reply.status, status, text.slice(0, 300));
  assert.match(String(reply.headers['content-type']), /^application\/json/);
  assert.match(String(reply.headers['x-request-id']), /^[\x21-\x7e]{1,128}$/);
  assert.equal(reply.headers['x-should-retry'], shouldRetry);
  const { error } = JSON.parse(text) as { error: Record<string, unknown> };
  assert.deepEqual(Object.keys(error), ['message', 'type', 'param', 'code']);
  assert.equal(error.code, code);
}
