"""The mailserver: an archive of envelopes, and the answers to those who were away."""
