"""Hosts below a host of one's own: there and back."""

import pytest

from kubelab.lab.errors import LabError
from kubelab.lab.hosts import Hosts

OWN = "ada.lab.example.test"


@pytest.fixture
def hosts():
    return Hosts(OWN)


@pytest.mark.parametrize("name", ["shop.example.test", "*.example.test", "SHOP.example.test:8443", "nobody.invalid"])
def test_a_host_comes_back_as_it_was_written(hosts, name):
    assert hosts.there(name).partition(":")[0].endswith(f".{OWN}")
    assert hosts.back(hosts.there(name)) == name


def test_a_wildcard_stands_for_as_many_labels_as_before(hosts):
    assert hosts.there("*.foo.com") == f"*.foo.com.{OWN}"
    assert hosts.there("bar.foo.com") == f"bar.foo.com.{OWN}"


@pytest.mark.parametrize("name", ["", OWN, f"api.{OWN}", "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "2001:db8::1"])
def test_addresses_and_what_is_ones_own_already_stay(hosts, name):
    assert hosts.there(name) == name


def test_in_a_text_only_whole_names_are_the_lessons_again(hosts):
    said = f"no rule for shop.example.test.{OWN}: not for x.{OWN}.evil.test, not for {OWN}, nor y.{OWN}s"
    assert hosts.back(said) == f"no rule for shop.example.test: not for x.{OWN}.evil.test, not for {OWN}, nor y.{OWN}s"


def test_a_host_that_would_be_too_long_is_refused_with_the_reason(hosts):
    with pytest.raises(LabError, match=r"below ada.lab.example.test: together at most 253"):
        hosts.there(".".join(["a" * 60] * 4))


def test_without_an_own_host_nothing_changes():
    assert (Hosts().there("shop.example.test"), Hosts().back("shop.example.test")) == ("shop.example.test",) * 2
