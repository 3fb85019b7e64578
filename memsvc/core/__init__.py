"""Settings, errors, clock, ids and logging: no I/O of its own and no framework."""
