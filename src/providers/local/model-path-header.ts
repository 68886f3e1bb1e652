/** Names the GGUF file to use in requests to the local model process. */
export const modelPathHeader = "x-parallama-model-path";

/** The header for an absolute path, percent-encoded, since a header cannot carry every character of a path. */
export function modelPathHeaders(path: string): Record<string, string> {
  return { [modelPathHeader]: encodeURI(path) };
}

/** The path in a header value; undefined if it is not percent-encoded. */
export function decodeModelPath(header: string): string | undefined {
  try {
    return decodeURIComponent(header);
  } catch {
    return undefined;
  }
}
