import type { FileHandle } from "node:fs/promises";

/** The file is not a usable GGUF file; the message says why, without the path. */
export class GgufError extends Error {
  constructor(reason: string) {
    super(`not a usable GGUF file: ${reason}`);
    this.name = "GgufError";
  }
}

const windowBytes = 256 * 1024;
/** The largest vocabularies take about 20 MB; a header beyond this is not one. */
const largestHeaderBytes = 256 * 1024 * 1024;
const longestStringBytes = 16 * 1024 * 1024;
const deepestArrays = 4;

/** Value types of the format, in the order of their numbers, with their size in bytes; 0: it varies. */
const typeSizes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8] as const;
const stringType = 8;
const arrayType = 9;

/** Reads the values of a GGUF header one after the other. Throws `GgufError` where they cannot be. */
export class GgufReader {
  readonly #file: FileHandle;
  readonly #sizeBytes: number;
  #window: Buffer = Buffer.alloc(0);
  #windowStart = 0;
  #position = 0;

  constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.#sizeBytes = sizeBytes;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  async uint32(): Promise<number> {
    return (await this.#take(4)).readUInt32LE();
  }

  async uint64(): Promise<number> {
    const value = (await this.#take(8)).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new GgufError("a number is impossibly large");
    return Number(value);
  }

  async text(lengthBytes: number): Promise<string> {
    return (await this.#take(lengthBytes)).toString("utf8");
  }

  async skip(lengthBytes: number): Promise<void> {
    this.#checkWithin(lengthBytes);
    this.#position += lengthBytes;
  }

  /** A metadata value of the given type number; arrays are skipped and come back as undefined. */
  async value(type: number): Promise<string | number | bigint | boolean | undefined> {
    if (type === arrayType) {
      await this.#skipArray(1);
      return undefined;
    }
    if (type === stringType) return await this.text(await this.#stringLength());
    const bytes = await this.#take(sizeOf(type));
    switch (type) {
      case 0:
        return bytes.readUInt8();
      case 1:
        return bytes.readInt8();
      case 2:
        return bytes.readUInt16LE();
      case 3:
        return bytes.readInt16LE();
      case 4:
        return bytes.readUInt32LE();
      case 5:
        return bytes.readInt32LE();
      case 6:
        return bytes.readFloatLE();
      case 7:
        return bytes.readUInt8() !== 0;
      case 10:
        return numberIfSafe(bytes.readBigUInt64LE());
      case 11:
        return numberIfSafe(bytes.readBigInt64LE());
      default:
        return bytes.readDoubleLE();
    }
  }

  async #skipArray(depth: number): Promise<void> {
    if (depth > deepestArrays) throw new GgufError("its arrays are nested too deep");
    const type = await this.uint32();
    const length = await this.uint64();
    const size = type === stringType || type === arrayType ? 0 : sizeOf(type);
    if (size > 0) {
      await this.skip(length * size);
      return;
    }
    // Each element takes at least its length field, so the file's size bounds this loop.
    this.#checkWithin(length * 8);
    for (let index = 0; index < length; index++) {
      if (type === stringType) await this.skip(await this.#stringLength());
      else await this.#skipArray(depth + 1);
    }
  }

  async #stringLength(): Promise<number> {
    const lengthBytes = await this.uint64();
    if (lengthBytes > longestStringBytes) throw new GgufError("a text is impossibly long");
    return lengthBytes;
  }

  #checkWithin(lengthBytes: number): void {
    if (this.#position + lengthBytes > this.#sizeBytes)
      throw new GgufError("it is cut off inside its header");
    if (this.#position + lengthBytes > largestHeaderBytes)
      throw new GgufError("its header is impossibly large");
  }

  async #take(lengthBytes: number): Promise<Buffer> {
    this.#checkWithin(lengthBytes);
    const from = this.#position - this.#windowStart;
    if (from < 0 || from + lengthBytes > this.#window.length) await this.#fill(lengthBytes);
    const start = this.#position - this.#windowStart;
    this.#position += lengthBytes;
    return this.#window.subarray(start, start + lengthBytes);
  }

  async #fill(lengthBytes: number): Promise<void> {
    const wanted = Math.min(Math.max(windowBytes, lengthBytes), this.#sizeBytes - this.#position);
    const window = Buffer.alloc(wanted);
    const { bytesRead } = await this.#file.read(window, 0, wanted, this.#position);
    if (bytesRead < lengthBytes) throw new GgufError("it is cut off inside its header");
    this.#window = window.subarray(0, bytesRead);
    this.#windowStart = this.#position;
  }
}

function sizeOf(type: number): number {
  const size = typeSizes[type];
  if (size === undefined) throw new GgufError(`it has a value of unknown type ${type}`);
  return size;
}

function numberIfSafe(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
