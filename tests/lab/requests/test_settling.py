"""Waiting for an Ingress: until traffic says that it is served."""

from __future__ import annotations

import pytest

from kubelab.lab.errors import TimedOut


def give_address(shop):
    path = "/apis/networking.k8s.io/v1/namespaces/lesson/ingresses/shop"
    shop.api.objects[path]["status"] = {"loadBalancer": {"ingress": [{"ip": "172.18.255.1"}]}}


def test_an_ingress_is_waited_for_until_each_path_is_answered_by_whom_it_names(shop):
    give_address(shop)
    shop.said["http://shop.test/api"] = ["404", "web", "api"]
    shop.wait("ingress/shop")
    assert len(shop.asked) == 3


def test_what_is_missing_is_said(shop):
    with pytest.raises(TimedOut, match="no controller has taken it up"):
        shop.wait("ingress/shop", timeout=0)
    give_address(shop)
    shop.said["http://shop.test/api"] = "web"
    with pytest.raises(TimedOut, match=r"shop\.test/api is answered by web, not by api"):
        shop.wait("ingress/shop", timeout=0)
