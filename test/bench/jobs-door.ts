/** Puts jobs in at the door of a gateway, as clients do that ask for it: as many as go through, or so many a second. */
import { setTimeout as delay } from 'node:timers/promises';
import { createAnswerReader } from './answer-reader.ts';
import { openSocket } from './client-socket.ts';
import { percentiles } from './load.ts';
import { jobRequestBytes } from './requests.ts';

interface Door {
  readonly port: number;
  readonly key: string;
}

interface Wish {
  readonly count: number;
  readonly connections: number;
  /** Null: each connection asks again as soon as it has its answer. */
  readonly perSecond: number | null;
}

export interface TakenIn {
  readonly seconds: number;
  /** From when a request was due to the end of its 202. */
  readonly microseconds: { readonly p50: number; readonly p99: number };
}

/** Rejects when one gets any other answer than 202. */
export async function putJobs(door: Door, { count, connections, perSecond }: Wish): Promise<TakenIn> {
  const clients = await Promise.all(Array.from({ length: connections }, () => openClient(door)));
  const latencies: number[] = [];
  const begunMs = performance.now();
  let next = 0;
  const work = async (client: Client) => {
    while (next < count) {
      const number = next++;
      const dueMs = perSecond === null ? performance.now() : begunMs + (number / perSecond) * 1_000;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await delay(waitMs);
      // A timer fires late by up to a millisecond; only what all connections being busy adds is the gateway's.
      const askedMs = waitMs > 0 ? performance.now() : dueMs;
      await client.ask();
      latencies.push((performance.now() - askedMs) * 1_000);
    }
  };
  try {
    await Promise.all(clients.map(work));
  } finally {
    for (const client of clients) client.close();
  }
  return { seconds: (performance.now() - begunMs) / 1_000, microseconds: percentiles(latencies) };
}

interface Client {
  ask(): Promise<void>;
  close(): void;
}

async function openClient(door: Door): Promise<Client> {
  const request = jobRequestBytes(door);
  const answerEnds = createAnswerReader(202);
  const opened = Promise.withResolvers<void>();
  let answer = Promise.withResolvers<void>();
  const fail = (cause: Error) => {
    opened.reject(cause);
    answer.reject(cause);
  };
  answer.promise.catch(() => undefined);
  const socket = openSocket({
    port: door.port,
    onOpen: () => opened.resolve(),
    onBytes(bytes) {
      try {
        if (answerEnds(bytes)) answer.resolve();
      } catch (error) {
        fail(error as Error);
      }
    },
    onLost: fail,
  });
  await opened.promise;
  return {
    ask() {
      answer = Promise.withResolvers();
      socket.write(request);
      return answer.promise;
    },
    close: () => socket.destroy(),
  };
}
