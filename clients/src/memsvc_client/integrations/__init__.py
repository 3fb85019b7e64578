"""The memory inside agent frameworks: one module each, with an extra of the same name that brings the framework."""
