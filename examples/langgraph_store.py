"""A LangGraph agent that remembers its users over threads: `python -m examples.langgraph_store`."""

from __future__ import annotations

from typing import TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore

from memsvc_client import MemoryClient
from memsvc_client.integrations.langgraph import MemsvcStore


class State(TypedDict, total=False):
    """One turn."""

    user: str
    said: str
    answer: str


def answer(state: State, *, store: BaseStore) -> State:
    """Looks up what the user said before, then notes what they say now."""
    mine = ("users", state["user"])
    known = store.search(mine, query=state["said"], limit=1)
    store.put(mine, f"said: {state['said']}", {"text": state["said"]})
    return {"answer": f"You told me: {known[0].value['text']}" if known else "I do not know that yet."}


def main() -> None:
    """Two conversations of one user, and one of another."""
    with MemoryClient() as client:
        builder = StateGraph(State)
        builder.add_node("answer", answer)
        builder.add_edge(START, "answer")
        graph = builder.compile(store=MemsvcStore(client, root="examples/langgraph"))
        for user, said in (
            ("ada", "I drink green tea in the morning."),
            ("ada", "What do I drink in the morning?"),
            ("ben", "What do I drink in the morning?"),
        ):
            print(f"{user}: {said}\n  {graph.invoke({'user': user, 'said': said})['answer']}")


if __name__ == "__main__":
    main()
