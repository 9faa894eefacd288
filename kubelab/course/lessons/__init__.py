"""The lessons, one package each."""
