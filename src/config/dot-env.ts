/** One variable of a `.env` file. `line` counts from 1 and is where its name stands. */
export interface DotEnvVariable {
  readonly value: string;
  readonly line: number;
}

export interface DotEnv {
  readonly variables: ReadonlyMap<string, DotEnvVariable>;
  /** Lines that could not be read. Never holds their text: it may be half of a secret. */
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*(.*)$/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/**
 * Reads a `.env` file as `dotenv` and docker compose do: `NAME=value`, an optional `export`, comments after ` #`,
 * single quotes taken literally, double quotes with \n, \r, \t and \x for any other x. Both kinds of quotes may span
 * lines. The last assignment of a name wins. `${NAME}` is not expanded.
 */
export function parseDotEnv(text: string): DotEnv {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const variables = new Map<string, DotEnvVariable>();
  const problems: { line: number; message: string }[] = [];
  for (let index = 0; index < lines.length; index++) {
    const content = lines[index] ?? "";
    if (/^\s*(#|$)/.test(content)) continue;
    const line = index + 1;
    const match = ASSIGNMENT.exec(content);
    const name = match?.[1];
    if (name === undefined) {
      problems.push({ line, message: "expected NAME=value" });
      continue;
    }
    const rest = match?.[2] ?? "";
    const quote = rest[0];
    if (quote !== '"' && quote !== "'") {
      variables.set(name, { value: rest.replace(/(^|\s+)#.*$/, "").trim(), line });
      continue;
    }
    const quoted = readQuoted(lines, index, rest.slice(1), quote);
    if (quoted === undefined) {
      problems.push({ line, message: `the value of ${name} starts with ${quote} and never ends` });
      continue;
    }
    index = quoted.lastIndex;
    variables.set(name, { value: quoted.value, line });
    if (!/^\s*(#.*)?$/.test(quoted.after)) {
      problems.push({ line: index + 1, message: `there is text after the closing ${quote} of ${name}` });
    }
  }
  return { variables, problems };
}

interface Quoted {
  readonly value: string;
  readonly after: string;
  readonly lastIndex: number;
}

/** `first` is what follows the opening quote on line `startIndex`. */
function readQuoted(
  lines: readonly string[],
  startIndex: number,
  first: string,
  quote: '"' | "'",
): Quoted | undefined {
  let value = "";
  let content = first;
  for (let index = startIndex; index < lines.length; index++) {
    if (index > startIndex) {
      value += "\n";
      content = lines[index] ?? "";
    }
    for (let at = 0; at < content.length; at++) {
      const character = content[at] ?? "";
      if (character === quote) return { value, after: content.slice(at + 1), lastIndex: index };
      if (character === "\\" && quote === '"' && at + 1 < content.length) {
        at++;
        const escaped = content[at] ?? "";
        value += ESCAPES[escaped] ?? escaped;
      } else {
        value += character;
      }
    }
  }
  return undefined;
}
