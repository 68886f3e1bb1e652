/** By this header the worker says at once how long the prompt is: of a stream that is cut short, its end is not seen. */
export const promptTokensHeader = "x-parallama-prompt-tokens";

/** Undefined where the header is missing, as on answers that are not streamed. */
export function promptTokensOf(headers: Headers): number | undefined {
  const value = headers.get(promptTokensHeader);
  return value !== null && /^\d{1,12}$/.test(value) ? Number(value) : undefined;
}
