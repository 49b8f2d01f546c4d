/** What the configuration says of tokens is refused where it would let in whoever it should not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';

const SHARED = 'a-secret-of-at-least-32-characters';
const good = { issuer: 'https://login.example', audience: 'sluice' };

function load(jwt: object) {
  const env = {
    SLUICE_SECRET: 'a secret of at least 32 characters',
    SLUICE_CONFIG: 'sluice.yaml',
    SHARED_SECRET: SHARED,
    SHORT_SECRET: 'too short',
  };
  return loadConfig({ env, readFile: () => stringify({ auth: { jwt } }) });
}

function faultOf(jwt: object): string {
  const loaded = load(jwt);
  return loaded.ok ? 'ok' : loaded.faults.map(({ path, problem }) => `${path}: ${problem}`).join('\n');
}

function issuerOf(more: object) {
  const loaded = load({ issuers: [{ ...good, ...more }] });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.config.auth.jwt?.issuers[0];
}

test('which algorithms an issuer may sign with: public keys or a secret, never both', () => {
  assert.deepEqual(issuerOf({})?.algorithms, ['RS256', 'ES256', 'EdDSA', 'PS256']);
  assert.deepEqual(issuerOf({ algorithms: ['ES384'] })?.algorithms, ['ES384']);
  const shared = issuerOf({ secret_env: 'SHARED_SECRET' });
  assert.deepEqual([shared?.algorithms, shared?.secret], [['HS256'], SHARED]);
  const fault = (more: object) => faultOf({ issuers: [{ ...good, ...more }] });
  assert.match(fault({ algorithms: ['HS256'] }), /^auth\.jwt\.issuers\[0\]\.algorithms: /);
  assert.match(fault({ algorithms: ['RS256', 'HS256'] }), /algorithms: /);
  assert.match(fault({ algorithms: ['none'] }), /algorithms/);
  assert.match(fault({ secret_env: 'SHARED_SECRET', algorithms: ['HS256', 'RS256'] }), /algorithms: /);
  assert.match(fault({ secret_env: 'SHARED_SECRET', jwks_url: 'https://login.example/keys' }), /jwks_url: /);
});

test('a secret comes from a variable, is long enough, and is shown nowhere', () => {
  const inFile = faultOf({ issuers: [{ ...good, secret: SHARED }] });
  assert.match(inFile, /issuers\[0\]\.secret: a secret must not stand in the file/);
  assert.match(faultOf({ issuers: [{ ...good, secret_env: 'NOT_SET' }] }), /NOT_SET is not set/);
  const short = faultOf({ issuers: [{ ...good, secret_env: 'SHORT_SECRET' }] });
  assert.match(short, /issuers\[0\]\.secret: /);
  assert.ok(![inFile, short].some((text) => text.includes(SHARED) || text.includes('too short')));
});

test('keys come over https, unless their host is listed', () => {
  const plain = { ...good, issuer: 'http://127.0.0.1:8090' };
  assert.match(faultOf({ issuers: [plain] }), /issuers\[0\]\.issuer: /);
  assert.equal(faultOf({ issuers: [plain], allowed_hosts: ['127.0.0.1:8090'] }), 'ok');
  assert.match(faultOf({ issuers: [{ ...good, jwks_url: 'http://login.example/keys' }] }), /jwks_url: /);
  assert.match(faultOf({ issuers: [{ ...good, issuer: 'login' }] }), /issuer: /);
  const named = { ...good, issuer: 'login', jwks_url: 'https://login.example/keys' };
  assert.equal(faultOf({ issuers: [named] }), 'ok');
});

test('an audience is always named, an issuer once, and a plan that there is', () => {
  assert.match(faultOf({ issuers: [{ issuer: good.issuer }] }), /audience: /);
  assert.match(faultOf({ issuers: [good, good] }), /issuers\[1\]\.issuer: /);
  assert.match(faultOf({ issuers: [{ ...good, plan: 'gold' }] }), /issuers\[0\]\.plan: /);
  const plans = { gold: { limits: { requests_per_minute: 10 } } };
  assert.equal(faultOf({ issuers: [{ ...good, plan: 'gold' }], plans }), 'ok');
  assert.match(
    faultOf({ issuers: [good], plans: { gold: { policy: 'none-such' } } }),
    /plans\.gold\.policy: no policy/,
  );
  assert.match(
    faultOf({ issuers: [good], plans: { gold: { limits: { rpm: 1 } } } }),
    /plans\.gold\.limits\.rpm/,
  );
  assert.match(faultOf({ issuers: [{ ...good, clock_tolerance_seconds: 301 }] }), /clock_tolerance_seconds/);
});
