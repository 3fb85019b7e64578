"""Tells the other processes that a namespace changed. The change log is the truth: a lost bell costs time alone."""
