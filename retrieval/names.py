"""Names taken apart: what two forms of a name are compared by. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import regex

from retrieval.analysis.mentions import folded, mention_id

_OF_A_MAN = "mr mister sir lord herr señor don monsieur king prince"
_OF_A_WOMAN = "mrs ms miss lady dame madam madame mme mlle frau señora doña queen princess"
_OF_ANYBODY = """
    dr doctor prof professor mx captain capt colonel col general gen lieutenant lt sergeant sgt reverend rev fr
    president senator judge
"""
_HIS, _HER = frozenset(_OF_A_MAN.split()), frozenset(_OF_A_WOMAN.split())
_TITLES = _HIS.union(_HER, _OF_ANYBODY.split())
"""What may stand before a name without being part of it. Words of kinship are part: Aunt Mary may not be Mary."""
_COMPANY = "inc incorporated ltd limited llc corp corporation co company gmbh ag plc sa"
_LEGAL_FORMS = frozenset(_COMPANY.split())
_OPENINGS = """
    new old north south east west northern southern eastern western upper lower great greater little san santa santo
    saint st los las el mount mt lake river fort port cape isle bay
"""
_PLACE_OPENINGS = frozenset(_OPENINGS.split())
"""First words of names that are not first names: "York" is no short form of "New York"."""
_SMALL_WORDS = "of the and for de da di del la le van von der den al bin ibn y du at in on"
_LINKS = frozenset(_SMALL_WORDS.split())
_PUNCTUATION = regex.compile(r"[\p{P}\p{S}]+")
_MOST_WORDS_OF_A_PERSON = 3


@dataclass(frozen=True, slots=True)
class Name:
    """A name and what it consists of.

    Attributes:
        id: the id of its mentions.
        text: as it is written.
        words: in small letters, without accents, punctuation, titles and legal forms.
        title: "his", "her" or "any" where a title stands before it, else "".
    """

    id: int
    text: str
    words: tuple[str, ...]
    title: str = ""

    @property
    def core(self) -> str:
        """The words in one string: names with the same core are spelled alike."""
        return " ".join(self.words)

    @property
    def is_word(self) -> bool:
        """Whether it is a single word of letters."""
        return len(self.words) == 1 and self.words[0].isalpha()

    @property
    def is_personal(self) -> bool:
        """Whether it may be a person's name: up to three words of letters; none links others or opens a place."""
        return (
            1 <= len(self.words) <= _MOST_WORDS_OF_A_PERSON
            and all(word.isalpha() and word not in _LINKS for word in self.words)
            and self.words[0] not in _PLACE_OPENINGS
        )

    @property
    def initials(self) -> str:
        """First letters of its words, links left out; "" for fewer than two words."""
        letters = [word[0] for word in self.words if word not in _LINKS]
        return "".join(letters) if len(letters) > 1 else ""

    @property
    def is_acronym(self) -> bool:
        """Whether it is written as initials are: two to six capitals."""
        letters = self.text.replace(".", "")
        return 2 <= len(letters) <= 6 and letters.isalpha() and letters.isupper()


def name(text: str) -> Name:
    """Takes a name apart."""
    words = [_plain(word) for word in folded(text).lstrip("@").replace("-", " ").split()]
    words = [word for word in words if word]
    title = ""
    while len(words) > 1 and words[0] in _TITLES:
        word = words.pop(0)
        title = "his" if word in _HIS else "her" if word in _HER else title or "any"
    while len(words) > 1 and words[0] == "the":
        words.pop(0)
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    return Name(mention_id(text), text, tuple(words) or (folded(text),), title)


def _plain(word: str) -> str:
    """A word without accents and punctuation."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    for ending in ("'s", "’s"):
        bare = bare.removesuffix(ending)
    return _PUNCTUATION.sub("", bare)
