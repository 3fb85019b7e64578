"""From a query to ranked memories: analysis, channels, fusion. No HTTP and no SQL: ports only."""
