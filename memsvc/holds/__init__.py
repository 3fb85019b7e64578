"""Legal holds: memories that nothing may hide or erase, with a record of who said so and why."""
