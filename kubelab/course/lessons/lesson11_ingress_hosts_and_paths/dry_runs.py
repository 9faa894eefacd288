"""What the API server would say to a manifest: a server-side dry run, which changes nothing."""

from __future__ import annotations

import copy

from kubelab.course.tables import Table
from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError
from kubelab.lab.lab import Lab
from kubelab.lab.manifests import Source, read

_QUERY = {"dryRun": "All", "fieldValidation": "Strict"}
TAKEN = "would be taken (server dry run)"


def dry_run(lab: Lab, source: Source) -> Table:
    """Ask of every object of a manifest whether it would be taken. Raises `BadManifest` for what cannot be read."""
    lab.objects.ensure_namespace()
    manifests = [manifest.object for manifest in read(source)]
    rows = ((f"{each['kind']} {each['metadata']['name']}", refusal(lab, each) or TAKEN) for each in manifests)
    return Table(("object", "the API server says"), tuple(rows))


def refusal(lab: Lab, manifest: Object) -> str:
    """Why an object would not be created; empty when it would be. It is asked under a name that is free."""
    body = copy.deepcopy(manifest)
    body["metadata"] = {"name": f"{manifest['metadata']['name']}-dry-run"}
    kind = kinds.of_manifest(lab.api, manifest["apiVersion"], manifest["kind"])
    try:
        lab.api.request("POST", kind.path(lab.namespace), _QUERY, body)
    except ApiError as error:
        if error.status not in (400, 422):
            raise
        return str(error)
    return ""
