"""Keys, key agreement, ECIES and Keccak: what every floor above signs, seals and hashes with."""
