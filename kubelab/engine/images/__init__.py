"""What an image name means here. Standard library only: these programs run inside the network."""

from kubelab.engine.images.catalogue import Recipe, UnknownImage, entry_for, known, resolve
from kubelab.engine.images.links import install_links
from kubelab.engine.images.references import InvalidImageName
from kubelab.engine.images.shelf import ENTRIES

__all__ = [
    "ENTRIES",
    "InvalidImageName",
    "Recipe",
    "UnknownImage",
    "entry_for",
    "install_links",
    "known",
    "resolve",
]
