/**
 * Which tests hold the cases of security, so that whoever looks for one finds it, and none is lost when files are moved.
 * What each says: S1 smuggled requests; S2 forged headers; S3 jobs of other tenants; S4 guessed keys; S5 addresses that lead
 * inside; S6 hostile JSON; S7 slow connections; S8 replayed signatures; S9 routes and credentials; S10 planted secrets;
 * S11 made-up names as labels; S12 revocation under load.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const cases: Readonly<Record<string, readonly string[]>> = {
  S1: ['http/smuggling.test.ts', 'http/bad-http.test.ts', 'cluster/balancers/smuggling.test.ts'],
  S2: ['http/upstream-headers.test.ts', 'http/client-address.test.ts', 'security/headers-of-jobs.test.ts'],
  S3: ['http/jobs/owner.test.ts', 'cluster/jobs/strangers.test.ts'],
  S4: [
    ...['admission/malformed-keys.test.ts', 'admission/guesses.test.ts', 'admission/guesses-flood.test.ts'],
    ...['cluster/outage/guessed-keys.test.ts', 'admin/admin-guesses.test.ts'],
  ],
  S5: [
    ...['upstream/media-address.test.ts', 'upstream/media-fetch.test.ts', 'http/media.test.ts'],
    'jobs/webhooks/addresses.test.ts',
  ],
  S6: ['http/bad-body.test.ts', 'security/hostile-json.test.ts', 'core/json-scan.test.ts'],
  S7: [
    ...['http/slow-requests.test.ts', 'security/slow-connections.test.ts'],
    ...['upstream/never-reads.test.ts', 'upstream/slow-reader.test.ts'],
  ],
  S8: ['http/signature-replay.test.ts', 'http/signature-refused.test.ts'],
  S9: ['security/matrix.test.ts', 'admin/roles.test.ts', 'http/access.test.ts'],
  S10: [
    ...['security/planted-secrets.test.ts', 'http/planted-secrets.test.ts', 'http/jwt.test.ts'],
    ...['admission/secrets-at-rest.test.ts', 'admin/secrets.test.ts'],
  ],
  S11: ['watch/series.test.ts'],
  S12: ['cluster/outage/revoked-under-load.test.ts', 'http/revocation.test.ts'],
};

const pathOf = (file: string) => new URL(`../${file}`, import.meta.url);

for (const [name, files] of Object.entries(cases)) {
  test(`${name} is held by tests that exist`, () => {
    for (const file of files) {
      assert.ok(existsSync(pathOf(file)), `${file} has gone: say here where ${name} is held now`);
      assert.match(readFileSync(pathOf(file), 'utf8'), /^\s*test\(/m, file);
    }
  });
}
