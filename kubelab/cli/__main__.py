"""``python -m kubelab.cli``: the command line without its script."""

from kubelab.cli import main

main()
