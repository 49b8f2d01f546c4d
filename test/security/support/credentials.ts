/** Everything with which somebody may come, good and bad: a column of the matrix each. */
import { newKeyId, newSecret } from '../../../src/admission/keys/key-format.ts';
import type { TestIssuer } from '../../admission/jwt/issuer.ts';
import { bearer, send } from '../../http/client.ts';
import { ed25519Signer, type Signer, signed } from '../../http/signing.ts';
import { ADMIN_TOKEN, type TestGateway, until } from '../../support/gateway.ts';

export interface Target {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly body: string | undefined;
}

export interface Credential {
  /** Heads its column: at most four characters. */
  readonly column: string;
  readonly meaning: string;
  /** Of a request to this target. */
  headersFor(target: Target): Record<string, string>;
  /** The same request is sent before, and the answer to the second one counts. */
  readonly isReplayed?: true;
}

/** Somewhere else than where the tests come from. */
const ELSEWHERE = '192.0.2.1';

export async function makeCredentials(gateway: TestGateway, issuer: TestIssuer): Promise<Credential[]> {
  return [
    fixed('none', 'nothing at all', {}),
    ...(await badKeys(gateway)),
    ...(await narrowKeys(gateway)),
    fixed('key', 'good key', bearer((await gateway.createKey()).key)),
    ...(await tokens(gateway, issuer)),
    ...(await signatures(gateway)),
    ...(await admins(gateway)),
  ];
}

function fixed(column: string, meaning: string, headers: Record<string, string>): Credential {
  return { column, meaning, headersFor: () => headers };
}

async function badKeys(gateway: TestGateway): Promise<Credential[]> {
  const [mistyped, expired, disabled, revoked, orphan] = await Promise.all([
    gateway.createKey(),
    gateway.createKey({ expires_at: new Date(Date.now() + 1_000).toISOString() }),
    gateway.createKey(),
    gateway.createKey(),
    gateway.createKey({ tenant: 'closed' }),
  ]);
  await gateway.admin('PATCH', `/keys/${disabled.id}`, { status: 'disabled' });
  await gateway.admin('DELETE', `/keys/${revoked.id}`);
  await gateway.admin('PATCH', '/tenants/closed', { status: 'disabled' });
  await until(() => isRefused(gateway, expired.key), 'the key to expire');
  const last = mistyped.key.endsWith('a') ? 'b' : 'a';
  return [
    fixed('form', 'malformed key: one character mistyped', bearer(mistyped.key.slice(0, -1) + last)),
    fixed('unkn', 'well-formed key that was never made', bearer(newSecret(newKeyId()))),
    fixed('expd', 'expired key', bearer(expired.key)),
    fixed('dsbl', 'disabled key', bearer(disabled.key)),
    fixed('revk', 'revoked key', bearer(revoked.key)),
    fixed('tnt', 'key of a disabled tenant', bearer(orphan.key)),
  ];
}

async function isRefused(gateway: TestGateway, key: string): Promise<boolean> {
  return (await send(gateway.url, '/v1/models', { method: 'GET', headers: bearer(key) })).status === 401;
}

async function narrowKeys(gateway: TestGateway): Promise<Credential[]> {
  const terms: [column: string, meaning: string, terms: object][] = [
    ['inf', 'key with the scope inference alone', { scopes: ['inference'] }],
    ['jobs', 'key with the scope jobs alone', { scopes: ['jobs'] }],
    ['usg', 'key with the scope usage alone', { scopes: ['usage'] }],
    ['addr', 'key outside its address list', { allowed_addresses: [ELSEWHERE] }],
    ['nsig', 'key that has to sign, without a signature', { require_signature: true }],
    ['ncrt', 'key that has to show a certificate, without one', { require_client_certificate: true }],
  ];
  return Promise.all(
    terms.map(async ([column, meaning, wanted]) =>
      fixed(column, meaning, bearer((await gateway.createKey({ ...wanted })).key)),
    ),
  );
}

async function tokens(gateway: TestGateway, issuer: TestIssuer): Promise<Credential[]> {
  await gateway.admin('POST', '/tenants', { name: 'strict', require_jwt: true });
  const { key } = await gateway.createKey({ tenant: 'strict' });
  const good = await issuer.token({ tenant: 'strict', scope: 'inference jobs usage' });
  const expired = await issuer.token({ tenant: 'strict', exp: 1_000_000_000, iat: 999_999_999 });
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`;
  const closed = await issuer.token({ tenant: 'closed' });
  return [
    fixed('njwt', 'key of a tenant that takes tokens alone', bearer(key)),
    fixed('jwt', 'good JWT', bearer(good)),
    fixed('jwtx', 'expired JWT', bearer(expired)),
    fixed('jwtn', 'JWT with the algorithm none', bearer(unsigned)),
    fixed('jwtt', 'JWT of a disabled tenant', bearer(closed)),
  ];
}

async function signatures(gateway: TestGateway): Promise<Credential[]> {
  const { id } = await gateway.createKey({ require_signature: true });
  const signer = await ed25519Signer(gateway, id);
  const sign = ({ path, body, ...rest }: Target, by: Signer) =>
    signed({ ...rest, target: path, ...(body !== undefined && { body }) }, by);
  const seen = new Map<string, Record<string, string>>();
  return [
    { column: 'sig', meaning: 'good signature', headersFor: (target) => sign(target, signer) },
    {
      column: 'sigx',
      meaning: 'signature of another path',
      headersFor: (target) => sign({ ...target, path: '/elsewhere' }, signer),
    },
    {
      column: 'sigr',
      meaning: 'good signature, replayed',
      isReplayed: true,
      headersFor(target) {
        const name = JSON.stringify(target);
        const headers = seen.get(name) ?? sign(target, signer);
        seen.set(name, headers);
        return headers;
      },
    },
  ];
}

async function admins(gateway: TestGateway): Promise<Credential[]> {
  const make = async (role: string) =>
    (await gateway.admin('POST', '/admins', { name: `the ${role}`, role })).body as {
      id: string;
      key: string;
    };
  const [viewer, operator, owner, gone] = await Promise.all(
    ['viewer', 'operator', 'owner', 'owner'].map(make),
  );
  await gateway.admin('PATCH', `/admins/${gone?.id}`, { status: 'disabled' });
  return [
    fixed('root', 'admin token of the environment', bearer(ADMIN_TOKEN)),
    fixed('view', 'admin key, viewer', bearer(viewer?.key ?? '')),
    fixed('oper', 'admin key, operator', bearer(operator?.key ?? '')),
    fixed('ownr', 'admin key, owner', bearer(owner?.key ?? '')),
    fixed('dsad', 'disabled admin key of an owner', bearer(gone?.key ?? '')),
  ];
}
