import pytest

from kubelab.lab.testing import fake_lab


@pytest.fixture
def lab_with_web():
    """A lab in memory with three pods `web` and a Service in front of them."""
    lab = fake_lab()
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "python:3.12"}]}}
    deployment = {"replicas": 3, "selector": {"matchLabels": labels}, "template": pod}
    lab.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": deployment})
    service = {"selector": labels, "ports": [{"port": 80}]}
    lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": service})
    return lab
