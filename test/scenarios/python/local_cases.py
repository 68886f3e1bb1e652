"""What the official `openai` client makes of a model that runs on the gateway's own machine."""

from typing import Any

from openai import OpenAI
from pydantic import BaseModel, Field

from cases import KEY, URL, as_json, case, run

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
request: dict[str, Any] = {
    "model": "parallama-demo",
    "messages": [{"role": "user", "content": "Hello!"}],
    "temperature": 0,
    "max_tokens": 12,
}


@case
def chat():
    answer = client.chat.completions.create(**request)
    return {"text": answer.choices[0].message.content, "usage": as_json(answer.usage)}


@case
def chat_stream():
    chunks = list(
        client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    return {"text": text, "usage": as_json(chunks[-1].usage)}


@case
def completions():
    answer = client.completions.create(model="parallama-demo", prompt="Call me", max_tokens=4)
    return as_json(answer)


@case
def embeddings():
    return len(client.embeddings.create(model="parallama-demo", input="a whale").data[0].embedding)


class Person(BaseModel):
    name: str = Field(max_length=8)
    age: int = Field(ge=1, le=99)


@case
def parsed():
    wanted = {**request, "max_tokens": 100, "temperature": 1, "seed": 1}
    answer = client.chat.completions.parse(**wanted, response_format=Person)
    return as_json(answer.choices[0].message.parsed)


@case
def tools_are_refused():
    client.chat.completions.create(
        **request, tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]
    )


run()
