"""LangGraph's long-term memory on a memsvc service; see docs/frameworks.md. Needs the extra `langgraph`."""

from memsvc_client.integrations.langgraph.store import MemsvcStore

__all__ = ["MemsvcStore"]
