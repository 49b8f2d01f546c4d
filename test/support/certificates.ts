/** Certificates for one test, made on the spot: skip where `missingPrograms('openssl')` says so. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** In PEM, and the file that holds it. */
  readonly cert: string;
  readonly certFile: string;
  /** For 127.0.0.1, or of a client. */
  issue(subject: string, days?: number): Promise<Pair>;
}

/** @param folder where its files lie; goes with the test */
export async function makeAuthority(folder: string, name: string): Promise<Authority> {
  const openssl = (...parameters: string[]) => run('openssl', parameters, { cwd: folder });
  const text = (file: string) => readFile(join(folder, file), 'utf8');
  await openssl(
    ...['req', '-x509', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.pem`],
    ...['-days', '400', '-subj', `/CN=${name}`],
  );
  await writeFile(join(folder, 'names'), 'subjectAltName=IP:127.0.0.1');
  let issued = 0;
  return {
    cert: await text(`${name}.pem`),
    certFile: join(folder, `${name}.pem`),
    async issue(subject, days = 90) {
      issued += 1;
      const file = `${name}-${issued}`;
      await openssl(
        ...['req', ...newKey, '-keyout', `${file}.key`, '-out', `${file}.csr`, '-subj', `/CN=${subject}`],
      );
      await openssl(
        ...['x509', '-req', '-in', `${file}.csr`, '-CA', `${name}.pem`, '-CAkey', `${name}.key`],
        ...['-CAcreateserial', '-out', `${file}.pem`, '-days', String(days), '-extfile', 'names'],
      );
      return { cert: await text(`${file}.pem`), key: await text(`${file}.key`) };
    },
  };
}

export async function temporaryFolder(t: Pick<TestContext, 'after'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
