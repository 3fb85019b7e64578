"""What is done to namespaces on a schedule: policies, runs with their reports, undo, and who carries them out."""
