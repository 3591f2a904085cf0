"""Where members run: one protocol, one package a world."""
