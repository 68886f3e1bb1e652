"""What the official `ollama` client makes of the gateway's answers. The first message names the answer to replay."""

from typing import Any

from ollama import Client

from cases import KEY, URL, as_json, case, run, until_raised

MODEL = "llama-test"
client = Client(host=URL, headers={"Authorization": f"Bearer {KEY}"})


def asking(fixture: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": f"fixture:{fixture}"}]}


@case
def chat():
    return as_json(client.chat(**asking("ollama/chat")))


@case
def chat_stream():
    pieces = list(client.chat(**asking("ollama/chat-stream"), stream=True))
    return {"text": "".join(piece.message.content or "" for piece in pieces), "last": as_json(pieces[-1])}


@case
def chat_thinking_stream():
    pieces = list(client.chat(**asking("ollama/chat-thinking-stream"), stream=True))
    return {
        "text": "".join(piece.message.content or "" for piece in pieces),
        "thinking": "".join(piece.message.thinking or "" for piece in pieces),
    }


@case
def tools():
    return as_json(client.chat(**asking("ollama/chat-tools")))


@case
def generate():
    return as_json(client.generate(model=MODEL, prompt="fixture:ollama/generate"))


@case
def generate_stream():
    pieces = list(client.generate(model=MODEL, prompt="fixture:ollama/generate-stream", stream=True))
    return {"text": "".join(piece.response for piece in pieces), "last": as_json(pieces[-1])}


@case
def embed():
    return as_json(client.embed(model=MODEL, input=["fixture:ollama/embed", "world"]))


@case
def list_models():
    return [model.model for model in client.list().models]


@case
def show():
    return as_json(client.show(MODEL))


@case
def show_unknown():
    client.show("no-such-model")


@case
def wrong_key():
    stranger = Client(host=URL, headers={"Authorization": "Bearer pk_wrong"})
    stranger.chat(**asking("ollama/chat"))


@case
def unknown_model():
    client.chat(model="no-such-model", messages=[{"role": "user", "content": "x"}])


@case
def unknown_at_the_provider():
    client.chat(**asking("ollama/error-404-no-such-model"))


@case
def bad_request():
    client.chat(**asking("ollama/error-400-no-tools"))


@case
def provider_failed():
    client.chat(**asking("ollama/error-500-runner"))


@case
def error_mid_stream():
    pieces = client.chat(**asking("ollama/error-mid-stream"), stream=True)
    return until_raised(pieces, lambda piece: piece.message.content)


@case
def cut_mid_stream():
    pieces = client.chat(**asking("cut:ollama/chat-stream"), stream=True)
    cut = lambda: client.chat(**asking("now:ollama/chat"))
    return until_raised(pieces, lambda piece: piece.message.content, cut)


run()
