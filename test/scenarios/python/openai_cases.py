"""What the official `openai` client makes of the gateway's answers. The first message names the answer to replay."""

from typing import Any

from openai import OpenAI

from cases import KEY, URL, as_json, case, run, until_raised

MODEL = "gpt-test"
client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)


def asking(fixture: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": f"fixture:{fixture}"}]}


@case
def chat():
    return as_json(client.chat.completions.create(**asking("openai-chat/text")))


@case
def chat_stream():
    usage = {"include_usage": True}
    stream = client.chat.completions.create(
        **asking("openai-chat/text-stream-usage"), stream=True, stream_options=usage
    )
    chunks = list(stream)
    return {
        "text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "finish": [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1],
        "usage": as_json(chunks[-1].usage),
    }


@case
def chat_stream_without_usage():
    stream = client.chat.completions.create(**asking("openai-chat/text-stream-usage"), stream=True)
    chunks = list(stream)
    return {
        "text": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "anyUsage": any(chunk.usage is not None for chunk in chunks),
        "anyWithoutChoice": any(not chunk.choices for chunk in chunks),
    }


@case
def chat_stream_helper():
    with client.chat.completions.stream(**asking("openai-chat/text-stream-usage")) as stream:
        return as_json(stream.get_final_completion())


@case
def tools():
    answer = client.chat.completions.create(**asking("openai-chat/tool-call"))
    return as_json(answer.choices[0])


@case
def tools_stream():
    with client.chat.completions.stream(**asking("openai-chat/parallel-tool-calls-stream")) as stream:
        return as_json(stream.get_final_completion().choices[0])


@case
def raw_response():
    raw = client.chat.completions.with_raw_response.create(**asking("openai-chat/text"))
    return {"requestId": raw.headers.get("x-request-id"), "id": raw.parse().id, "own": raw.parse()._request_id}


@case
def completions():
    return as_json(client.completions.create(model=MODEL, prompt="fixture:openai-completions/text"))


@case
def embeddings():
    answer = client.embeddings.create(
        model=MODEL, input="fixture:openai-embeddings/float", encoding_format="float"
    )
    return as_json(answer)


@case
def embeddings_default_encoding():
    # The client asks for base64 by itself, and decodes what comes.
    return as_json(client.embeddings.create(model=MODEL, input="fixture:openai-embeddings/base64"))


@case
def models_list():
    return [model.id for model in client.models.list()]


@case
def models_retrieve():
    return as_json(client.models.retrieve(MODEL))


@case
def models_retrieve_unknown():
    return as_json(client.models.retrieve("no/such-model"))


@case
def wrong_key():
    stranger = OpenAI(base_url=f"{URL}/v1", api_key="pk_wrong", max_retries=0)
    stranger.chat.completions.create(**asking("openai-chat/text"))


@case
def unknown_model():
    client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "x"}])


@case
def bad_request():
    client.chat.completions.create(**asking("openai-chat/error-400-bad-request"))


@case
def body_that_is_no_chat():
    client.post("/chat/completions", cast_to=object, body={"messages": 7})


@case
def rate_limit():
    client.chat.completions.create(**asking("openai-chat/error-429-rate-limit"))


@case
def provider_failed():
    client.chat.completions.create(**asking("openai-chat/error-500-server"))


@case
def provider_refused_our_key():
    client.chat.completions.create(**asking("openai-chat/error-401-invalid-key"))


def text_of(chunk: Any) -> str | None:
    return chunk.choices[0].delta.content if chunk.choices else None


@case
def error_mid_stream():
    stream = client.chat.completions.create(**asking("openai-chat/error-mid-stream"), stream=True)
    return until_raised(stream, text_of)


@case
def cut_mid_stream():
    stream = client.chat.completions.create(**asking("cut:openai-chat/text-stream-usage"), stream=True)
    cut = lambda: client.chat.completions.create(**asking("now:openai-chat/text"))
    return until_raised(stream, text_of, cut)


run()
