const UNIT_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
  t: 1024 ** 4,
  tib: 1024 ** 4,
  tb: 1000 ** 4,
};

const SIZE = /^(\d{1,16}(?:\.\d{1,6})?)\s*([a-z]{0,3})$/i;

/**
 * Reads a size in bytes: a whole number, or text such as "32MiB", "100M", "1.5 GB".
 *
 * K, M, G, T and KiB, MiB, GiB, TiB are powers of 1024 (as logrotate and systemd read them); KB, MB, GB, TB are
 * powers of 1000. Letter case does not matter. Anything else, or what is not a whole number of bytes, gives
 * `undefined`.
 */
export function parseSize(raw: string | number): number | undefined {
  if (typeof raw === "number") return wholeBytes(raw);
  const match = SIZE.exec(raw.trim());
  if (!match) return undefined;
  const unit = UNIT_BYTES[(match[2] ?? "").toLowerCase()];
  return unit === undefined ? undefined : wholeBytes(Number(match[1]) * unit);
}

function wholeBytes(bytes: number): number | undefined {
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}

/** The shortest text that `parseSize` reads back as the same number: "32MiB", "1000". */
export function formatSize(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const factor = UNIT_BYTES[unit.toLowerCase()] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}
