/** Writes GGUF headers for tests: little-endian, as the format's document has them. */

const types = { uint32: 4, string: 8, array: 9, uint64: 10 } as const;

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);
}

export const ggufEntry = {
  text: (key: string, value: string) => Buffer.concat([text(key), uint32(types.string), text(value)]),
  uint32: (key: string, value: number) => Buffer.concat([text(key), uint32(types.uint32), uint32(value)]),
  uint64: (key: string, value: bigint) => Buffer.concat([text(key), uint32(types.uint64), uint64(value)]),
  texts: (key: string, values: readonly string[]) =>
    Buffer.concat([
      text(key),
      uint32(types.array),
      uint32(types.string),
      uint64(values.length),
      ...values.map(text),
    ]),
  /** An array that claims a length it does not have. */
  claimedTexts: (key: string, length: bigint) =>
    Buffer.concat([text(key), uint32(types.array), uint32(types.string), uint64(length)]),
  nestedArrays: (key: string, depth: number) =>
    Buffer.concat([
      text(key),
      uint32(types.array),
      ...Array.from({ length: depth }, () => Buffer.concat([uint32(types.array), uint64(1)])),
      uint32(types.uint32),
      uint64(0),
    ]),
  ofType: (key: string, type: number) => Buffer.concat([text(key), uint32(type), uint64(0)]),
};

export function ggufTensor(name: string, dimensions: readonly number[], offset: number): Buffer {
  return Buffer.concat([
    text(name),
    uint32(dimensions.length),
    ...dimensions.map(uint64),
    uint32(0),
    uint64(offset),
  ]);
}

export function ggufFile(
  entries: readonly Buffer[],
  tensors: readonly Buffer[] = [],
  head: {
    magic?: string;
    version?: number;
    tensorCount?: bigint;
    entryCount?: bigint;
    dataBytes?: number;
  } = {},
): Buffer {
  const header = Buffer.concat([
    Buffer.from(head.magic ?? "GGUF"),
    uint32(head.version ?? 3),
    uint64(head.tensorCount ?? tensors.length),
    uint64(head.entryCount ?? entries.length),
    ...entries,
    ...tensors,
  ]);
  const padding = Buffer.alloc((32 - (header.length % 32)) % 32);
  return Buffer.concat([header, padding, Buffer.alloc(head.dataBytes ?? 0)]);
}
