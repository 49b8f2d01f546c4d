/** Streams that stay open: counts tokens and how long each was on its way. */
import { setTimeout as delay } from 'node:timers/promises';
import { openSocket, requireSuccess } from './client-socket.ts';
import { countCpu, percentiles, type StreamLoad, type StreamResult } from './load.ts';
import { residentBytes } from './processes.ts';
import { monotonicMicroseconds, requestBytes } from './requests.ts';
import { createTokenReader } from './token-reader.ts';

/** More at once would measure the listener's backlog. */
const OPENING_MAX = 100;

export async function runStreams(load: StreamLoad): Promise<StreamResult> {
  let delays: number[] = [];
  const firstTokens: number[] = [];
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // a connection may be lost before anybody waits
  const allOpen = Promise.withResolvers<void>();
  const request = requestBytes('stream', load.target);
  const close: (() => void)[] = [];

  const open = () => {
    const openedAt = performance.now();
    let first = true;
    let answered = false;
    const readToken = createTokenReader((sentAt) => {
      delays.push(monotonicMicroseconds() - sentAt);
      if (!first) return;
      first = false;
      firstTokens.push((performance.now() - openedAt) * 1_000);
      if (close.length < load.streams) open();
      else if (firstTokens.length === load.streams) allOpen.resolve();
    });
    const socket = openSocket({
      port: load.target.port,
      onOpen: () => socket.write(request),
      onBytes: (bytes) => {
        try {
          if (!answered) requireSuccess(bytes.toString('latin1'));
          answered = true;
          readToken(bytes);
        } catch (error) {
          failed.reject(error);
        }
      },
      onLost: failed.reject,
    });
    close.push(() => socket.destroy());
  };

  while (close.length < Math.min(OPENING_MAX, load.streams)) open();
  await Promise.race([allOpen.promise, failed.promise]);
  await Promise.race([delay(load.warmupMs), failed.promise]);
  delays = [];
  const stopCounting = countCpu(load.target);
  await Promise.race([delay(load.durationMs), failed.promise]);
  const cpu = stopCounting();
  const counted = delays;
  const proxyResidentBytes = residentBytes(load.target.pids);
  for (const closeOne of close) closeOne();
  return {
    ...cpu,
    tokens: counted.length,
    delayMicroseconds: percentiles(counted),
    firstTokenMicroseconds: percentiles(firstTokens),
    proxyResidentBytes,
  };
}
