import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Estimate } from '../admission/estimate/estimator.ts';
import type { LiveConfig } from '../config/live.ts';
import type { Call } from '../core/call.ts';
import type { Refusal } from '../core/errors.ts';
import type { Model } from '../upstream/models.ts';
import type { JsonBody } from './body.ts';
import type { Endpoint } from './endpoints.ts';

declare module 'fastify' {
  interface FastifyRequest {
    call: Call;
    /** What an inference route has found out so far; set by its first step. */
    inference: Inference | null;
  }
}

/** A request for an answer of a model, as far as the steps have come with it. */
export interface Inference {
  readonly endpoint: Endpoint;
  /** As the policies of the caller have made it, but for its `model`. */
  readonly body: JsonBody;
  /** As the client sent it. */
  readonly requestedModel: string | undefined;
  /** What the client or a policy wants; undefined: the default. */
  readonly modelName: string | undefined;
  /** What comes behind each choice of the answer. */
  readonly suffix: string | undefined;
  readonly streamed: boolean;
  readonly media: LiveConfig['media'];
  /** What goes to the GPU server, once the model is known. */
  model: Model | undefined;
  /** What it will cost, once that has been looked at. */
  estimate: Estimate | undefined;
}

/** One call that has not ended: for the drain, and for faults of its connection. */
export interface LiveCall {
  readonly call: Call;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly response: ServerResponse;
  /** Set while a relay owns the response. */
  breakOff?(refused: Refusal): void;
}

/** The calls of this replica, and whether it still wants more. */
export class Exchanges {
  draining = false;
  /** When the last call began or ended, `performance.now()`. */
  lastActivityAtMs = 0;
  /**
   * In no order. A Map would do, but for the collector: its table is replaced every few dozen calls, and an old table
   * that has grown old itself keeps the next one alive with all calls in it, and so on. Under load every second
   * request was carried into the old generation that way, at 15 ms a collection instead of 1.
   */
  readonly #live: LiveCall[] = [];

  get size(): number {
    return this.#live.length;
  }

  get streams(): number {
    let count = 0;
    for (const { call } of this.#live) if (call.streamed) count += 1;
    return count;
  }

  open(live: LiveCall): void {
    this.lastActivityAtMs = live.call.startedAtMs;
    live.call.slot = this.#live.push(live) - 1;
  }

  /** `breakOff` ends the call from outside, which only the owner of its response can do. */
  handOver(call: Call, breakOff: (refused: Refusal) => void): void {
    const live = this.#live[call.slot];
    if (live?.call === call) live.breakOff = breakOff;
  }

  /** The call whose answer is due on this connection. */
  on(socket: Socket): LiveCall | undefined {
    return this.#live.find((live) => live.response.socket === socket);
  }

  close(call: Call, nowMs: number): void {
    this.lastActivityAtMs = nowMs;
    const last = this.#live.pop();
    if (!last || last.call === call) return;
    this.#live[call.slot] = last;
    last.call.slot = call.slot;
  }

  /** Ends what is left. Calls without a relay have nothing to say any more and are cut. */
  breakOff(refused: Refusal): number {
    const left = [...this.#live];
    for (const live of left) {
      if (live.breakOff) live.breakOff(refused);
      else live.response.destroy();
    }
    return left.length;
  }
}

export type Step = (request: FastifyRequest, reply: FastifyReply, next: () => void) => void;
