/** The files of a listener's TLS: read, and judged as a whole before anything is made of them. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { ListenerTlsConfig } from '../config/tls.ts';

/** A certificate and its key that OpenSSL takes. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  /** Of clients' authorities; undefined: no client is asked. */
  readonly ca: string | undefined;
  /** Of all three texts: whether they are the same as before. */
  readonly digest: string;
  /** SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it. */
  readonly fingerprint: string;
  /** Of the certificate, since 1970. Those of its authorities do not count: chains may hold one that nobody needs. */
  readonly beginsAtMs: number;
  readonly endsAtMs: number;
}

/** A problem begins with the name of the setting; nothing of a key is ever in it. */
export type TlsReading =
  | { readonly ok: true; readonly material: TlsMaterial }
  | { readonly ok: false; readonly problem: string };

export async function readTlsFiles(files: ListenerTlsConfig): Promise<TlsReading> {
  const cert = await readPem('cert_file', files.cert_file);
  if (!cert.ok) return cert;
  const key = await readPem('key_file', files.key_file);
  if (!key.ok) return key;
  if (files.client_ca_file === undefined) return judge(cert.text, key.text, undefined);
  const ca = await readPem('client_ca_file', files.client_ca_file);
  return ca.ok ? judge(cert.text, key.text, ca.text) : ca;
}

async function readPem(
  setting: string,
  path: string,
): Promise<{ ok: true; text: string } | { ok: false; problem: string }> {
  try {
    return { ok: true, text: await readFile(path, 'utf8') };
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    return { ok: false, problem: `${setting}: the file cannot be read (${reason}); check path and rights` };
  }
}

function judge(cert: string, key: string, ca: string | undefined): TlsReading {
  const certificate = attempt(() => new X509Certificate(cert));
  if (!certificate) return refused('cert_file: there is no certificate in PEM in it');
  const privateKey = attempt(() => createPrivateKey(key));
  if (!privateKey) return refused('key_file: there is no private key in PEM without a passphrase in it');
  if (!certificate.checkPrivateKey(privateKey)) return refused('key_file: belongs to another certificate');
  if (ca !== undefined && !attempt(() => new X509Certificate(ca)))
    return refused('client_ca_file: there is no certificate in PEM in it');
  if (!attempt(() => createSecureContext({ cert, key, ca })))
    return refused('cert_file: OpenSSL does not take this certificate, or one behind it');
  const digest = createHash('sha256')
    .update(JSON.stringify([cert, key, ca]))
    .digest('base64');
  const { fingerprint256: fingerprint, validFromDate, validToDate } = certificate;
  const beginsAtMs = validFromDate.getTime();
  const endsAtMs = validToDate.getTime();
  return { ok: true, material: { cert, key, ca, digest, fingerprint, beginsAtMs, endsAtMs } };
}

function refused(problem: string): TlsReading {
  return { ok: false, problem };
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
