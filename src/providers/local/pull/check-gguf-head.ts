import { PullStop } from "./pull-error.ts";

const magic = Buffer.from("GGUF");

/**
 * Judges the first bytes of a file: a GGUF model begins with `GGUF` (the format's specification in ggml's
 * `docs/gguf.md`). `undefined` while nothing is wrong; with `whole` set, too few bytes are wrong too.
 */
export function checkGgufHead(
  head: Buffer,
  source: string,
  contentType: string | null,
  whole = false,
): PullStop | undefined {
  const compared = Math.min(head.length, magic.length);
  if (
    head.subarray(0, compared).equals(magic.subarray(0, compared)) &&
    (compared === magic.length || !whole)
  ) {
    return undefined;
  }
  const text = head.toString("latin1").trimStart();
  if (text.startsWith("<") || /^text\/html\b/i.test(contentType ?? "")) {
    return new PullStop(
      "not_gguf",
      `${source} sent a web page instead of a model: perhaps a login or error page. Open it in a browser to see.`,
    );
  }
  if (text.startsWith("version https://git-lfs")) {
    return new PullStop("not_gguf", `${source} is a Git LFS pointer, not the model it stands for.`);
  }
  return new PullStop("not_gguf", `${source} is not a GGUF model: it does not begin with "GGUF".`);
}
