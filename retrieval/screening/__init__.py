"""What of a text looks like an instruction to whoever reads it, or is written so that people do not see it.

Advice, not a defence: rules find what is worded as attacks are worded, and nothing else (docs/decisions/0031). What
holds whatever the text says is done elsewhere: trust, quarantine, a cap on each source, and quoting.
"""

from __future__ import annotations

from retrieval.screening.disguise import is_disguised
from retrieval.screening.readings import readings
from retrieval.screening.rules import instructs

INSTRUCTION_LIKE = "instruction_like"
DISGUISED = "disguised"


def screen(text: str) -> tuple[str, ...]:
    """What was noticed: `DISGUISED`, `INSTRUCTION_LIKE`, both or nothing; in time linear in the text's length."""
    found = (DISGUISED,) if is_disguised(text) else ()
    return (*found, INSTRUCTION_LIKE) if any(instructs(reading) for reading in readings(text)) else found
