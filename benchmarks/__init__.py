"""``make bench``: how quick, how light and how honest the embedded cluster is on this machine."""
