/**
 * A TCP proxy before Redis that does to a connection what networks do: late, silent, cut, refused, a byte at a time,
 * or broken between the execution of a command and its reply.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Weather } from './lane.ts';
import { Link } from './link.ts';

/** Which replies are lost: each n-th of all connections together, or each with this probability. */
export type DropRule =
  | { readonly every: number }
  | { readonly probability: number; readonly random: () => number };

export interface ChaosStats {
  readonly accepted: number;
  readonly open: number;
  /** Replies that Redis has begun, with pushed messages and those that were lost. */
  readonly replies: number;
  readonly droppedReplies: number;
  readonly cutConnections: number;
}

export interface ChaosProxy {
  readonly port: number;
  readonly url: string;
  /** Commands arrive at once, their replies so much later; in order. 0: no longer. */
  latency(ms: number): void;
  /** Nothing passes in either direction; connections stand, and new ones are accepted. */
  stall(): void;
  resume(): void;
  /** Resets all connections; returns how many. */
  cut(): number;
  /** While on, new connections are refused; those that stand go on. */
  refuse(on: boolean): Promise<void>;
  /**
   * A lost reply: it is received whole, so its command has run, then the connection is reset. Replies before it are
   * delivered, none behind it. Undefined: no longer.
   */
  dropReplies(rule: DropRule | undefined): void;
  /** In both directions, a turn of the event loop between two bytes. */
  oneByteAtATime(on: boolean): void;
  stats(): ChaosStats;
  stop(): Promise<void>;
}

/** @param targetPort of a Redis on this machine, without TLS */
export async function startChaosProxy(targetPort: number): Promise<ChaosProxy> {
  const proxy = new TcpChaos(targetPort);
  await proxy.refuse(false);
  return proxy;
}

class TcpChaos implements ChaosProxy {
  readonly #targetPort: number;
  readonly #weather: Weather = { stalled: undefined, bytewise: false };
  readonly #links = new Set<Link>();
  readonly #counts = { accepted: 0, replies: 0, droppedReplies: 0, cutConnections: 0 };
  #server: Server | undefined;
  #port = 0;
  #latencyMs = 0;
  #rule: DropRule | undefined;
  #sinceRule = 0;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  latency(ms: number): void {
    this.#latencyMs = ms;
  }

  stall(): void {
    this.#weather.stalled ??= Promise.withResolvers<void>();
    for (const { client, target } of this.#links) {
      client.pause();
      target.pause();
    }
  }

  resume(): void {
    this.#weather.stalled?.resolve();
    this.#weather.stalled = undefined;
    for (const { client, target } of this.#links) {
      client.resume();
      target.resume();
    }
  }

  cut(): number {
    const { size } = this.#links;
    for (const link of this.#links) link.reset();
    this.#counts.cutConnections += size;
    return size;
  }

  async refuse(on: boolean): Promise<void> {
    if (on === (this.#server === undefined)) return;
    if (on) {
      this.#server?.close();
      this.#server = undefined;
      return;
    }
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    this.#server = server;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  dropReplies(rule: DropRule | undefined): void {
    this.#rule = rule;
    this.#sinceRule = 0;
  }

  oneByteAtATime(on: boolean): void {
    this.#weather.bytewise = on;
  }

  stats(): ChaosStats {
    return { ...this.#counts, open: this.#links.size };
  }

  async stop(): Promise<void> {
    await this.refuse(true);
    this.resume();
    const closing = [...this.#links].map(({ client }) => once(client, 'close'));
    for (const link of this.#links) link.reset();
    await Promise.all(closing);
  }

  #accept(client: Socket): void {
    this.#counts.accepted += 1;
    const link = new Link(
      client,
      connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true }),
      {
        weather: this.#weather,
        latencyMs: () => this.#latencyMs,
        isDoomed: () => this.#isDoomed(),
        dropped: () => {
          this.#counts.droppedReplies += 1;
        },
        closed: () => this.#links.delete(link),
      },
    );
    this.#links.add(link);
  }

  /** Asked once for each reply, as it begins. */
  #isDoomed(): boolean {
    this.#counts.replies += 1;
    if (!this.#rule) return false;
    this.#sinceRule += 1;
    if ('every' in this.#rule) return this.#sinceRule % this.#rule.every === 0;
    return this.#rule.random() < this.#rule.probability;
  }
}
