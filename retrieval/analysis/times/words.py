"""English words of time, and the small words around them."""

# ruff: noqa: SIM905 - lists of words read better as words

from __future__ import annotations

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sep sept", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("monday mon", "tuesday tue tues", "wednesday wed weds", "thursday thu thur thurs", "friday fri",
         "saturday sat", "sunday sun")
    )
    for name in names.split()
}  # fmt: skip
SEASONS = frozenset({"spring", "summer", "autumn", "fall", "winter"})
UNITS = {
    name + ending: name
    for name in (
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "fortnight",
        "weekend",
        "month",
        "quarter",
        "year",
        "decade",
    )
    for ending in ("", "s")
} | {"century": "century", "centuries": "century", "min": "minute", "mins": "minute", "hrs": "hour", "hr": "hour"}
UNITS |= {"night": "day", "nights": "day"}
CALENDAR_UNITS = frozenset({"week", "weekend", "month", "quarter", "year", "decade", "century"})
NUMBERS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
        " sixteen seventeen eighteen nineteen twenty".split()
    )
} | {"a": 1, "an": 1, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100}
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
DECADES = {
    "twenties": 1920, "thirties": 1930, "forties": 1940, "fifties": 1950, "sixties": 1960, "seventies": 1970,
    "eighties": 1980, "nineties": 1990,
}  # fmt: skip
PARTS = {
    "morning": "morning", "afternoon": "afternoon", "evening": "evening", "night": "night", "noon": "noon",
    "lunchtime": "noon",
}  # fmt: skip
LAST = frozenset({"last", "past", "previous"})
NEXT = frozenset({"next", "coming", "upcoming"})
THIS = frozenset({"this", "current"})
THIRDS = {
    "early": 0, "beginning": 0, "start": 0, "mid": 1, "middle": 1, "late": 2, "end": 2,
}  # fmt: skip
NAMES_TOO = frozenset({"may", "march", "april", "june", "august", "mar", "jan", "dec", "sun", "sat", "wed", "mon"})
"""Words of time that are as often something else."""

BEFORE_MONTH = frozenset(
    "in since until till before after during by of last next this early mid late through throughout around from to"
    " between".split()
)
BEFORE_YEAR = BEFORE_MONTH - {"last", "next", "this", "to"} | {"circa", "year", "summer", "winter", "my"}
BEFORE_HOLIDAY = frozenset("on at for since until till before after during over by around from".split())
BEFORE_SEASON = BEFORE_MONTH - {"to", "between", "of", "from"} | {"over"}
BEFORE_CLOCK = frozenset({"at", "around", "about", "@"})
YEAR_STARTS = frozenset({"was", "is", "will", "has", "had", "were"})
MEASURES = frozenset(
    "people men women children percent feet km kg mb gb usd eur am pm rpm mph calories words of".split()
)
OPENERS = frozenset({"since", "before", "after", "until", "till", "by"})
HABITS = frozenset({"every", "each", "daily", "usually", "always", "often", "weekly"})
COMING = frozenset(
    "will shall gonna wo upcoming soon scheduled planned due deadline remind reminder tomorrow planning plan plans"
    " booked hope hoping hopefully let's i'll we'll you'll he'll she'll they'll it'll".split()
)
COMING_PAIRS = frozenset(
    {("going", "to"), ("see", "you"), ("looking", "forward"), ("can't", "wait"), ("want", "to"), ("have", "to"),
     ("need", "to"), ("next", "week"), ("next", "month"), ("next", "year")}
)  # fmt: skip
GONE = frozenset(
    "was were did had been wasn't weren't didn't hadn't became began bent bit blew bought broke brought built"
    " burnt came caught chose dealt did drank drew drove ate fell felt fought found flew forgot forgave froze"
    " gave gone got grew heard held hid hung kept knelt knew laid led left lent lit lost made meant met paid"
    " ran rang rode rose said sang sank sat saw sent shook shot slept slid sold sought spent spoke spun stole"
    " stood stuck struck swam swept swore taught thought threw told took tore understood went wept woke won"
    " wore wrote".split()
)
"""Past forms that differ from the present and are nothing else."""

PRESENT = frozenset(
    "is are am be i'm you're he's she's it's we're they're that's what's when's leaves starts begins".split()
)
PLANNED = frozenset("scheduled planned booked expected supposed need indeed invited excited married tired".split())
"""What ends like a past form and says nothing about when."""

DASHES = frozenset("-–—")
RANGE_WORDS = frozenset({"to", "through", "thru", "until", "till"}) | DASHES
SENTENCE_ENDS = frozenset(".!?;\n")
