import { randomBytes } from 'node:crypto';

/** `job_` and 26 characters of base32 in lower case. */
export const jobIdPattern = /^job_[a-z2-7]{26}$/;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const CHARACTERS = 26;

/** 130 random bits: whoever does not know an id does not find one by guessing. */
export function makeJobId(bytes: Buffer = randomBytes(CHARACTERS)): string {
  let id = 'job_';
  for (const byte of bytes) id += ALPHABET[byte % ALPHABET.length];
  return id;
}
