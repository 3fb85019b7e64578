"""Two tenants with the same names for everything, and no answer from which one could learn of the other.

A machine of rules, each a request or two, by turns for both tenants: own ids and foreign ones, hidden, erased and
unknown ones, keys of every kind, over every route. `tests/property/test_tenants.py` plays it, `benchmarks/isolation.py`
for long.
"""
