"""The audit trail of each tenant: what was done that somebody may have to answer for, chained by digests."""
