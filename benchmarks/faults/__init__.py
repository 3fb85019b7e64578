"""One harness for the promises about faults: a module for each row, one runner, one way to count what was broken."""
