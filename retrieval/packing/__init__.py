"""From ranked memories to a block of text inside a token budget: relevant, not repetitive, cited, stable.

- `tokens`: what a token is, behind one port.
- `rendering`: how one memory stands in the block; depends on that memory alone.
- `likeness`: what repeats what.
- `selection`: which memories go in: the greedy method with its bound.
- `pack`: all of it together.
"""
