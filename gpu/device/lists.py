"""A namespace whose lists a device makes, where that is faster than scanning for them here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gpu.bank.lists import ListedBest
from gpu.bank.namespace import NamespaceBank
from gpu.bank.view import BankView
from gpu.device.asking import Searches, slots_in
from gpu.device.best import Best
from gpu.device.errors import DeviceLostError
from gpu.device.rules import DeviceRules
from gpu.ops.channel_pass.questions import Listed, Question


class DeviceLists:
    """Asks the device for one namespace; see `gpu.bank.lists.Lists`."""

    def __init__(
        self,
        bank: NamespaceBank,
        searches: Searches,
        rules: DeviceRules,
        count: Callable[[bool], None] = lambda is_answered: None,
    ) -> None:
        """Asks nothing yet.

        Args:
            bank: the namespace.
            searches: who is asked.
            rules: from when on.
            count: told of each question whether it was answered.
        """
        self._bank = bank
        self._searches = searches
        self._rules = rules
        self._count = count

    def find(self, view: BankView, question: Question, limit: int) -> Mapping[Listed, ListedBest] | None:
        """See `gpu.bank.lists.Lists`."""
        if view.scan.as_of_us is not None or not 0 < self._rules.lists_from <= view.eligible:
            return None  # closed versions are not on the device
        try:
            found = self._searches.lists(self._bank, question, limit)
        except DeviceLostError:
            self._count(False)
            return None
        self._count(True)
        return {which: _listed(view, best, limit) for which, best in found.items()}


def _listed(view: BankView, best: Best, limit: int) -> ListedBest:
    slots = slots_in(view, best)
    is_cut_off = best.scores.size >= limit
    return ListedBest(slots[view.mask()[slots] != 0], float(best.scores[-1]) if is_cut_off else 0.0)
