"""A laboratory: what a policy would do to the memories of a life, in seconds instead of a year."""
