"""Waiting for an Ingress: until traffic says that it is served."""

from __future__ import annotations

import pytest

from kubelab.lab.errors import TimedOut


def test_an_ingress_is_waited_for_until_each_path_is_answered_by_whom_it_names(shop):
    shop.said["http://shop.test/api"] = ["404", "web", "api"]
    shop.wait("ingress/shop")
    assert len(shop.asked) == 3


def test_what_is_missing_is_said(shop):
    path = "/apis/networking.k8s.io/v1/namespaces/lesson/ingresses/shop"
    status = shop.api.objects[path].pop("status")
    with pytest.raises(TimedOut, match="no controller has taken it up"):
        shop.wait("ingress/shop", timeout=0)
    shop.api.objects[path]["status"] = status
    shop.said["http://shop.test/api"] = "web"
    with pytest.raises(TimedOut, match=r"shop\.test/api is answered by web, not by api"):
        shop.wait("ingress/shop", timeout=0)


def test_a_lab_in_memory_answers_as_its_objects_ask_for(shop):
    shop.requests = super(type(shop), shop).requests
    shop.wait("ingress/shop")
    replies = shop.requests("shop.test/", "https://shop.test/api", "http://shop.test/api", "http://other.test/")
    assert [reply.words for reply in replies] == ["web", "not trusted: self-signed", "api", "404"]
    assert (replies[0].pod, replies[0].saw["path"]) == ("web-1", "/")
