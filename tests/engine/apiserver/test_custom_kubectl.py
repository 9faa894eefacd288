"""kubectl and custom resources, over HTTPS."""

from __future__ import annotations

import shutil

import pytest

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.test}
spec:
  group: example.test
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What it should be.
            required: [size]
            properties: {size: {type: integer, minimum: 1, description: How big.}}
"""
WIDGET = "apiVersion: example.test/v1\nkind: Widget\nmetadata: {name: one}\nspec: {size: 3}\n"
MANY = DEFINITION.replace("How big.", "How big. " + "x" * 200_000)


async def test_a_kind_is_defined_used_explained_and_removed(kubectl) -> None:
    assert await kubectl.ok("apply", "-f", "-", stdin=DEFINITION) == (
        "customresourcedefinition.apiextensions.k8s.io/widgets.example.test created\n"
    )
    await kubectl.ok("wait", "--for=condition=Established", "crd/widgets.example.test", "--timeout=5s")
    assert "widgets   wd           example.test/v1   true         Widget" in await kubectl.ok(
        "api-resources", "--api-group=example.test"
    )
    assert await kubectl.ok("apply", "-f", "-", stdin=WIDGET) == "widget.example.test/one created\n"
    assert await kubectl.ok("apply", "-f", "-", stdin=WIDGET) == "widget.example.test/one unchanged\n"
    assert (
        await kubectl.ok("apply", "-f", "-", stdin=WIDGET.replace("3", "4")) == "widget.example.test/one configured\n"
    )
    table = (await kubectl.ok("get", "wd")).splitlines()
    assert [line.split()[:2] for line in table] == [["NAME", "SIZE"], ["one", "4"]]
    await kubectl.ok("edit", "wd", "one", KUBE_EDITOR="sed -i s/size:.4/size:\\ 5/")
    assert "Size:  5" in await kubectl.ok("describe", "wd", "one")
    explained = await kubectl.ok("explain", "widget.spec")
    assert "What it should be." in explained and "size\t<integer> -required-" in explained
    await kubectl.ok("delete", "crd", "widgets.example.test")
    assert "the server could not find the requested resource" in await kubectl.fails("get", "wd")


async def test_what_is_wrong_with_an_object_is_said_before_anything_changes(kubectl) -> None:
    await kubectl.ok("apply", "-f", "-", stdin=DEFINITION)
    assert await kubectl.fails("apply", "-f", "-", stdin=WIDGET.replace("3", "0")) == (
        'The Widget "one" is invalid: spec.size: Invalid value: 0: '
        "spec.size in body should be greater than or equal to 1\n"
    )
    assert 'unknown field "spec.sise"' in await kubectl.fails("apply", "-f", "-", stdin=WIDGET.replace("size", "sise"))


async def test_server_side_apply_takes_definitions_of_any_size(kubectl) -> None:
    for _ in range(2):
        await kubectl.ok("apply", "--server-side", "-f", "-", stdin=MANY)
    assert await kubectl.ok("apply", "--server-side", "-f", "-", stdin=WIDGET) == (
        "widget.example.test/one serverside-applied\n"
    )
    done = await kubectl("diff", "--server-side", "-f", "-", stdin=WIDGET.replace("3", "4"))
    assert (done.returncode, "+  size: 4" in done.stdout) == (1, True)
