"""What the official `anthropic` client makes of the gateway's answers. The first message names the answer to replay."""

from typing import Any

from anthropic import Anthropic

from cases import KEY, URL, as_json, case, run, until_raised

MODEL = "claude-test"
client = Anthropic(base_url=URL, api_key=KEY, max_retries=0)


def asking(fixture: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"fixture:{fixture}"}]
    return {"model": MODEL, "max_tokens": 4096, "messages": messages}


def streamed(fixture: str) -> dict[str, Any]:
    with client.messages.stream(**asking(fixture)) as stream:
        text = "".join(stream.text_stream)
        return {"text": text, "message": as_json(stream.get_final_message())}


@case
def create():
    return as_json(client.messages.create(**asking("anthropic-messages/text")))


@case
def by_bearer():
    # The other way in which the client sends a key.
    bearer = Anthropic(base_url=URL, auth_token=KEY, api_key=None, max_retries=0)
    return as_json(bearer.messages.create(**asking("anthropic-messages/text")))


@case
def stream():
    return streamed("anthropic-messages/text-stream-ping")


@case
def raw_stream():
    events = client.messages.create(**asking("anthropic-messages/text-stream-ping"), stream=True)
    return [event.type for event in events]


@case
def tools():
    return as_json(client.messages.create(**asking("anthropic-messages/tool-use")))


@case
def tools_stream():
    return streamed("anthropic-messages/parallel-tool-use-stream")


@case
def thinking_stream():
    return streamed("anthropic-messages/thinking-stream")


@case
def models_list():
    return [model.id for model in client.models.list()]


@case
def models_retrieve():
    return as_json(client.models.retrieve(MODEL))


@case
def wrong_key():
    stranger = Anthropic(base_url=URL, api_key="pk_wrong", max_retries=0)
    stranger.messages.create(**asking("anthropic-messages/text"))


@case
def unknown_model():
    client.messages.create(model="no-such-model", max_tokens=9, messages=[{"role": "user", "content": "x"}])


@case
def bad_request():
    client.messages.create(**asking("anthropic-messages/error-400-invalid-request"))


@case
def rate_limit():
    client.messages.create(**asking("anthropic-messages/error-429-rate-limit"))


@case
def overloaded():
    client.messages.create(**asking("anthropic-messages/error-529-overloaded"))


def text_of(event: Any) -> str | None:
    return getattr(getattr(event, "delta", None), "text", None)


@case
def error_mid_stream():
    events = client.messages.create(**asking("anthropic-messages/error-mid-stream"), stream=True)
    return until_raised(events, text_of)


@case
def cut_mid_stream():
    events = client.messages.create(**asking("cut:anthropic-messages/text-stream-ping"), stream=True)
    cut = lambda: client.messages.create(**asking("now:anthropic-messages/text"))
    return until_raised(events, text_of, cut)


run()
