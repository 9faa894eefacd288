from __future__ import annotations

from typing import Any

import pytest

RBAC = "/apis/rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"


class Someone:
    """Requests in the name of one user."""

    def __init__(self, api: Any, name: str) -> None:
        self._api = api
        self.name = name

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return await self._api.send(method, path, body, kubelab_in_process_user=self.name, **headers)

    async def code(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        """The answer's status alone; of a watch without reading it."""
        sent = {"kubelab_in_process_user": self.name, **headers}
        answer = await self._api.open(method, path, body, **sent)
        if not isinstance(answer.body, bytes):
            answer.body.close()
        return answer.status


@pytest.fixture
def who(api: Any) -> Any:
    """``await who("alice")("GET", path)``"""
    return lambda name: Someone(api, name)


class Roles:
    """Writes roles and bindings as the cluster's owner."""

    def __init__(self, api: Any) -> None:
        self._api = api

    async def namespace(self, name: str) -> None:
        assert (await self._api.post("/api/v1/namespaces", {"metadata": {"name": name}})).code in (201, 409)

    async def role(self, namespace: str, name: str, *rules: dict[str, Any], **more: Any) -> None:
        """A Role; a ClusterRole without a namespace."""
        answer = await self._api.post(
            _collection("role", namespace), {"metadata": {"name": name, **more}, "rules": rules}
        )
        assert answer.code == 201, answer.raw

    async def bind(self, namespace: str, kind: str, role: str, *subjects: dict[str, str], name: str = "") -> None:
        """A RoleBinding; a ClusterRoleBinding without a namespace."""
        reference = {"apiGroup": GROUP, "kind": kind, "name": role}
        wish = {"metadata": {"name": name or f"to-{role}"}, "roleRef": reference, "subjects": subjects}
        answer = await self._api.post(_collection("rolebinding", namespace), wish)
        assert answer.code == 201, answer.raw

    async def grant(self, namespace: str, user: str, *rules: dict[str, Any], name: str = "granted") -> None:
        """A role with these rules, bound to a user."""
        await self.role(namespace, name, *rules)
        await self.bind(namespace, "Role" if namespace else "ClusterRole", name, self.user(user))

    @staticmethod
    def user(name: str) -> dict[str, str]:
        return {"apiGroup": GROUP, "kind": "User", "name": name}

    @staticmethod
    def group(name: str) -> dict[str, str]:
        return {"apiGroup": GROUP, "kind": "Group", "name": name}

    @staticmethod
    def account(namespace: str, name: str) -> dict[str, str]:
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _collection(kind: str, namespace: str) -> str:
    return f"{RBAC}/namespaces/{namespace}/{kind}s" if namespace else f"{RBAC}/cluster{kind}s"


@pytest.fixture
def roles(api: Any) -> Roles:
    return Roles(api)


@pytest.fixture
def roles_of() -> type[Roles]:
    return Roles


@pytest.fixture
def who_of() -> type[Someone]:
    return Someone


@pytest.fixture
def rule() -> Any:
    """``rule("get,list", "pods pods/log", group="", names=())`` or ``rule("get", url="/metrics")``."""

    def make(verbs: str, resources: str = "", group: str = "", names: tuple[str, ...] = (), url: str = "") -> dict:
        if url:
            return {"verbs": verbs.split(","), "nonResourceURLs": [url]}
        made: dict[str, Any] = {"verbs": verbs.split(","), "apiGroups": [group], "resources": resources.split()}
        return {**made, "resourceNames": list(names)} if names else made

    return make
