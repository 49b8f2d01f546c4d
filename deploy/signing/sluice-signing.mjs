/**
 * Signs requests to Sluice by RFC 9421. No dependencies; Node 18 or later. Copy it into your project.
 *
 *     import OpenAI from 'openai';
 *     import { signedFetch } from './sluice-signing.mjs';
 *
 *     const signer = { keyId: 'sgn_…', privateKey: readFileSync('signing-key.pem', 'utf8') };
 *     const client = new OpenAI({ baseURL: 'https://…/v1', apiKey: 'unused', fetch: signedFetch(signer) });
 */
import { createHash, createHmac, createPrivateKey, randomBytes, sign } from 'node:crypto';

/** Beside these, only what the gateway demands is signed. */
const ALSO_SIGNED = ['content-type', 'idempotency-key', 'prefer'];
const SECRET_PREFIX = 'sigsec_';

/**
 * A `fetch` that signs. Each request is signed anew, so tries after the first are no replays.
 * @param {{ keyId: string, privateKey?: string, secret?: string }} signer `privateKey`: Ed25519, as PEM; or `secret`
 */
export function signedFetch(signer, send = fetch) {
  return async (input, init = {}) => {
    const request = new Request(input, init);
    const body = Buffer.from(await request.arrayBuffer());
    const headers = signedHeaders(
      { method: request.method, url: request.url, headers: request.headers, body },
      signer,
    );
    headers.delete('authorization');
    return send(request.url, {
      ...init,
      method: request.method,
      headers,
      ...(body.length > 0 && { body }),
    });
  };
}

/** The headers of a request together with those that sign it. */
export function signedHeaders(
  { method, url, headers = {}, body = Buffer.alloc(0) },
  signer,
  nowMs = Date.now(),
) {
  const { host, pathname, search } = new URL(url);
  const all = new Headers(headers);
  const parts = [
    ['@method', method.toUpperCase()],
    ['@authority', host],
    ['@path', pathname],
  ];
  if (search) parts.push(['@query', search]);
  if (body.length > 0) {
    all.set('content-digest', `sha-256=:${createHash('sha256').update(body).digest('base64')}:`);
    parts.push(['content-digest', all.get('content-digest')]);
  }
  for (const name of ALSO_SIGNED) if (all.has(name)) parts.push([name, all.get(name)]);

  const names = parts.map(([name]) => `"${name}"`).join(' ');
  const created = Math.floor(nowMs / 1000);
  const nonce = randomBytes(18).toString('base64url');
  const alg = signer.secret === undefined ? 'ed25519' : 'hmac-sha256';
  const parameters = `(${names});created=${created};keyid="${signer.keyId}";alg="${alg}";nonce="${nonce}"`;
  const base = [...parts, ['@signature-params', parameters]]
    .map(([name, value]) => `"${name}": ${value}`)
    .join('\n');
  all.set('signature-input', `sluice=${parameters}`);
  all.set('signature', `sluice=:${signatureOf(base, signer).toString('base64')}:`);
  return all;
}

function signatureOf(base, { privateKey, secret }) {
  if (secret === undefined) return sign(null, Buffer.from(base), createPrivateKey(privateKey));
  return createHmac('sha256', Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64'))
    .update(base)
    .digest();
}
