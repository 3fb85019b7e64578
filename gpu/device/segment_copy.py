"""What a device holds of one namespace, or of a part of it."""

from __future__ import annotations

from gpu.bank.segment import Segment, SegmentSnapshot
from gpu.device.attributes import DeviceAttributes
from gpu.device.mirror import DeviceRows
from gpu.device.page_mirror import Mirror, move
from gpu.device.pool import DevicePool


class SegmentCopy:
    """The vectors of a segment, and its attributes from the first question on that needs them. One caller at a time.

    Attributes:
        rows: the vectors.
        attributes: None while nobody asked for them; a part of a namespace has none.
    """

    def __init__(self, pool: DevicePool, segment: Segment, start: int = 0) -> None:
        """Begins empty, see `PageMirror`."""
        self.rows = DeviceRows(pool, segment, start)
        self.attributes: DeviceAttributes | None = None
        self._pool = pool

    @property
    def segment(self) -> Segment:
        """What it copies."""
        return self.rows.segment

    @property
    def memory_bytes(self) -> int:
        """Bytes of its pages."""
        return sum(mirror.memory_bytes for mirror in self._mirrors)

    def follow(self, seen: SegmentSnapshot, end: int | None, *, attributes: bool) -> None:
        """Copies what is new, and marks what died.

        Args:
            seen: what is there.
            end: see `PageMirror.follow`.
            attributes: whether these are needed; otherwise they stay as they are.

        Raises:
            DeviceMemoryFullError: there is no room. What was copied stays right, and the next call goes on.
        """
        self.rows.follow(seen, end)
        if end is not None:
            self.drop_attributes()
        elif attributes:
            if self.attributes is None:
                self.attributes = DeviceAttributes(self._pool, self.segment)
            self.attributes.follow(seen)

    def bury(self, seen: SegmentSnapshot) -> None:
        """Marks what died up to a snapshot; what was erased is overwritten with zeros."""
        for mirror in self._mirrors:
            mirror.bury(seen)

    def move_to(self, pool: DevicePool) -> None:
        """Takes the pages to another pool as they are; searched again after the next `follow`.

        Raises:
            DeviceMemoryFullError: there is no room; nothing has changed.
        """
        move(self._mirrors, pool)
        self._pool = pool

    def drop_attributes(self) -> bool:
        """Gives the pages of the attributes back; whether there were any."""
        if self.attributes is None:
            return False
        self.attributes.release()
        self.attributes = None
        return True

    def release(self) -> None:
        """Gives the pages back, zeroed. The copy is of no use any more."""
        for mirror in self._mirrors:
            mirror.release()

    @property
    def _mirrors(self) -> list[Mirror]:
        return [self.rows] if self.attributes is None else [self.rows, self.attributes]
