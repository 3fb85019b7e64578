"""One filter grammar over all fields: parsed once, then evaluated by the bank's scan, by SQL, or by both."""
