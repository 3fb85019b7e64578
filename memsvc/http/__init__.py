"""What all endpoints share: reading requests strictly, answering problems, cursors, limits and request ids."""
