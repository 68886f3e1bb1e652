import { errorBody, toApiError } from "./api-error.ts";

/**
 * Server-sent events of `chunks`, closed by `data: [DONE]`; a failure on the way becomes an error event instead.
 * It does not wait for a slow reader: what a model says is small and bounded by its context, while its slot is
 * scarce, and a client that stops reading must not keep it. `onCancel` is called when the reader goes away.
 */
export function eventStream(
  chunks: AsyncIterable<object>,
  onCancel: () => void,
  onError: (thrown: unknown) => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let cancelled = false;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (data: string) => {
        if (!cancelled) controller.enqueue(encoder.encode(`data: ${data}\n\n`));
      };
      const run = async () => {
        try {
          for await (const chunk of chunks) send(JSON.stringify(chunk));
          send("[DONE]");
        } catch (thrown) {
          if (!cancelled) onError(thrown);
          send(JSON.stringify(errorBody(toApiError(thrown))));
        }
        if (!cancelled) controller.close();
      };
      void run();
    },
    cancel() {
      cancelled = true;
      onCancel();
    },
  });
}

/** The iterable again, after its first element has come: so that early failures can still choose a status. */
export async function primed<T>(source: AsyncGenerator<T, void, void>): Promise<AsyncIterable<T>> {
  const first = await source.next();
  return (async function* () {
    if (first.done === true) return;
    try {
      yield first.value;
      yield* source;
    } finally {
      await source.return();
    }
  })();
}
