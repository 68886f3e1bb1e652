/** Control characters, and those that turn the direction of text: what somebody stored must not steer a terminal. */
const STEERING = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** One line of harmless text: line ends and tabs become blanks, other control characters are made visible. */
export function plainText(text: string): string {
  return text
    .replace(/\r\n|[\r\n\t]/g, " ")
    .replace(STEERING, "�")
    .toWellFormed();
}
