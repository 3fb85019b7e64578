"""What can be read out of a text without a model: terms, names, times, places, and what a question asks for."""
