"""When important memories are due to be looked at again, so that they are not lost.

A memory is due once its retention has fallen to a bound (`Policy.rehearse_below`): early enough that it is still
remembered, late enough that looking again makes it last (the spacing effect, see `lifecycle.retention`). So the
interval is S * ln(1 / bound). Remembered, it lasts longer and so does the next interval: by a part that depends on the
bound alone, 1.65 times at 0.9. Not remembered, its stability halves, and it comes again that much sooner. Either way it
has been seen, and fades anew from there.

That a review is due when the chance to remember falls to a bound, and not at fixed times: Woźniak and Gorzelańczyk 1994
(Acta Neurobiologiae Experimentalis 54:59), and FSRS (Ye, Su and Cao 2022, doi:10.1145/3534678.3539081).

Nothing is stored for it but what fading stores: a use in between moves the next rehearsal, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lifecycle.fading import Faded, FadedColumns, stabilities_of
from lifecycle.policy import Policy
from lifecycle.retention import Grade, after_recall, elapsed_until


def due_s(memory: Faded, policy: Policy) -> float:
    """When a memory is due, in seconds since the epoch."""
    return memory.since_s + elapsed_until(policy.rehearse_below, memory.stability(policy))


def all_due_s(memories: FadedColumns, policy: Policy) -> NDArray[np.float64]:
    """When each of many memories is due, in seconds since the epoch, float64 `[n]`."""
    found: NDArray[np.float64] = memories.since_s - stabilities_of(memories, policy) * np.log(policy.rehearse_below)
    return found


def after_rehearsal(stored_s: float, level: float, *, is_remembered: bool) -> float:
    """The stored stability after a rehearsal, in seconds.

    Args:
        stored_s: before it.
        level: retention at the moment of it, from 0 to 1.
        is_remembered: whether it was known without being shown.
    """
    return after_recall(stored_s, level, Grade.USED if is_remembered else Grade.WRONG)
