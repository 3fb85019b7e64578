"""Feedback: what was useful, wrong or used of what a recall found, and the channel weights that follow from it."""
