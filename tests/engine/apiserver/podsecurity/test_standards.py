"""Pod Security: what each standard forbids, in upstream's words, and what a namespace's labels make of it."""

from __future__ import annotations

import pytest

from kubelab.engine.apiserver.podsecurity.admission import violations

ROOM = "/api/v1/namespaces/room"
SAFE = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "a",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [],
        }
    ],
    "volumes": [{"name": "v", "emptyDir": {}}],
}


def said(spec: dict, level: str = "baseline") -> str:
    """The violations, without the standard's name."""
    label = "pod-security.kubernetes.io/enforce"
    return violations({"containers": [{"name": "a"}], **spec}, {label: level}, "enforce").partition(": ")[2]


def secured(*contexts: dict) -> dict:
    """A pod whose containers have these security contexts."""
    return {"containers": [{"name": name, "securityContext": one} for name, one in zip("abc", contexts, strict=False)]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"hostNetwork": True, "hostIPC": True}, "host namespaces (hostNetwork=true, hostIPC=true)"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "w", "emptyDir": {}}]},
         'hostPath volumes (volume "v")'),
        ({"containers": [{"name": "a", "ports": [{"containerPort": 80, "hostPort": 8080}]},
                         {"name": "b", "ports": [{"containerPort": 80, "hostPort": 443}]}]},
         'hostPort (containers "a", "b" use hostPorts 443, 8080)'),
        ({"containers": [{"name": "a", "livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 80}}}]},
         'probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")'),
        (secured({"privileged": True}),
         'privileged (container "a" must not set securityContext.privileged=true)'),
        (secured({"capabilities": {"add": ["NET_ADMIN", "CHOWN"]}}),
         'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)'),
        (secured({"procMount": "Unmasked"}),
         'procMount (container "a" must not set securityContext.procMount to "Unmasked")'),
        ({"securityContext": {"seccompProfile": {"type": "Unconfined"}},
          **secured({"seccompProfile": {"type": "Unconfined"}})},
         'seccompProfile (pod and container "a" must not set securityContext.seccompProfile.type to "Unconfined")'),
        ({"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
         'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")'),
        ({"securityContext": {"seLinuxOptions": {"type": "spc_t", "role": "r"}}},
         'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; role may not be set)'),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}, {"name": "net.ipv4.tcp_syncookies"}]}},
         "forbidden sysctls (kernel.msgmax)"),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}}},
         "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)"),
        ({}, ""),
    ],
)  # fmt: skip
def test_baseline(spec, expected) -> None:
    assert said(spec) == expected


def test_restricted_wants_to_be_told() -> None:
    assert said({}, "restricted") == (
        'allowPrivilegeEscalation != false (container "a" must set securityContext.allowPrivilegeEscalation=false), '
        'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"]), '
        'runAsNonRoot != true (pod or container "a" must set securityContext.runAsNonRoot=true), '
        'seccompProfile (pod or container "a" must set securityContext.seccompProfile.type to "RuntimeDefault" or '
        '"Localhost")'
    )
    assert said(SAFE, "restricted") == ""
    assert said({**SAFE, "hostPID": True}, "restricted") == "host namespaces (hostPID=true)"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"securityContext": {**SAFE["securityContext"], "runAsUser": 0}},
         "runAsUser=0 (pod must not set runAsUser=0)"),
        ({"securityContext": {**SAFE["securityContext"], "runAsNonRoot": False}},
         "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]},
         'restricted volume types (volume "v" uses restricted volume type "hostPath")'),
    ],
)  # fmt: skip
def test_restricted_forbids_more(spec, expected) -> None:
    assert said({**SAFE, **spec}, "restricted") == expected


def test_levels() -> None:
    assert said({"hostNetwork": True}, "privileged") == ""
    assert said({}, "strange"), "what is no level counts as the strictest"


@pytest.fixture
async def room(api):
    """Labels a namespace."""

    async def room(**labels: str) -> None:
        given = {f"pod-security.kubernetes.io/{mode}": level for mode, level in labels.items()}
        meta = {"name": "room", "labels": given}
        assert (await api.post("/api/v1/namespaces", {"metadata": meta})).code == 201
        account = {"metadata": {"name": "default"}}
        assert (await api.post(f"{ROOM}/serviceaccounts", account)).code == 201

    return room


async def test_a_pod_that_asks_too_much_is_forbidden(api, room, make) -> None:
    await room(enforce="baseline")
    answer = await api.post(f"{ROOM}/pods", make.pod("web", hostNetwork=True))
    assert answer.code == 403
    assert answer.body["message"] == (
        'pods "web" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    )
    assert (await api.post(f"{ROOM}/pods", make.pod("web"))).code == 201
    debug = {"name": "d", "image": "i", "securityContext": {"privileged": True}}
    patch = {"spec": {"ephemeralContainers": [debug]}}
    answer = await api.patch(f"{ROOM}/pods/web/ephemeralcontainers", patch, kind="strategic")
    assert (answer.code, 'privileged (container "d"' in answer.body["message"]) == (403, True)
    elsewhere = "/api/v1/namespaces/default/pods"
    assert (await api.post(elsewhere, make.pod("web", hostNetwork=True))).code == 201


async def test_a_template_is_warned_of_and_let_in(api, room, make) -> None:
    await room(enforce="baseline", warn="restricted")
    answer = await api.post("/apis/apps/v1/namespaces/room/deployments", make.deployment())
    assert answer.code == 201
    assert 'would violate PodSecurity \\"restricted:latest\\": allowPrivilegeEscalation' in answer.headers["warning"]
    answer = await api.post(f"{ROOM}/pods", make.pod("web"))
    assert (answer.code, "would violate" in answer.headers["warning"]) == (201, True)
    labelled = await api.patch(f"{ROOM}/pods/web", {"metadata": {"labels": {"a": "b"}}})
    assert "warning" not in labelled.headers, "nothing of what it asks for has changed"
