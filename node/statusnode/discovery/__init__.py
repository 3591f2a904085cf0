"""Ways by which a node finds others. Here: node lists in the DNS (EIP-1459)."""
