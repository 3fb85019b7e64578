"""What a device holds of one namespace, or of a part of it."""

from __future__ import annotations

from gpu.bank.segment import Segment, SegmentSnapshot
from gpu.device.attributes import DeviceAttributes
from gpu.device.coded import CodedRows
from gpu.device.mirror import DeviceRows
from gpu.device.page_mirror import Mirror, move
from gpu.device.pool import DevicePool
from gpu.device.rules import CodeRules


class SegmentCopy:
    """The vectors of a segment, and its attributes from the first question on that needs them. One caller at a time.

    Attributes:
        rows: the vectors.
        codes: the same in a coarse tier, where there are so many that the rules want it; None else.
        attributes: None while nobody asked for them; a part of a namespace has none.
    """

    def __init__(self, pool: DevicePool, segment: Segment, start: int = 0, code_rules: CodeRules | None = None) -> None:
        """Begins empty, see `PageMirror`; without rules there are no codes."""
        self.rows = DeviceRows(pool, segment, start)
        self.codes: CodedRows | None = None
        self.attributes: DeviceAttributes | None = None
        self._code_rules = code_rules
        self._start = start
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
        self._follow_codes(seen, end)
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

    def _follow_codes(self, seen: SegmentSnapshot, end: int | None) -> None:
        rules = self._code_rules
        if rules is None or (seen.n_views if end is None else end) - self._start < rules.codes_from:
            return
        if self.codes is None:
            self.codes = CodedRows(self._pool, self.segment, self._start, tier=rules.tier, exact=self.rows)
        self.codes.follow(seen, end)

    def drop_codes(self) -> bool:
        """Gives the pages of the codes back, and makes none any more; whether there were any."""
        self._code_rules = None
        if self.codes is None:
            return False
        self.codes.release()
        self.codes = None
        return True

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
        return [mirror for mirror in (self.rows, self.codes, self.attributes) if mirror is not None]
