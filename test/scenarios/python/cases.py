"""Runs the cases of one client and prints one JSON line for each: {"case", "result"} or {"case", "raised"}."""

import json
import os
from typing import Any, Callable

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["GATEWAY_KEY"]

_cases: list[tuple[str, Callable[[], Any]]] = []


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    """Registers a function as a case under its own name; what it returns must be JSON."""
    _cases.append((function.__name__, function))
    return function


def run() -> None:
    for name, function in _cases:
        try:
            line = {"case": name, "result": function()}
        except Exception as thrown:
            line = {"case": name, "raised": described(thrown)}
        print(json.dumps(line), flush=True)


def described(thrown: Exception) -> dict[str, Any]:
    """What a program that catches it can see."""
    return {
        "class": type(thrown).__name__,
        "bases": [base.__name__ for base in type(thrown).__mro__],
        "status": getattr(thrown, "status_code", None),
        "message": str(thrown),
        "code": getattr(thrown, "code", None),
        "body": getattr(thrown, "body", None),
        "requestId": getattr(thrown, "request_id", None),
    }


def as_json(value: Any) -> Any:
    """A client's own object as plain JSON."""
    return value.model_dump(mode="json", exclude_none=True)


def until_raised(
    pieces: Any, text_of: Callable[[Any], str | None], at_first: Callable[[], Any] = lambda: None
) -> dict[str, Any]:
    """Reads a stream that breaks: the text until then, and what was raised. `at_first` runs at the first text."""
    seen = ""
    try:
        for piece in pieces:
            text = text_of(piece) or ""
            if text and not seen:
                at_first()
            seen += text
    except Exception as thrown:
        return {"seen": seen, "raised": described(thrown)}
    return {"seen": seen, "raised": None}
