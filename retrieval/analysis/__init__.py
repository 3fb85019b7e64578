"""What can be read out of a text without a model: terms for keyword search, and mentions of names."""
