"""Garbage and namespaces: custom resources are objects like all others, also when their kind comes late."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kubelab.engine.client import Resource
from kubelab.engine.client.resources import CONFIGMAPS, CUSTOMRESOURCEDEFINITIONS, NAMESPACES

WIDGETS = Resource("example.test", "v1", "widgets", "Widget")
DEFINITION = {
    "metadata": {"name": "widgets.example.test"},
    "spec": {
        "group": "example.test",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}  # fmt: skip


def owned_by(owner, **meta):
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    return {**meta, "ownerReferences": [{**reference, "uid": owner["metadata"]["uid"]}]}


@pytest.fixture
async def widgets(cluster):
    await cluster.deploy(replicas=0)
    await cluster.until(cluster.rolled_out)  # the controllers are at work before the kind is there
    await cluster.api.create(CUSTOMRESOURCEDEFINITIONS, DEFINITION)
    await cluster.watch(WIDGETS)


async def test_owner_references_lead_to_custom_resources_and_from_them(cluster, widgets):
    owner = await cluster.create(WIDGETS, {"metadata": {"name": "owner"}})
    await cluster.create(WIDGETS, {"metadata": owned_by(owner, name="below")})
    await cluster.create(CONFIGMAPS, {"metadata": owned_by(owner, name="notes")})
    await cluster.api.delete(WIDGETS, "owner", "default")
    await cluster.until(lambda: not cluster.all(WIDGETS) and cluster.get(CONFIGMAPS, "notes") is None)


async def test_what_a_kind_owned_goes_when_the_kind_goes(cluster, widgets):
    owner = await cluster.create(WIDGETS, {"metadata": {"name": "owner"}})
    await cluster.create(CONFIGMAPS, {"metadata": owned_by(owner, name="notes")})
    await cluster.api.delete(CUSTOMRESOURCEDEFINITIONS, "widgets.example.test")
    await cluster.until(lambda: cluster.get(CONFIGMAPS, "notes") is None)


@pytest.fixture
def told():
    """What the garbage collector logs."""
    records, log = asyncio.Queue(), logging.getLogger("kubelab.engine.controllers.garbage.controller")
    handler = logging.Handler()
    handler.emit = records.put_nowait
    log.addHandler(handler)
    yield records
    log.removeHandler(handler)


async def test_an_object_stays_whose_owners_kind_is_unknown_until_it_is_known_and_one_line_says_so(cluster, told):
    owner = {"apiVersion": "example.test/v1", "kind": "Widget", "metadata": {"name": "nobody", "uid": "no-such-uid"}}
    await cluster.create(CONFIGMAPS, {"metadata": owned_by(owner, name="notes")})
    line = await asyncio.wait_for(told.get(), 10)
    assert "configmaps default/notes has an owner of kind Widget" in line.getMessage() and not line.exc_info
    await cluster.change(CONFIGMAPS, "notes", {"metadata": {"finalizers": ["example.test/wait"]}})
    await cluster.change(CONFIGMAPS, "notes", {"metadata": {"finalizers": None}})
    await cluster.api.create(CUSTOMRESOURCEDEFINITIONS, DEFINITION)
    await cluster.until(lambda: cluster.get(CONFIGMAPS, "notes") is None)
    assert told.empty()


async def test_a_namespace_is_emptied_of_custom_resources(cluster, widgets):
    await cluster.api.create(NAMESPACES, {"metadata": {"name": "shop"}})
    await cluster.create(WIDGETS, {"metadata": {"name": "one"}}, "shop")
    await cluster.api.delete(NAMESPACES, "shop")
    await cluster.until(lambda: cluster.get(NAMESPACES, "shop", "") is None)
    await cluster.until(lambda: not cluster.all(WIDGETS, "shop"))
