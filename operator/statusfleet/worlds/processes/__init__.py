"""Members as processes on this machine's loopback."""
