"""Draws the pictures of `docs/concepts.md`: `python -m docs.site.pictures`, which writes `docs/pictures/*.svg`.

Plain SVG of boxes and arrows on a light ground, so that it can be read on a dark page, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "pictures"

INK, LINE = "#16302f", "#4f7674"
PLAIN, STRONG, WARM, COLD, OUT = "#ffffff", "#bfe3de", "#fde7c4", "#d3e2f5", "#f3d3d0"

_STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;font-size:14px;fill:" + INK + "}"
    ".small{font-size:12px;fill:" + LINE + "}.head{font-weight:600}"
)
_LINE_HEIGHT = 18


@dataclass
class Picture:
    """Shapes in the order in which they are drawn; lengths are in pixels from the upper left corner."""

    width: int
    height: int
    title: str
    shapes: list[str] = field(default_factory=list)

    def box(self, x: int, y: int, w: int, h: int, *lines: str, fill: str = PLAIN, dashed: bool = False) -> None:
        """A box with centred lines of text, the first in bold."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.shapes.append(
            f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="{fill}" stroke="{LINE}" '
            f'stroke-width="1.3"{dash}/>'
        )
        top = y + h / 2 - (len(lines) - 1) * _LINE_HEIGHT / 2 + 5
        for n, line in enumerate(lines):
            self.text(x + w / 2, top + n * _LINE_HEIGHT, line, kind="head" if n == 0 else "small", anchor="middle")

    def text(self, x: float, y: float, text: str, *, kind: str = "small", anchor: str = "start") -> None:
        """One line of text; `kind` is `head`, `small` or empty."""
        self.shapes.append(f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>')

    def arrow(self, *points: tuple[int, int], dashed: bool = False) -> None:
        """A line along the points, with a head at its end."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        along = " ".join(f"{x},{y}" for x, y in points)
        self.shapes.append(
            f'<polyline points="{along}" fill="none" stroke="{LINE}" stroke-width="1.6" marker-end="url(#head)"{dash}/>'
        )

    def svg(self) -> str:
        """The file."""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img">',
                f"<title>{escape(self.title)}</title>",
                f"<style>{_STYLE}</style>",
                '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
                f'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="{LINE}"/></marker></defs>',
                f'<rect width="{self.width}" height="{self.height}" rx="12" fill="#f6faf9"/>',
                *self.shapes,
                "</svg>\n",
            ]
        )


def life() -> Picture:
    """Levels from left to right, what takes a memory out of recall above, what ends it below."""
    to = Picture(940, 400, "The life of a memory: levels, versions, what hides it, what brings it back, what ends it")
    to.box(20, 150, 110, 64, "written", "version 1", fill=STRONG)
    levels = (("active", "16 bits", STRONG), ("warm", "8 bits", WARM), ("cold", "4 bits", COLD))
    for n, (name, bits, fill) in enumerate(levels):
        to.box(180 + n * 150, 150, 110, 64, name, bits, fill=fill)
    to.box(630, 150, 120, 64, "archived", "out of recalls", dashed=True)
    to.box(800, 150, 120, 64, "forgotten", "hidden", dashed=True)
    for x in (130, 290, 440):
        to.arrow((x, 174), (x + (50 if x == 130 else 40), 174))
    to.arrow((590, 174), (630, 174), dashed=True)
    to.arrow((750, 174), (800, 174), dashed=True)
    to.arrow((480, 198), (442, 198))
    to.arrow((330, 198), (292, 198))
    to.text(385, 236, "retention falls: to the right · a use: back to the left", anchor="middle")
    to.text(775, 236, "only where a policy says so", anchor="middle")
    to.box(20, 40, 110, 60, "edited", "version 2, 3, …", fill=STRONG)
    to.arrow((75, 150), (75, 102))
    hidden = (
        ("superseded", "a newer one is true"),
        ("merged", "another one says it"),
        ("quarantined", "a person looks first"),
    )
    for n, (name, why) in enumerate(hidden):
        to.box(167 + n * 150, 40, 136, 60, name, why, dashed=True)
        to.arrow((235 + n * 150, 150), (235 + n * 150, 102), dashed=True)
    to.box(180, 300, 260, 64, "gists, facts, procedures", "derived, and linked to their sources", fill=STRONG)
    to.arrow((310, 246), (310, 298))
    to.box(630, 300, 290, 64, "erased", "with every version, vector and what it became", fill=OUT)
    to.arrow((775, 246), (775, 298))
    to.text(790, 276, "asked for, or too old")
    to.text(20, 388, "Dashed: still in the database, out of recalls, and can be brought back. What is erased cannot.")
    return to


def recall() -> Picture:
    """From a question to hits."""
    to = Picture(940, 450, "A recall: analysis and embedding, channels over one filtered bank, fusion, reranking, hits")
    to.box(20, 180, 120, 64, "question", "filter, as_of, …", fill=STRONG)
    to.box(180, 90, 150, 64, "analysis", "names, times, places")
    to.box(180, 270, 150, 64, "embedding", "one run of the model")
    to.arrow((140, 200), (160, 200), (160, 122), (178, 122))
    to.arrow((140, 224), (160, 224), (160, 302), (178, 302))
    to.shapes.append(
        f'<rect x="370" y="40" width="260" height="350" rx="10" fill="none" stroke="{LINE}" stroke-width="1.3"/>'
    )
    to.text(500, 30, "channels, side by side, over one bank", kind="head", anchor="middle")
    first = ("semantic", "keyword", "exact", "entity", "temporal", "place")
    for n, name in enumerate(first):
        to.box(384 + n % 2 * 118, 54 + n // 2 * 54, 114, 44, name)
    to.box(384, 216, 100, 44, "procedural")
    to.box(488, 216, 128, 44, "late interaction", fill=WARM)
    to.box(384, 270, 118, 44, "consolidation", fill=WARM)
    to.box(506, 270, 110, 44, "speaker", fill=WARM)
    to.text(500, 346, "every filter before any score", anchor="middle")
    to.text(500, 366, "one that has nothing to go on abstains", anchor="middle")
    to.arrow((330, 122), (368, 122))
    to.arrow((330, 302), (368, 302))
    to.box(670, 54, 120, 64, "fusion", "one weight each", fill=STRONG)
    to.arrow((630, 86), (668, 86))
    to.box(670, 150, 120, 64, "hops", "thorough only", dashed=True)
    to.arrow((730, 118), (730, 148))
    to.box(670, 246, 120, 78, "cross-encoder", "reads the best", "not: fast", dashed=True)
    to.arrow((730, 214), (730, 244))
    to.box(826, 150, 100, 64, "hits", "with reasons", fill=STRONG)
    to.box(826, 246, 100, 78, "context", "cited, within", "a budget", fill=STRONG)
    to.box(826, 356, 100, 54, "confidence", "0 to 1", fill=STRONG)
    to.arrow((790, 266), (808, 266), (808, 182), (824, 182))
    to.arrow((790, 285), (824, 285))
    to.arrow((790, 304), (808, 304), (808, 383), (824, 383))
    to.text(
        20, 428, "Yellow: these go on from what others found. A hit shows the rank and score that each channel gave it."
    )
    return to


def tenancy() -> Picture:
    """Whose rows a request sees."""
    to = Picture(940, 380, "Tenancy: the key gives the tenant, patterns and roles narrow it, the database enforces it")
    to.box(20, 60, 170, 64, "key of Ada's agent", "read, write · user/ada/**", fill=STRONG)
    to.box(20, 160, 170, 64, "key of an admin", "all roles · **", fill=STRONG)
    to.box(20, 270, 170, 64, "key of tenant two", "all roles · **", fill=COLD)
    to.box(
        240,
        60,
        150,
        274,
        "service",
        "key → tenant",
        "role → route",
        "pattern → namespace",
        "nothing of it comes",
        "from the request",
    )
    for y in (92, 192, 302):
        to.arrow((190, y), (238, y))
    frame = f'fill="none" stroke="{LINE}" stroke-width="1.6" stroke-dasharray="7 4"'
    to.shapes.append(f'<rect x="450" y="30" width="470" height="212" rx="10" {frame}/>')
    to.text(466, 52, "tenant one", kind="head")
    to.box(470, 66, 200, 64, "user/ada/chat", "one memory bank", fill=PLAIN)
    to.box(690, 66, 210, 64, "user/ada/code", "one memory bank", fill=PLAIN)
    to.box(470, 154, 430, 64, "team", "one memory bank: own vectors, names, policy, change log", fill=PLAIN)
    to.shapes.append(f'<rect x="450" y="256" width="470" height="92" rx="10" {frame}/>')
    to.text(466, 278, "tenant two", kind="head")
    to.box(570, 272, 330, 64, "user/ada/chat", "the same path, another bank", fill=COLD)
    to.arrow((390, 92), (468, 92))
    to.arrow((390, 192), (430, 192), (430, 186), (468, 186))
    to.arrow((390, 302), (568, 302))
    to.text(
        20,
        368,
        "Dashed: row-level security. On PostgreSQL the database itself shows a transaction one tenant's rows alone.",
    )
    return to


PICTURES: Mapping[str, Callable[[], Picture]] = {"life": life, "recall": recall, "tenancy": tenancy}


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
