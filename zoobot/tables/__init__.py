"""Tables of any kind: read in pieces, written in pieces, described, matched."""
