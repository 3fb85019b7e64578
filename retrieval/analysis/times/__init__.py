"""The times that a text speaks of: a small grammar of English time expressions.

It reads tokens from left to right, each at most a few dozen words ahead, in two layers. *Points* are a period of the
calendar, or something recurring that still needs to be told which one ("May 7th", "Friday"). *Expressions* put points
together: ranges, open ends, the hours of a day. From the outside in:

- `spans`: the entry: a text in, spans out.
- `expressions`, `hours`: what is made of points.
- `points`: which rule reads what begins with which word.
- `dates`, `years`, `names`, `relative`, `amounts`, `pieces`: the rules. They read points inside points by `Text.point`.
- `which`: which one of something recurring is meant.
- `units`, `numbers`: what several rules share.
- `text`, `tokens`, `words`, `periods`: the text, its tokens, the words of time, and the calendar.

A word that is as often no time ("may", "march", "fall", a bare number) only counts with a word before it that asks for
a time.

In the manner of rule-based temporal taggers: HeidelTime (Strötgen and Gertz, SemEval 2010), SUTime (Chang and Manning,
LREC 2012).
"""
