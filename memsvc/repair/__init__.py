"""Mending what `memsvc doctor` finds wrong in the rows of a database, as far as that cannot make anything worse."""
