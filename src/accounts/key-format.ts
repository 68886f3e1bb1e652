import type { RandomBytes } from "../core/ids.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH = 37;
const CHECKSUM_LENGTH = 6;
const OURS = /^(?:pk|sk|ak|om_[a-z]+)_([0-9A-Za-z]{43})$/;

/** The prefix says which door issued a key: `pk` a user's, `sk` a customer's, `ak` an administrator's. */
export type KeyPrefix = "pk" | "sk" | "ak";

/**
 * Makes a secret: `<prefix>_`, 37 base62 characters from a cryptographic source (220 bits), and 6 of the CRC-32 of all
 * that, so that a typing error, or a leak in a repository, is recognised without a database.
 */
export function newSecret(prefix: KeyPrefix, random: RandomBytes): string {
  const body = `${prefix}_${randomBase62(RANDOM_LENGTH, random)}`;
  return body + checksum(body);
}

/** Whether a presented key has our form and a wrong checksum: then no look-up is needed to refuse it. */
export function isMistyped(secret: string): boolean {
  if (!OURS.test(secret)) return false;
  const body = secret.slice(0, -CHECKSUM_LENGTH);
  return secret.slice(-CHECKSUM_LENGTH) !== checksum(body);
}

/** What is stored instead of the secret: its SHA-256, 64 hex digits. Enough, because a secret has 220 random bits. */
export function hashSecret(secret: string): string {
  return new Bun.CryptoHasher("sha256").update(secret).digest("hex");
}

function checksum(text: string): string {
  let rest = Bun.hash.crc32(text);
  let out = "";
  for (let i = 0; i < CHECKSUM_LENGTH; i++) {
    out = BASE62[rest % 62] + out;
    rest = Math.floor(rest / 62);
  }
  return out;
}

/** Uniform: bytes beyond the largest multiple of 62 are thrown away. */
function randomBase62(length: number, random: RandomBytes): string {
  const bytes = new Uint8Array(64);
  let out = "";
  while (out.length < length) {
    random(bytes);
    for (const byte of bytes) if (byte < 248 && out.length < length) out += BASE62[byte % 62];
  }
  return out;
}
