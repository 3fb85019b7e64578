"""Operations over the pages of a bank, each with a plain reference beside it."""
