"""A chat agent that knows on Tuesday what it was told on Monday: `python -m examples.chat_agent [--talk]`.

With `OPENAI_BASE_URL` and `OPENAI_MODEL` (and `OPENAI_API_KEY`, where one is asked for) any OpenAI-compatible model
answers; without them a scripted one, which repeats what the memory gave it. `--talk` takes your words, not the script.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from memsvc_client import MemoryClient, with_memory

INSTRUCTIONS = "You are a friendly assistant. Answer in one or two sentences."
DAYS = (
    ("I drink Assam tea in the morning.", "My sister Bea visits me in May."),
    ("Which tea should I buy?", "Who visits me in May?"),
)


def create(*, model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Stands where `OpenAI().chat.completions.create` would: the model at `OPENAI_BASE_URL`, or the scripted one."""
    if not (base := os.environ.get("OPENAI_BASE_URL")):
        return scripted(messages)
    key = os.environ.get("OPENAI_API_KEY", "none")
    answer = httpx.post(
        f"{base.rstrip('/')}/chat/completions",
        json={"model": model, "messages": messages},
        headers={"Authorization": f"Bearer {key}"},
        timeout=120,
    )
    answer.raise_for_status()
    return dict(answer.json())


def scripted(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """A model of few words: it says what stands in the memory's part of the prompt."""
    remembered = [
        line.split(") ", 1)[-1]
        for message in messages
        if message["role"] == "system" and message["content"] != INSTRUCTIONS
        for line in message["content"].splitlines()
        if line.startswith("[") and not line.endswith("?")
    ]
    text = f"You told me: {remembered[0]}" if remembered else "I will keep that in mind."
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def converse(memory: MemoryClient, said: Iterable[str]) -> None:
    """One conversation: each answer draws on all others, and every turn is remembered."""
    model = os.environ.get("OPENAI_MODEL", "scripted")
    only_users = {"speaker": "user"}  # the assistant's own answers are remembered, but nothing is built on them
    with memory.session(user_id="ada", token_budget=300, order="relevance", filter=only_users) as session:
        chat = with_memory(create, session)
        prompt = [{"role": "system", "content": INSTRUCTIONS}]
        for text in said:
            prompt.append({"role": "user", "content": text})
            answer = chat(model=model, messages=prompt)["choices"][0]["message"]["content"]
            prompt.append({"role": "assistant", "content": answer})
            print(f"you:   {text}\nagent: {answer}")


def typed() -> Iterator[str]:
    """What somebody types, until the end of the input."""
    while line := sys.stdin.readline().strip():
        yield line


def main() -> None:
    """Two conversations; the second knows what was said in the first."""
    with MemoryClient(namespace="examples/chat-agent") as memory:
        for said in [typed()] if "--talk" in sys.argv else DAYS:
            converse(memory, said)


if __name__ == "__main__":
    main()
