/** Calls over kept connections: as many as go through, or so many a second. */
import { setTimeout as delay } from 'node:timers/promises';
import { createAnswerReader } from './answer-reader.ts';
import { openSocket } from './client-socket.ts';
import { type CallLoad, type CallResult, countCpu, percentiles } from './load.ts';
import { requestBytes } from './requests.ts';

const TICK_MS = 1;

interface Connection {
  /** `askedAt`: when the request was due, in milliseconds of `performance.now()`. */
  ask(askedAt: number): void;
  close(): void;
}

export async function runCalls(load: CallLoad): Promise<CallResult> {
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // a connection may be lost before anybody waits
  let latencies: number[] = [];
  let stopped = false;
  const idle: Connection[] = [];
  const overdue: number[] = [];

  const onAnswer = (connection: Connection, askedAt: number) => {
    const now = performance.now();
    latencies.push((now - askedAt) * 1_000);
    if (stopped) return;
    if (load.requestsPerSecond === null) return connection.ask(now);
    const dueAt = overdue.shift();
    if (dueAt === undefined) idle.push(connection);
    else connection.ask(dueAt);
  };

  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => openConnection(load, onAnswer, failed.reject)),
  );
  const stopAsking =
    load.requestsPerSecond === null ? startAll(connections) : askSteadily(load, connections, idle, overdue);

  await Promise.race([delay(load.warmupMs), failed.promise]);
  latencies = [];
  const stopCounting = countCpu(load.target);
  await Promise.race([delay(load.durationMs), failed.promise]);
  const cpu = stopCounting();
  const counted = latencies;
  stopped = true;
  stopAsking();
  for (const connection of connections) connection.close();
  return { ...cpu, requests: counted.length, latencyMicroseconds: percentiles(counted) };
}

function startAll(connections: readonly Connection[]): () => void {
  const now = performance.now();
  for (const connection of connections) connection.ask(now);
  return () => {};
}

/**
 * A request that finds every connection busy waits with the time at which it was due: otherwise a stall would count
 * once instead of once for each call that it held up.
 */
function askSteadily(
  load: CallLoad,
  connections: readonly Connection[],
  idle: Connection[],
  overdue: number[],
): () => void {
  idle.push(...connections);
  const startedAt = performance.now();
  let asked = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    const due = Math.floor(((now - startedAt) / 1_000) * (load.requestsPerSecond ?? 0));
    for (; asked < due; asked += 1) {
      const connection = idle.shift();
      if (connection) connection.ask(performance.now());
      else overdue.push(now);
    }
  }, TICK_MS);
  return () => clearInterval(timer);
}

function openConnection(
  load: CallLoad,
  onAnswer: (connection: Connection, askedAt: number) => void,
  onFailure: (cause: Error) => void,
): Promise<Connection> {
  const request = requestBytes(load.shape, load.target);
  const answerEnds = createAnswerReader();
  const opened = Promise.withResolvers<Connection>();
  let askedAt = 0;
  const socket = openSocket({
    port: load.target.port,
    onOpen: () => opened.resolve(connection),
    onBytes: (bytes) => {
      try {
        if (answerEnds(bytes)) onAnswer(connection, askedAt);
      } catch (error) {
        onFailure(error as Error);
      }
    },
    onLost: (cause) => {
      opened.reject(cause);
      onFailure(cause);
    },
  });
  const connection: Connection = {
    ask(at) {
      askedAt = at;
      socket.write(request);
    },
    close: () => socket.destroy(),
  };
  return opened.promise;
}
