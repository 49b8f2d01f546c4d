/** TLS of the public listener: HTTP/1.1 over TLS 1.2 and 1.3, whose files are read anew when they are renewed. */
import { constants } from 'node:crypto';
import type { Server as NetServer } from 'node:net';
import type { SecureContextOptions, Server, TlsOptions } from 'node:tls';
import type { ListenerTlsConfig } from '../config/tls.ts';
import type { Logger } from '../telemetry/log.ts';
import { readTlsFiles, type TlsMaterial } from './tls-files.ts';

interface ListenerTlsParts {
  readonly config: ListenerTlsConfig;
  /** For a client to end its handshake; only then the time for its headers begins. */
  readonly handshakeMs: number;
  /** Between two looks at the files. */
  readonly lookEveryMs: number;
  /** Since 1970. */
  readonly wallMs: () => number;
  readonly log: Logger;
}

const DAY_MS = 86_400_000;
/** From then on the log reminds of it, once a day. The alerts begin at the same time. */
const ENDS_SOON_MS = 14 * DAY_MS;

export class ListenerTls {
  readonly #parts: ListenerTlsParts;
  #material: TlsMaterial;
  /** What was wrong with the files when they were last looked at; said once. */
  #problem: string | undefined;
  #remindedAtMs = Number.NEGATIVE_INFINITY;
  #server: Server | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  private constructor(parts: ListenerTlsParts, material: TlsMaterial) {
    this.#parts = parts;
    this.#material = material;
  }

  /** @throws when the files cannot be used, with the setting, the problem and the remedy */
  static async open(parts: ListenerTlsParts): Promise<ListenerTls> {
    const reading = await readTlsFiles(parts.config);
    if (!reading.ok) throw new Error(`listen.tls.${reading.problem}`);
    return new ListenerTls(parts, reading.material);
  }

  /** What a server is made with. */
  get serverOptions(): TlsOptions {
    const { config, handshakeMs } = this.#parts;
    return {
      ...secureOptions(this.#material),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: handshakeMs,
      requestCert: this.#material.ca !== undefined,
      rejectUnauthorized: config.client_certificates === 'require',
    };
  }

  /** When the certificate in force ends, since 1970. */
  get endsAtMs(): number {
    return this.#material.endsAtMs;
  }

  /** From now on new connections of this server, made with `serverOptions`, get what the files hold. */
  watch(server: NetServer): void {
    this.#server = server as Server;
    this.#remind();
    this.#timer = setInterval(() => void this.look(), this.#parts.lookEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks at the files now. What they hold counts as a whole or not at all. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const reading = await readTlsFiles(this.#parts.config);
    const problem = reading.ok ? this.#objection(reading.material) : reading.problem;
    if (problem !== undefined && problem !== this.#problem)
      this.#parts.log.error({ problem: `listen.tls.${problem}` }, 'certificate not taken; the old one stays');
    this.#problem = problem;
    if (reading.ok && problem === undefined && reading.material.digest !== this.#material.digest)
      this.#take(reading.material);
    this.#remind();
  }

  /** A pair that nobody believes must not take the place of one that serves. */
  #objection({ beginsAtMs, endsAtMs }: TlsMaterial): string | undefined {
    const nowMs = this.#parts.wallMs();
    if (this.#material.endsAtMs < nowMs) return undefined;
    if (endsAtMs < nowMs) return `cert_file: has ended on ${new Date(endsAtMs).toISOString()}`;
    if (beginsAtMs > nowMs) return `cert_file: does not hold before ${new Date(beginsAtMs).toISOString()}`;
    return undefined;
  }

  #take(material: TlsMaterial): void {
    this.#material = material;
    this.#remindedAtMs = Number.NEGATIVE_INFINITY;
    this.#server?.setSecureContext(secureOptions(material));
    const { fingerprint, endsAtMs } = material;
    const line = { fingerprint, ends_at: new Date(endsAtMs).toISOString() };
    this.#parts.log.info(line, 'certificate read anew');
  }

  #remind(): void {
    const nowMs = this.#parts.wallMs();
    const { endsAtMs } = this.#material;
    if (endsAtMs - nowMs > ENDS_SOON_MS || nowMs - this.#remindedAtMs < DAY_MS) return;
    this.#remindedAtMs = nowMs;
    const line = { ends_at: new Date(endsAtMs).toISOString() };
    this.#parts.log.warn(line, endsAtMs < nowMs ? 'certificate has ended' : 'certificate ends soon');
  }
}

function secureOptions({ cert, key, ca }: TlsMaterial): SecureContextOptions {
  if (ca === undefined) return { cert, key, minVersion: 'TLSv1.2' };
  // A session that is taken up again shows no certificate, and would bring back what was found of it hours ago.
  return { cert, key, ca, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET };
}
