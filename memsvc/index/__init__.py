"""The bank, derived from the database: loaded, kept up with the change log, and verified against the truth."""
