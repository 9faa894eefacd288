"""Small stand-ins for tools that lessons use inside pods, put on PATH only where the machine lacks the real ones."""

from kubelab import __version__

VERSION = f"kubelab {__version__}'s stand-in"
"""What ``--version`` says: nobody shall take these for the real tools."""
