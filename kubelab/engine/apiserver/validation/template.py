"""The rules of a pod template, as every workload has them."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, invalid, not_supported, required
from kubelab.engine.apiserver.validation.metadata import label_selector, selector_matches
from kubelab.engine.apiserver.validation.pod import pod_spec

Spec = dict[str, Any]


def template_selector(selector: Spec | None, empty: str) -> list[FieldError]:
    """Everything wrong with the selector of what makes pods from a template; ``empty``: what an empty one is called."""
    if selector is None:
        return [required("spec.selector")]
    errors = label_selector(selector, "spec.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        errors.append(invalid("spec.selector", selector, f"empty selector is {empty}"))
    return errors


def pod_template(template: Spec | None, selector: Spec | None, kind: str, claims: frozenset[str] = frozenset()) -> list[
    FieldError
]:  # fmt: skip
    """Everything wrong with ``spec.template``; ``claims``: volumes that come from elsewhere than the template."""
    if template is None:
        return [required("spec.template")]
    meta = template.get("metadata") or {}
    labels = meta.get("labels") or {}
    errors = names.labels(labels, "spec.template.labels")
    if selector is None or not selector_matches(selector, labels):  # without a selector nothing is selected
        why = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels, why))
    errors += names.annotation_map(meta.get("annotations"), "spec.template.annotations")
    spec = template["spec"]
    volumes = [*(spec.get("volumes") or []), *({"name": name, "emptyDir": {}} for name in sorted(claims))]
    errors += pod_spec({**spec, "volumes": volumes} if claims else spec, "spec.template.spec")
    if spec.get("restartPolicy") in ("OnFailure", "Never"):
        errors.append(not_supported("spec.template.spec.restartPolicy", spec["restartPolicy"], ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden("spec.template.spec.activeDeadlineSeconds", why))
    return errors
