"""Important memories that are about to be lost: which are due to be looked at again, and what came of it."""
