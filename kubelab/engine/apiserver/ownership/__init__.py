"""Who set which field: ``metadata.managedFields``, and server-side apply, which goes by it.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/ (1.36)
"""

from kubelab.engine.apiserver.ownership.apply import apply_patch
from kubelab.engine.apiserver.ownership.managers import tracked

__all__ = ["apply_patch", "tracked"]
