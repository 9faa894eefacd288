from __future__ import annotations

from typing import Any

import pytest

from kubelab.engine.client.resources import INGRESSCLASSES, INGRESSES

CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
PATH = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
DEFAULT_CLASS = {"ingressclass.kubernetes.io/is-default-class": "true"}
CLASS_ANNOTATION = {"kubernetes.io/ingress.class": "old"}


def backend(name: str = "web", **port: Any) -> dict[str, Any]:
    return {"service": {"name": name, "port": port or {"number": 80}}}


def rule(path: str = "/", kind: str = "Prefix", host: str = "shop.example.test", **to: Any) -> dict[str, Any]:
    return {"host": host, "http": {"paths": [{"path": path, "pathType": kind, "backend": to or backend()}]}}


def ingress(name: str = "shop", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": spec or {"rules": [rule()]}}


def ingress_class(name: str = "kubelab", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    spec = {"controller": "kubelab.dev/ingress-controller", **spec}
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": spec}


async def test_an_ingress_is_stored_as_it_was_written(api) -> None:
    made = (await api.post(PATH, ingress())).body
    assert made["spec"] == {"rules": [rule()]}
    assert made["status"] == {"loadBalancer": {}}
    assert made["metadata"]["generation"] == 1
    changed = (await api.patch(f"{PATH}/shop", {"spec": {"rules": [rule("/cart")]}})).body
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"tls": []}, "spec", "Invalid value: null: either `defaultBackend` or `rules` must be specified"),
        ({"rules": [{"http": {}}]}, "spec.rules[0].http.paths", "Required value"),
        ({"rules": [{"http": {"paths": [{"backend": backend()}]}}]}, "spec.rules[0].http.paths[0].pathType",
         "Required value: pathType must be specified"),
        ({"rules": [rule(kind="Regex")]}, "spec.rules[0].http.paths[0].pathType",
         'Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"'),
        ({"rules": [rule(host="172.18.0.1")]}, "spec.rules[0].host",
         'Invalid value: "172.18.0.1": must be a DNS name, not an IP address'),
        ({"defaultBackend": {}}, "spec.defaultBackend", 'Invalid value: "": resource or service backend is required'),
        ({"defaultBackend": {"service": {"name": "web"}}}, "spec.defaultBackend",
         "Required value: port name or number is required"),
        ({"defaultBackend": {"service": {"name": "web", "port": {"name": "http", "number": 80}}}},
         "spec.defaultBackend", 'Invalid value: "": cannot set both port name & port number'),
        ({"defaultBackend": {**backend(), "resource": {"kind": "Bucket", "name": "b"}}}, "spec.defaultBackend",
         'Invalid value: "": cannot set both resource and service backends'),
        ({"defaultBackend": {"resource": {"kind": "Bucket", "name": "a/b"}}}, "spec.defaultBackend.resource.name",
         'Invalid value: "a/b": may not contain \'/\''),
        ({"defaultBackend": backend(number=70000)}, "spec.defaultBackend.service.port.number",
         "Invalid value: 70000: must be between 1 and 65535, inclusive"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_an_ingress_is_said_as_upstream_says_it(api, spec, field, message) -> None:
    refused = await api.post(PATH, ingress(**spec))
    assert refused.code == 422
    [cause] = refused.body["details"]["causes"]
    assert (cause["field"], cause["message"]) == (field, message)


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("", ["must be an absolute path"]),
        ("cart", ["must be an absolute path"]),
        ("/a//b", ["must not contain '//'"]),
        ("/a/./b", ["must not contain '/./'"]),
        ("/a/../b", ["must not contain '/../'"]),
        ("/a%2fb", ["must not contain '%2f'"]),
        ("/a%2Fb", ["must not contain '%2F'"]),
        ("/a/..", ["cannot end with '/..'"]),
        ("/a/.", ["cannot end with '/.'"]),
        ("/a/", []),
        ("/a%20b", []),
    ],
)
@pytest.mark.parametrize("kind", ["Exact", "Prefix"])
async def test_paths_are_absolute_and_say_what_they_mean(api, kind, path, problems) -> None:
    answer = await api.post(PATH, ingress(rules=[rule(path, kind)]))
    found = [] if answer.code == 201 else [cause["message"] for cause in answer.body["details"]["causes"]]
    assert found == [f'Invalid value: "{path}": {problem}' for problem in problems]


async def test_an_implementation_specific_path_may_be_anything_absolute_or_empty(api, why) -> None:
    for number, path in enumerate(("", "/a//b", "/a/..", "/^x[0-9]+$")):
        made = await api.post(PATH, ingress(f"i{number}", rules=[rule(path, "ImplementationSpecific")]))
        assert made.code == 201, made.raw
    refused = await api.post(PATH, ingress(rules=[rule("a", "ImplementationSpecific")]))
    assert why(refused) == [("spec.rules[0].http.paths[0].path", "Invalid")]


@pytest.mark.parametrize(
    ("host", "good"),
    [("", True), ("shop", True), ("*.example.test", True), ("shop.example.test:8080", False), ("*", False),
     ("*.*.test", False), ("a*.example.test", False), ("shop.*.test", False), ("Shop.example.test", False)],
)  # fmt: skip
async def test_hosts_are_names_with_one_wildcard_at_most_and_in_front(api, host, good) -> None:
    answer = await api.post(PATH, ingress(rules=[rule(host=host)], tls=[{"hosts": [host] if host else []}]))
    assert answer.code == (201 if good else 422)
    if not good:
        fields = [cause["field"] for cause in answer.body["details"]["causes"]]
        assert fields == ["spec.rules[0].host", "spec.tls[0].hosts[0]"]


async def test_names_of_secrets_and_classes_are_checked(api, why) -> None:
    wrong = ingress(rules=[rule()], tls=[{"secretName": "A_B"}], ingressClassName="")
    assert why(await api.post(PATH, wrong)) == [("spec.tls[0].secretName", "Invalid"),
                                                 ("spec.ingressClassName", "Invalid")]  # fmt: skip


async def test_the_status_is_the_controllers(api, why) -> None:
    await api.post(PATH, ingress())
    point = {"ip": "172.18.255.1", "ports": [{"port": 80, "protocol": "TCP"}]}
    status = {"status": {"loadBalancer": {"ingress": [point]}}}
    assert "ingress" not in (await api.patch(f"{PATH}/shop", status)).body["status"]["loadBalancer"]
    done = (await api.patch(f"{PATH}/shop/status", {**status, "spec": {"rules": []}})).body
    assert (done["status"], done["metadata"]["generation"], len(done["spec"]["rules"])) == (status["status"], 1, 1)
    bad = {"status": {"loadBalancer": {"ingress": [{"ip": "here"}, {"hostname": "10.0.0.1"}]}}}
    assert why(await api.patch(f"{PATH}/shop/status", bad)) == [
        ("status.loadBalancer.ingress[0].ip", "Invalid"),
        ("status.loadBalancer.ingress[1].hostname", "Invalid"),
    ]


# -- classes -----------------------------------------------------------------------------------


async def test_a_class_keeps_its_controller(api, why) -> None:
    made = (await api.post(CLASSES, ingress_class(parameters={"kind": "Settings", "name": "s"}))).body
    assert made["spec"]["parameters"]["scope"] == "Cluster"
    other = await api.patch(f"{CLASSES}/kubelab", {"spec": {"controller": "example.test/other"}})
    assert why(other) == [("spec.controller", "Invalid")]


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({"controller": ""}, [("spec.controller", "Required")]),
        ({"controller": "nginx"}, [("spec.controller", "Invalid")]),
        ({"controller": "Example.test/a b"}, [("spec.controller", "Invalid")] * 2),
        ({"controller": "example.test/" + "x" * 250}, [("spec.controller", "TooLong")]),
        ({"parameters": {"kind": "K", "name": "n", "scope": "Galaxy"}}, [("spec.parameters.scope", "NotSupported")]),
        ({"parameters": {"kind": "K", "name": "n", "namespace": "x"}}, [("spec.parameters.namespace", "Forbidden")]),
        ({"parameters": {"kind": "K", "name": "n", "scope": "Namespace"}},
         [("spec.parameters.namespace", "Required")]),
        ({"parameters": {"kind": "K", "apiGroup": "A_"}},
         [("spec.parameters.apiGroup", "Invalid"), ("spec.parameters.name", "Required")]),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_class(api, why, spec, causes) -> None:
    assert why(await api.post(CLASSES, ingress_class(**spec))) == causes


async def test_the_default_class_is_filled_in_once(api) -> None:
    await api.post(PATH, ingress("before"))
    await api.post(CLASSES, ingress_class("other", dict.fromkeys(DEFAULT_CLASS, "no")))
    await api.post(CLASSES, ingress_class("kubelab", DEFAULT_CLASS))
    assert (await api.post(PATH, ingress("after"))).body["spec"]["ingressClassName"] == "kubelab"
    assert "ingressClassName" not in (await api.get(f"{PATH}/before")).body["spec"]
    named = await api.post(PATH, ingress("named", rules=[rule()], ingressClassName="other"))
    assert named.body["spec"]["ingressClassName"] == "other"
    taken_out = await api.patch(f"{PATH}/after", {"spec": {"ingressClassName": None}})
    assert "ingressClassName" not in taken_out.body["spec"]


async def test_of_two_default_classes_the_newest_wins(api, clock) -> None:
    for name in ("b", "a"):  # of one age: the first by name
        await api.post(CLASSES, ingress_class(name, DEFAULT_CLASS))
    assert (await api.post(PATH, ingress("first"))).body["spec"]["ingressClassName"] == "a"
    clock.forward(5)
    await api.post(CLASSES, ingress_class("z", DEFAULT_CLASS))
    assert (await api.post(PATH, ingress("second"))).body["spec"]["ingressClassName"] == "z"


async def test_the_annotation_for_the_class_is_deprecated_and_must_not_contradict(api) -> None:
    await api.post(CLASSES, ingress_class("kubelab", DEFAULT_CLASS))
    made = await api.post(PATH, ingress("old", CLASS_ANNOTATION))
    assert "ingressClassName" not in made.body["spec"]
    assert "please use 'spec.ingressClassName' instead" in made.headers["warning"]
    both = await api.post(PATH, ingress("both", CLASS_ANNOTATION, rules=[rule()], ingressClassName="new"))
    assert both.body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "old": must match `ingressClassName` when both are specified',
            "field": "annotations.kubernetes.io/ingress.class",
        }
    ]
    assert (await api.post(PATH, ingress("same", CLASS_ANNOTATION, rules=[rule()], ingressClassName="old"))).code == 201
    assert (await api.patch(f"{PATH}/old", {"spec": {"ingressClassName": "new"}})).code == 200


# -- tables ------------------------------------------------------------------------------------


async def cells(api, path: str) -> dict[str, list[Any]]:
    table = (await api.get(path, accept=TABLE)).body
    return {row["cells"][0]: row["cells"][1:-1] for row in table["rows"]}


async def test_the_columns_of_ingresses(api) -> None:
    await api.post(PATH, ingress("plain", defaultBackend=backend()))
    hosts = [rule(host=f"{letter}.test") for letter in "abcde"]
    await api.post(PATH, ingress("tls", rules=hosts, tls=[{"secretName": "s"}], ingressClassName="kubelab"))
    points = [{"ip": "172.18.255.2"}, {"hostname": "lb.example.test"}, {"ip": "172.18.255.1"}]
    await api.patch(f"{PATH}/tls/status", {"status": {"loadBalancer": {"ingress": points}}})
    assert await cells(api, PATH) == {
        "plain": ["<none>", "*", "", "80"],
        "tls": ["kubelab", "a.test,b.test,c.test + 2 more...", "172.18.255.1,172.18.255.2,lb.example.test", "80, 443"],
    }


async def test_the_columns_of_classes(api) -> None:
    await api.post(CLASSES, ingress_class("kubelab", DEFAULT_CLASS))
    parameters = {"apiGroup": "example.test", "kind": "Settings", "name": "s"}
    await api.post(CLASSES, ingress_class("other", parameters=parameters))
    assert await cells(api, CLASSES) == {
        "kubelab (default)": ["kubelab.dev/ingress-controller", "<none>"],
        "other": ["kubelab.dev/ingress-controller", "Settings.example.test/s"],
    }


async def test_parts_of_the_engine_reach_them_by_name(client) -> None:
    await client.create(INGRESSCLASSES, ingress_class())
    made = await client.create(INGRESSES, ingress(), "default")
    assert (made["kind"], made["apiVersion"]) == ("Ingress", "networking.k8s.io/v1")
