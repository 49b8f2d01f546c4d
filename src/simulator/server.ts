/**
 * A GPU server without a GPU: OpenAI's routes with the manners of vLLM, plainly labelled as a simulation, with
 * faults on demand. Any number of them fit in one process.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Connection } from './call.ts';
import { Dispatch } from './dispatch.ts';
import { createFaultBook } from './fault-book.ts';
import { createLedger } from './ledger.ts';
import { type SimulatorOptions, settingsOf } from './options.ts';
import { Pacer } from './pacer.ts';
import { createState, type Recorder, type SimulatorState } from './state.ts';

export interface Simulator {
  /** Port 0 takes a free one. Rejects when the address is taken. */
  listen(host: string, port: number): Promise<{ url: string }>;
  /** Ends every connection. */
  close(): Promise<void>;
  readonly state: SimulatorState;
}

export function createSimulator(options: SimulatorOptions = {}): Simulator {
  const settings = settingsOf(options);
  const ledger = createLedger();
  const pacer = new Pacer();
  const recorder: Recorder = { last: undefined };
  let frozen: (() => void)[] = [];

  const faults = createFaultBook(({ freeze }) => {
    if (freeze) return pacer.pause();
    pacer.resume();
    const waiting = frozen;
    frozen = [];
    for (const serve of waiting) serve();
  });
  const state = createState(ledger, faults, recorder);
  const dispatch = new Dispatch({ settings, ledger, pacer, recorder, faults, state });

  const server = createServer({
    keepAliveTimeout: settings.keepAliveTimeoutMs,
    keepAliveTimeoutBuffer: 0,
    requestTimeout: 0,
    headersTimeout: 0,
    noDelay: true,
  });
  const connections = trackConnections(server, ledger);

  server.on('request', (request, response) => {
    const connection = connections.get(request.socket);
    if (!connection) return;
    if (!faults.switches.freeze || dispatch.isControl(request))
      return dispatch.serve(connection, request, response);
    frozen.push(() => {
      if (!request.socket.destroyed) dispatch.serve(connection, request, response);
    });
  });

  return {
    state,
    async listen(host, port) {
      await listening(server, host, port);
      const address = server.address() as AddressInfo;
      return { url: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}` };
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of connections.keys()) socket.destroy();
      await closed;
      pacer.stop();
    },
  };
}

function trackConnections(server: Server, ledger: ReturnType<typeof createLedger>): Map<Socket, Connection> {
  const connections = new Map<Socket, Connection>();
  server.on('connection', (socket) => {
    connections.set(socket, { socket, requests: 0 });
    ledger.counts.connections++;
    ledger.counts.connections_total++;
    ledger.changed();
    // A client that has sent FIN is gone, as uvicorn sees it: what runs for it stops now.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      connections.delete(socket);
      ledger.counts.connections--;
      ledger.changed();
    });
  });
  return connections;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
