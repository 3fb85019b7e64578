"""Context: what is remembered, packed into a token budget, ready to stand in a prompt."""
