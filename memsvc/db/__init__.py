"""The database: engine, session rules, the writer, migrations. Knows tables by name only through `memsvc.models`."""
