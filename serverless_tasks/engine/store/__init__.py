"""The job store: protocol, item layout, locks and the store in memory."""
