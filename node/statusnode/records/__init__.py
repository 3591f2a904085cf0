"""What names a node and where it can be reached: enode URLs, node records, and trees of them."""
