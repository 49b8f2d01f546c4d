/** One request of a model route, from the moment that it is read until answered, broken off or abandoned. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer, Whole } from './answer.ts';
import type { Cut, Delivery, Ends } from './delivery.ts';
import { DripReply } from './drip.ts';
import { noFault } from './fault-book.ts';
import type { Fault } from './faults.ts';
import type { Settings } from './options.ts';
import type { Pacer } from './pacer.ts';
import { failure } from './refusals.ts';
import { DirectReply, type Reply } from './reply.ts';
import type { Runner, RunQueue } from './run-queue.ts';
import { StreamDelivery } from './stream-delivery.ts';
import { WholeDelivery } from './whole-delivery.ts';

/** A reset throws away what the client has not read, so it comes a little after the last bytes. */
const RESET_PAUSE_MS = 10;

export interface Workshop {
  readonly settings: Settings;
  readonly pacer: Pacer;
  readonly queue: RunQueue;
}

export interface Connection {
  readonly socket: Socket;
  /** Requests that have come on it. */
  requests: number;
}

export class Call implements Runner, Ends {
  readonly promptTokens: number;
  readonly #workshop: Workshop;
  readonly #connection: Connection;
  readonly #response: ServerResponse;
  readonly #fault: Fault;
  readonly #answer: () => Answer;
  #delivery: Delivery | undefined;
  #left = false;

  constructor(
    workshop: Workshop,
    connection: Connection,
    response: ServerResponse,
    promptTokens: number,
    fault: Fault,
    answer: () => Answer,
  ) {
    this.promptTokens = promptTokens;
    this.#workshop = workshop;
    this.#connection = connection;
    this.#response = response;
    this.#fault = fault;
    this.#answer = answer;
  }

  /** Takes its place; it may be over when this returns. */
  begin(): void {
    this.#response.once('close', () => this.#abandoned());
    this.#workshop.queue.enter(this);
  }

  start(): void {
    const {
      cut,
      cut_after_tokens: cutAfterTokens,
      status,
      error_body: errorBody,
      first_token_ms,
    } = this.#fault;
    if (cut !== undefined && cutAfterTokens === undefined) {
      this.#later(first_token_ms ?? 0, () => this.cut(cut));
    } else if (status !== undefined) {
      this.#later(first_token_ms ?? 0, () => this.#deliverWhole(failure(status, errorBody ?? 'vllm')));
    } else {
      this.#deliver(this.#answer());
    }
  }

  ended(): void {
    this.#leave('finished');
    const { idle_close_ms: idleMs } = this.#fault;
    if (idleMs !== undefined) this.#closeWhenIdle(idleMs);
  }

  cut(how: Cut): void {
    if (how === 'hang') return;
    const { socket } = this.#connection;
    if (how === 'reset') this.#workshop.pacer.after(RESET_PAUSE_MS, () => socket.resetAndDestroy());
    else if (how === 'half_close') socket.end();
    else socket.destroySoon();
    this.#leave('finished');
  }

  #deliver(answer: Answer): void {
    const { settings } = this.#workshop;
    const firstTokenMs = this.#fault.first_token_ms ?? settings.firstTokenMs;
    const tokenMs = this.#fault.token_ms ?? settings.tokenMs;
    if (answer.kind === 'stream') {
      const timing = { firstTokenMs, tokenMs };
      this.#delivery = new StreamDelivery(
        answer,
        this.#fault,
        timing,
        this.#reply(),
        this.#workshop.pacer,
        this,
      );
      this.#delivery.begin();
      return;
    }
    const durationMs = answer.status === 200 ? firstTokenMs + Math.max(0, answer.steps - 1) * tokenMs : 0;
    this.#later(durationMs, () => this.#deliverWhole(answer));
  }

  #deliverWhole(answer: Whole): void {
    if (this.#fault === noFault) {
      const reply = this.#reply();
      reply.head(answer.status, answer.contentType, Buffer.byteLength(answer.body));
      reply.end(answer.body);
      this.#leave('finished', answer.outputTokens);
      return;
    }
    this.#delivery = new WholeDelivery(answer, this.#fault, this.#reply(), this);
    this.#delivery.begin();
  }

  #reply(): Reply {
    const {
      one_byte: oneByte,
      slow_headers_ms: headerPauseMs,
      connection_close: announceClose,
    } = this.#fault;
    if (oneByte !== true && headerPauseMs === undefined) {
      return new DirectReply(this.#response, announceClose === true);
    }
    const manner = { oneByte: oneByte === true, headerPauseMs: headerPauseMs ?? 0 };
    return new DripReply(this.#connection.socket, this.#workshop.pacer, manner);
  }

  #later(delayMs: number, act: () => void): void {
    if (delayMs === 0) act();
    else {
      this.#workshop.pacer.after(delayMs, () => {
        if (!this.#left) act();
      });
    }
  }

  #closeWhenIdle(idleMs: number): void {
    const { requests, socket } = this.#connection;
    const close = () => {
      if (this.#connection.requests === requests) socket.destroySoon();
    };
    this.#response.once('close', () => this.#workshop.pacer.after(idleMs, close));
  }

  #abandoned(): void {
    this.#delivery?.stop();
    this.#leave('cancelled');
  }

  #leave(outcome: 'finished' | 'cancelled', outputTokens = this.#delivery?.sentTokens ?? 0): void {
    if (this.#left) return;
    this.#left = true;
    this.#workshop.queue.leave(this, outcome, outputTokens);
  }
}
