"""Encodings below every protocol: RLP and the base encodings of records."""
