"""The courses of a life as a picture. Needs matplotlib, the extra `lab`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lifecycle.lab.compare import Point
from lifecycle.lab.course import Course
from lifecycle.policy import Level

DPI = 75
_COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#edae49", "#6a4c93", "#555555", "#00798c", "#9c6644")
_LEVELS = ("#1b4965", "#5fa8d3", "#bee9e8", "#cccccc", "#eeeeee")


class MissingError(Exception):
    """matplotlib is not installed."""


def draw(path: Path, title: str, courses: Mapping[str, Course], compared: Mapping[str, Sequence[Point]]) -> None:
    """Draws retention, levels, quality, bytes, and quality at equal bytes.

    Args:
        path: of the PNG.
        title: above all.
        courses: by the name of the policy; the levels are those of the last one.
        compared: see `lifecycle.lab.compare`; may be empty.

    Raises:
        MissingError: matplotlib is not installed; the message says how to get it.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingError("a picture needs matplotlib: pip install 'memsvc[lab]'") from None
    figure = Figure(figsize=(13, 7.2), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    grid = figure.subplots(2, 3)
    retention, quality, size, levels, classes, equal = grid.ravel()
    for (name, course), colour in zip(courses.items(), _COLOURS * len(courses), strict=False):
        low, middle, high = course.retention.T
        retention.plot(course.days, middle, color=colour, label=name)
        retention.fill_between(course.days, low, high, color=colour, alpha=0.12, linewidth=0)
        quality.plot(course.days, course.quality, color=colour, label=name)
        size.plot(course.days, course.bytes / 2**20, color=colour, label=name)
    retention.set(title="retention: median, 10 % to 90 %", ylim=(0, 1.02), xlabel="day")
    quality.set(title="needs that are found, last 30 days", ylim=(0, 1.02), xlabel="day")
    size.set(title="resident, MiB", xlabel="day", ylim=(0, None))
    name, last = list(courses.items())[-1]
    names = [level.name.lower() for level in Level]
    levels.stackplot(last.days, last.counts.T, labels=names, colors=_LEVELS, linewidth=0)
    levels.set(title=f"memories by level: {name}", xlabel="day")
    levels.legend(loc="upper left", fontsize=8)
    kinds = sorted({kind for course in courses.values() for kind in course.by_class})
    width = 0.8 / len(courses)
    for number, ((name, course), colour) in enumerate(zip(courses.items(), _COLOURS * len(courses), strict=False)):
        places = np.arange(len(kinds)) + (number - (len(courses) - 1) / 2) * width
        classes.bar(places, [course.by_class.get(kind, 0.0) for kind in kinds], width, color=colour, label=name)
    classes.set_xticks(range(len(kinds)), kinds)
    classes.set(title="needs that are found, by their kind", ylim=(0, 1.02))
    for (name, points), colour in zip(compared.items(), _COLOURS * len(compared), strict=False):
        seen = sorted({(p.course.mean_bytes / 2**20, p.course.found) for p in points})
        equal.plot([at for at, _ in seen], [found for _, found in seen], "o-", color=colour, label=name)
    equal.set(title="needs that are found, at equal bytes", xlabel="resident on average, MiB", ylim=(0, 1.02))
    for axes in (quality, equal):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, metadata={"Software": None})
