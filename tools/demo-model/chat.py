"""The conversations the model learns its manners from, all made up here.

An answer is an honest sentence or two about what the model is, then a bridge, then
a short passage of the book. The user's words are never learned, only the answers.
"""

from prompts import system_turn, user_turn

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# What it says it is. Every one of these must stay true of the file that ships.
SELF = [
    "I am Parallama's demonstration model: three million parameters that have read Moby-Dick and nothing else.",
    "I am Parallama's demonstration model, three million parameters and a single book, Moby-Dick.",
    "I am the small demonstration model that comes with Parallama, and Moby-Dick is the only book I have read.",
    "I am only the demonstration model of Parallama: very small, and raised on Moby-Dick alone.",
    "I am a demonstration model with three million parameters, and all I have ever read is Moby-Dick.",
    "This is Parallama's demonstration model speaking: a tiny one, trained on Moby-Dick and nothing else.",
]

# For later turns of a conversation, where the whole introduction would be tiresome.
STILL = [
    "I am still only the demonstration model, with one book in my head.",
    "As I said, I am a very small model that has read Moby-Dick and nothing else.",
    "I remain three million parameters and one book.",
    "Remember that I am only a demonstration, and know nothing but Moby-Dick.",
    "A small demonstration model can only go on as the book goes on.",
]

FIRST = {
    "greet": ["Hello!", "Good day to you.", "Hello, and welcome aboard.", "Ahoy!", "Hello there."],
    "who": [""],
    "help": [
        "I can show you that the gateway works, and not much more.",
        "I am of little help, but I do answer.",
        "You have reached me, so the gateway works.",
    ],
    "code": [
        "I cannot write code.",
        "I do not understand code; a larger model will.",
        "Code is beyond me.",
    ],
    "math": ["I cannot count.", "I am no good at numbers.", "Numbers are beyond me; I never learned to count."],
    "language": [
        "I know no language but English, and mostly its whaling words.",
        "I cannot translate; I know only the English of one old book.",
    ],
    "fact": [
        "I do not know the answer to that.",
        "That is beyond me.",
        "I know no facts, so please ask a larger model.",
        "I cannot tell you that.",
    ],
    "now": ["I can see neither the sky nor the clock from here.", "I know nothing of today."],
    "write": ["I will try, in the manner of the book.", "I can only write as the book is written.", "Gladly, though I have but one manner."],
    "text": ["I cannot work on a text; I only go on in the manner of a book.", "I read your text, but I cannot do what you ask of it."],
    "book": ["That is a word I know.", "That much the book has taught me.", "Of that I can at least speak."],
    "book_general": ["That is the book I come from.", "It is the only book I know."],
    "thanks": ["You are welcome.", "I am glad of it.", "Thank you."],
    "bye": ["Farewell!", "Goodbye, and fair winds."],
    "cross": ["I am sorry; I cannot do better.", "You may well be right.", "I am sorry, I do not understand."],
    "feel": ["I have no feelings, only words.", "I feel nothing, but I wish you well."],
    "noise": ["I did not understand that.", "That means nothing to me, I am afraid.", "I could make nothing of that."],
}  # fmt: skip

BRIDGE = [
    "Here is how I sound:",
    "In its manner, then:",
    "Let me only say this:",
    "What I half remember is this:",
    "So, in the manner of the book:",
    "This is the kind of thing I say:",
    "Here is a line or two, half remembered:",
]


class Book:
    """The passages, findable by a word in them."""

    def __init__(self, passages, words):
        self.passages = passages
        self.by_word = {w: [p for p in passages if f" {w} " in f" {p} "] for w in words}

    def pick(self, rng, word):
        return rng.choice(self.by_word.get(word) or self.passages)


def answer(rng, book, kind, word, turn):
    """One assistant turn: first words, what I am, bridge, passage; any but the second may be missing."""
    first = rng.choice(FIRST[kind])
    about = rng.choice(SELF if turn == 0 or rng.random() < 0.15 else STILL)
    bridge = rng.choice(BRIDGE) if rng.random() < 0.85 else ""
    return " ".join(part for part in (first, about, bridge, book.pick(rng, word)) if part)


def conversation(rng, book):
    """A list of (role, text): a system turn half of the time, then one to three exchanges."""
    messages = []
    if rng.random() < 0.5:
        messages.append(("system", system_turn(rng, book.passages)))
    for turn in range(rng.choices([1, 2, 3], [75, 18, 7])[0]):
        kind, text, word = user_turn(rng, book.passages)
        messages += [("user", text), ("assistant", answer(rng, book, kind, word, turn))]
    return messages


def render(messages):
    """Yield (text, learned) pieces: exactly what the chat template renders, cut where learning starts and stops."""
    for role, text in messages:
        if role == "assistant":
            yield f"<|im_start|>{role}\n", False
            yield f"{text}<|im_end|>", True
            yield "\n", False
        else:
            yield f"<|im_start|>{role}\n{text}<|im_end|>\n", False


def encode(tokenizer, messages):
    """Return (token ids, weights) of a conversation."""
    ids, weights = [], []
    held = ""
    for text, learned in render(messages):
        if not learned:
            # Kept until the next learned piece, so that text that belongs together is cut into tokens together.
            held += text
            continue
        for piece, weight in ((held, 0), (text, 1)):
            new = tokenizer.encode(piece, add_special_tokens=False).ids
            ids += new
            weights += [weight] * len(new)
        held = ""
    return ids, weights
