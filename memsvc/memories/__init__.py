"""Memories: writing, reading, editing, forgetting, erasing."""
