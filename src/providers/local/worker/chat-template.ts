import { Template } from "@huggingface/jinja";
import { badRequest } from "./api-error.ts";

/** One message as a chat template wants it. Content is text: parts were joined. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  readonly name?: string;
  readonly tool_calls?: readonly unknown[];
  readonly tool_call_id?: string;
}

/** A stretch of a rendered prompt; `isTemplate` says that special tokens in it are meant as such. */
export interface PromptPart {
  readonly text: string;
  readonly isTemplate: boolean;
}

/** What of a model the template needs. */
export interface TemplateModel {
  /** Jinja, from the file's `tokenizer.chat_template`; undefined if it has none. */
  readonly source: string | undefined;
  readonly bosText: string;
  readonly eosText: string;
  /** Texts of the control tokens, such as `<|im_end|>`. */
  readonly controlTexts: readonly string[];
}

/** Renders conversations the way a model was trained to read them. */
export class ChatTemplate {
  readonly #template: Template | undefined;
  readonly #model: TemplateModel;
  readonly #controlPattern: RegExp | undefined;

  /** Throws if the template cannot be parsed. */
  constructor(model: TemplateModel) {
    this.#model = model;
    this.#template = model.source === undefined ? undefined : new Template(model.source);
    const alternatives = model.controlTexts.filter((text) => text !== "").map(escapeForPattern);
    this.#controlPattern = alternatives.length > 0 ? new RegExp(alternatives.join("|"), "g") : undefined;
  }

  /** Stop strings that the plain rendering needs, since nothing marks the end of a turn in it. */
  get extraStops(): readonly string[] {
    return this.#template === undefined ? ["\nUser:", "\nSystem:"] : [];
  }

  /**
   * The prompt that asks for the next assistant turn. What a message says stays text: where it spells a
   * control token, that stretch is handed back apart, so that nobody can forge a turn.
   * Throws 400 when the template refuses the conversation.
   */
  render(messages: readonly ChatMessage[]): readonly PromptPart[] {
    const guard = new ControlTextGuard(this.#controlPattern);
    const guarded = messages.map((message) => guard.hide(message));
    if (this.#template === undefined) return guard.reveal(renderPlainly(guarded));
    return guard.reveal(this.#renderTemplate(this.#template, guarded));
  }

  #renderTemplate(template: Template, messages: readonly ChatMessage[]): string {
    try {
      return this.#fill(template, messages);
    } catch (cause) {
      const merged = mergeSystem(messages);
      try {
        if (merged !== undefined) return this.#fill(template, merged);
      } catch {
        // The first refusal tells more.
      }
      const why = cause instanceof Error ? cause.message.slice(0, 300) : "no reason given";
      throw badRequest(`The model's chat template refuses these messages: ${why}`, "messages");
    }
  }

  #fill(template: Template, messages: readonly ChatMessage[]): string {
    return template.render({
      messages,
      add_generation_prompt: true,
      bos_token: this.#model.bosText,
      eos_token: this.#model.eosText,
    });
  }
}

/** Some templates know no system role: its text then opens the first user message. */
function mergeSystem(messages: readonly ChatMessage[]): readonly ChatMessage[] | undefined {
  const system = messages.filter((message) => message.role === "system");
  const others = messages.filter((message) => message.role !== "system");
  const [first, ...rest] = others;
  if (system.length === 0 || first?.role !== "user") return undefined;
  const content = [...system, first].map((message) => message.content).join("\n\n");
  return [{ ...first, content }, ...rest];
}

const plainNames = { system: "System", user: "User", assistant: "Assistant", tool: "Tool" } as const;

/** For a model whose file has no template: names, colons, blank lines. */
function renderPlainly(messages: readonly ChatMessage[]): string {
  const turns = messages.map((message) => `${plainNames[message.role]}: ${message.content}\n\n`);
  return `${turns.join("")}Assistant:`;
}

/** Replaces control-token texts by marks that no input can contain, and finds them again after rendering. */
class ControlTextGuard {
  readonly #pattern: RegExp | undefined;
  readonly #nonce = crypto.randomUUID();
  readonly #hidden: string[] = [];

  constructor(pattern: RegExp | undefined) {
    this.#pattern = pattern;
  }

  hide(message: ChatMessage): ChatMessage {
    return {
      role: message.role,
      content: this.#hideText(message.content),
      ...(message.name === undefined ? {} : { name: this.#hideText(message.name) }),
      ...(message.tool_call_id === undefined ? {} : { tool_call_id: this.#hideText(message.tool_call_id) }),
      ...(message.tool_calls === undefined
        ? {}
        : { tool_calls: message.tool_calls.map((c) => this.#hideDeep(c)) }),
    };
  }

  reveal(rendered: string): readonly PromptPart[] {
    if (this.#hidden.length === 0) return [{ text: rendered, isTemplate: true }];
    const pieces = rendered.split(new RegExp(`\\{\\{${this.#nonce}:(\\d+)\\}\\}`));
    return pieces
      .map((piece, index) =>
        index % 2 === 0
          ? { text: piece, isTemplate: true }
          : { text: this.#hidden[Number(piece)] ?? "", isTemplate: false },
      )
      .filter((part) => part.text !== "");
  }

  #hideText(text: string): string {
    if (this.#pattern === undefined) return text;
    return text.replace(this.#pattern, (found) => `{{${this.#nonce}:${this.#hidden.push(found) - 1}}}`);
  }

  #hideDeep(value: unknown): unknown {
    if (typeof value === "string") return this.#hideText(value);
    if (Array.isArray(value)) return value.map((item) => this.#hideDeep(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [this.#hideText(key), this.#hideDeep(item)]),
    );
  }
}

function escapeForPattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
