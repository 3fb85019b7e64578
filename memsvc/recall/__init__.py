"""Recall: from a question over HTTP to the few memories that matter."""
