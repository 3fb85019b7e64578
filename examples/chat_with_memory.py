"""Any OpenAI-compatible client with a memory, scripted here: `python -m examples.chat_with_memory`."""

from __future__ import annotations

from typing import Any

from memsvc_client import MemoryClient, with_memory


def create(*, model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Stands where `OpenAI().chat.completions.create` would."""
    remembered = [one["content"] for one in messages if one["role"] == "system"]
    text = f"{model} was told:\n{remembered[-1]}" if remembered else f"{model} knows nothing yet."
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def main() -> None:
    """Two conversations: the second knows what was said in the first."""
    with MemoryClient(namespace="examples/chat") as memory:
        for said in ("I drink Assam tea in the morning.", "Which tea do I drink?"):
            with memory.session(user_id="ada", token_budget=200) as session:
                chat = with_memory(create, session)
                answer = chat(model="scripted", messages=[{"role": "user", "content": said}])
                print(f"{said}\n  {answer['choices'][0]['message']['content']}")


if __name__ == "__main__":
    main()
