"""Groups and chains: sending their members, counting how they end, and what follows."""
