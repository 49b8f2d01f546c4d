/** What operators do about signing keys. They stand in the record of their key, and end with it. */
import { randomBytes } from 'node:crypto';
import type { Config } from '../../config/schema.ts';
import { type Refusal, refusal } from '../../core/errors.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import { type KeyTable, keyTable } from '../../redis/key-table.ts';
import type { SigningAlgorithm, StoredSigningKey } from '../../redis/signing-key-records.ts';
import type { KeyResult } from '../keys/key-administration.ts';
import { reviseKey } from '../keys/key-changes.ts';
import { type KeyDigest, keyDigest } from '../keys/key-digest.ts';
import { utcDate } from '../keys/key-fields.ts';
import { randomBase62 } from '../keys/key-format.ts';
import { noSuchKey, refused, storeAway } from '../keys/store-refusals.ts';
import { type SealingBox, sealingBox } from '../sealing.ts';
import { readPublicKey } from './public-key.ts';
import { SIGNING_SECRET_PREFIX, sealedFor, signerSecret } from './signing-key.ts';
import { inForce, type SigningKeyView, view, withKey } from './signing-key-set.ts';

export type { SigningKeyView } from './signing-key-set.ts';

export interface NewSigningKey {
  readonly alg: SigningAlgorithm;
  /** ed25519: PEM, JWK as JSON text, or base64. */
  readonly public_key?: string | undefined;
  readonly note?: string | undefined;
  /** ISO 8601; null: as long as the key. */
  readonly expires_at?: string | null | undefined;
  /** Rotation: all other signing keys of the key end after so many seconds. Absent: they stay as they are. */
  readonly overlap_seconds?: number | undefined;
}

/** Refusals as those of `KeyStore`. A change holds on every replica within a second. */
export interface SigningKeys {
  /** A public key that the key has already is not entered twice: its note, end and the overlap are changed. */
  put(keyId: string, wanted: NewSigningKey): Promise<KeyResult<EnteredSigningKey>>;
  /** The newest first; without those that have ended. */
  list(keyId: string): Promise<KeyResult<{ readonly signingKeys: readonly SigningKeyView[] }>>;
  remove(
    keyId: string,
    id: string,
  ): Promise<KeyResult<{ readonly tenant: string; readonly signingKey: SigningKeyView }>>;
}

export interface EnteredSigningKey {
  readonly tenant: string;
  readonly signingKey: SigningKeyView;
  /** Undefined: it is new. */
  readonly before: SigningKeyView | undefined;
  /** Of an HMAC, which nobody can show again. */
  readonly secret?: string;
}

interface Parts {
  readonly table: KeyTable;
  readonly box: SealingBox;
  readonly digestOf: KeyDigest;
  /** Wall clock in milliseconds. */
  readonly now: () => number;
}

const SECRET_BYTES = 32;
/** For a day the log can tell that a signing key was taken away; after that it is simply unknown. */
const REMOVED_KEPT_MS = 86_400_000;

/** What HMAC secrets are sealed with. */
export function signingKeyBox(config: Pick<Config, 'secret'>): SealingBox {
  return sealingBox(config.secret, 'signing-keys:1');
}

export function createSigningKeys(
  redis: RedisConnection,
  config: Pick<Config, 'secret'>,
  now: () => number,
): SigningKeys {
  const parts: Parts = {
    table: keyTable(redis),
    box: signingKeyBox(config),
    digestOf: keyDigest(config.secret),
    now,
  };
  return {
    put: (keyId, wanted) => put(parts, keyId, wanted),
    async list(keyId) {
      const found = await parts.table.findById(keyId);
      if (!found.ok) return storeAway();
      if (!found.value) return noSuchKey(keyId);
      return { ok: true, signingKeys: inForce(found.value, now()).map(view) };
    },
    remove: (keyId, id) => remove(parts, keyId, id),
  };
}

async function put(parts: Parts, keyId: string, wanted: NewSigningKey): ReturnType<SigningKeys['put']> {
  const found = await parts.table.findById(keyId);
  if (!found.ok) return storeAway();
  if (!found.value) return noSuchKey(keyId);
  const made = make(parts, found.value.tenant, wanted);
  if (!made.ok) return refused(made.refusal);
  const { signingKey, secret } = made;
  // The pointer leads to the record, and grants nothing before that names the signing key.
  const claimed = await parts.table.claimSecret(signingKey.digest, {
    tenant: found.value.tenant,
    key: keyId,
  });
  if (!claimed.ok) return storeAway();
  let entered: StoredSigningKey | undefined;
  let before: StoredSigningKey | undefined;
  let gone: readonly StoredSigningKey[] = [];
  const revised = await reviseKey(parts, keyId, (stored) => {
    const next = withKey(stored, signingKey, wanted, parts.now());
    if ('message' in next) return next;
    entered = next.entered;
    before = stored.signing_keys?.find(({ id }) => id === next.entered.id);
    gone = (stored.signing_keys ?? []).filter(({ id }) => !next.all.some((one) => one.id === id));
    return { ...stored, signing_keys: next.all };
  });
  await forgetPointers(parts, entered?.id === signingKey.id ? gone : [...gone, signingKey]);
  if (!revised.ok) return revised;
  return {
    ok: true,
    tenant: revised.record.tenant,
    signingKey: view(entered ?? signingKey),
    before: before && view(before),
    ...(secret !== undefined && { secret }),
  };
}

/** Only tidies up, since the record decides: a failure here is none of the change. */
async function forgetPointers({ table, now }: Parts, gone: readonly StoredSigningKey[]): Promise<void> {
  if (gone.length === 0) return;
  const digests = gone.map(({ digest }) => digest);
  await table.expireSecrets(digests, now() + REMOVED_KEPT_MS);
}

type Made =
  | { readonly ok: true; readonly signingKey: StoredSigningKey; readonly secret: string | undefined }
  | { readonly ok: false; readonly refusal: Refusal };

function make({ box, digestOf, now }: Parts, tenant: string, wanted: NewSigningKey): Made {
  const { alg, public_key, note = '', expires_at = null } = wanted;
  const id = `sgn_${randomBase62(12)}`;
  const named = {
    id,
    alg,
    digest: digestOf(signerSecret(id)),
    note,
    created_at: new Date(now()).toISOString(),
    not_after: expires_at === null ? null : (utcDate(expires_at) ?? null),
  };
  if (alg === 'hmac-sha256') {
    if (public_key !== undefined)
      return invalid('public_key: must be left out; the gateway makes the secret.');
    const secret = SIGNING_SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64');
    return { ok: true, signingKey: { ...named, material: box.seal(sealedFor(tenant, id), secret) }, secret };
  }
  const read = readPublicKey(public_key ?? '');
  if (!read.ok) return invalid(`public_key: ${read.fault}.`);
  return { ok: true, signingKey: { ...named, material: read.x }, secret: undefined };
}

async function remove(parts: Parts, keyId: string, id: string): ReturnType<SigningKeys['remove']> {
  let removed: StoredSigningKey | undefined;
  const revised = await reviseKey(parts, keyId, (stored) => {
    removed = stored.signing_keys?.find((one) => one.id === id);
    if (!removed)
      return refusal('not_found', `The key has no signing key ${JSON.stringify(id.slice(0, 64))}.`);
    return { ...stored, signing_keys: stored.signing_keys?.filter((one) => one !== removed) };
  });
  if (!revised.ok) return revised;
  const gone = removed as StoredSigningKey;
  await forgetPointers(parts, [gone]);
  return { ok: true, tenant: revised.record.tenant, signingKey: view(gone) };
}

function invalid(message: string): Made {
  return { ok: false, refusal: refusal('invalid_parameter', message, { param: 'public_key' }) };
}
