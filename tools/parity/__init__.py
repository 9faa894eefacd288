"""Every lesson on every cluster that is there: do the notebooks show the same everywhere?

`cells` is a plugin for nbval that writes down what became of each cell; `verdicts` judges that; `table` writes the
judgements as Markdown; `places` brings the clusters up. ``python -m tools.parity --help`` runs it all.
"""
