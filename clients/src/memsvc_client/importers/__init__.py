"""From what other memory services and chat programs export to memories; what reads each is in `KINDS`."""

from memsvc_client.importers.kinds import KINDS, Kind
from memsvc_client.importers.records import Item

__all__ = ["KINDS", "Item", "Kind"]
