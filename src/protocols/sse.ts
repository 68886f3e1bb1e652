/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), as far as model APIs use them. */
const encoder = new TextEncoder();

/**
 * The data of one event: its `data:` lines joined. Comments, `event:`, `id:` and `retry:` lines are passed over, since
 * both protocols that name their events repeat the name inside the data.
 */
export function sseData(frame: Uint8Array): string | undefined {
  const text = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString("utf8");
  if (text.startsWith("data: ")) {
    const end = text.indexOf("\n");
    // The usual event is one line and its blank line.
    if (end < 0 || end >= text.length - 2) return text.slice(6, end < 0 ? undefined : end).trimEnd();
  }
  let data: string | undefined;
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (!line.startsWith("data:")) continue;
    const value = line.startsWith("data: ") ? line.slice(6) : line.slice(5);
    data = data === undefined ? value : `${data}\n${value}`;
  }
  return data;
}

export function sseEvent(data: unknown, event?: string): Uint8Array {
  const name = event === undefined ? "" : `event: ${event}\n`;
  return encoder.encode(`${name}data: ${JSON.stringify(data)}\n\n`);
}
