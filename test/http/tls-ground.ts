/** A gateway that speaks TLS itself, with an authority of its own, and clients of it. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type Agent, request } from 'node:https';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { ConfigInput } from '../../src/config/schema.ts';
import { type Authority, makeAuthority, type Pair, temporaryFolder } from '../support/certificates.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startUpstream, type TestUpstream } from '../support/upstream.ts';
import { answerAsAsked } from './answers.ts';
import type { Reply } from './client.ts';

type Listen = NonNullable<ConfigInput['listen']>;

export interface TlsGround {
  readonly folder: string;
  readonly authority: Authority;
  readonly gateway: TestGateway;
  readonly upstream: TestUpstream;
  /** Puts another pair where the gateway looks for it; a text in place of one of them is as it is. */
  renew(pair: Partial<Pair>): Promise<void>;
  /** A request on a connection of its own, unless an agent has one. */
  ask(wanted: Wanted): Promise<Reply>;
  /** A connection, once its handshake has ended. */
  connect(options?: ConnectionOptions): Promise<TLSSocket>;
}

export interface Wanted {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly agent?: Agent;
  /** What the client shows. */
  readonly pair?: Pair;
}

/** @param listen beside the files of the certificate */
export async function startTlsGround(
  t: Pick<TestContext, 'after'>,
  listen: (folder: string, authority: Authority) => Omit<Listen, 'tls'> & { tls?: Partial<Listen['tls']> },
  answer: Parameters<typeof startUpstream>[0] = answerAsAsked,
): Promise<TlsGround> {
  const folder = await temporaryFolder(t);
  const authority = await makeAuthority(folder, 'authority');
  const cert_file = join(folder, 'server.pem');
  const key_file = join(folder, 'server.key');
  const renew: TlsGround['renew'] = async ({ cert, key }) => {
    if (cert !== undefined) await writeFile(cert_file, cert);
    if (key !== undefined) await writeFile(key_file, key);
  };
  await renew(await authority.issue('gateway'));
  const upstream = await startUpstream(answer);
  t.after(() => upstream.stop());
  const { tls, ...others } = listen(folder, authority);
  const gateway = await startGateway({
    config: {
      listen: { ...others, tls: { ...tls, cert_file, key_file } },
      upstreams: [{ name: 'gpu', url: upstream.url }],
      models: [{ name: 'public', upstreams: ['gpu'] }],
    },
  });
  t.after(() => gateway.stop());
  const { hostname: host, port: portText } = new URL(gateway.url);
  const port = Number(portText);
  return {
    folder,
    authority,
    gateway,
    upstream,
    renew,
    async ask({ path, method = 'GET', headers = {}, body, agent, pair }) {
      const startedAtMs = performance.now();
      const outgoing = request({
        ...{ host, port, path, method, headers, ca: authority.cert, agent: agent ?? false, ...pair },
      });
      outgoing.end(body);
      const [response] = await once(outgoing, 'response');
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece);
      const tookMs = performance.now() - startedAtMs;
      return { status: response.statusCode, headers: response.headers, body: Buffer.concat(pieces), tookMs };
    },
    async connect(options = {}) {
      const socket = connect({ host, port, ca: authority.cert, ...options });
      await once(socket, 'secureConnect');
      return socket;
    },
  };
}
