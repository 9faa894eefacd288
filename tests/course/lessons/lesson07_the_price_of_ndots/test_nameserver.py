"""The name server that counts, without a cluster: what it reads and what it answers."""

import importlib.util
import struct
from pathlib import Path

import pytest

from kubelab.course.lessons import lesson07_the_price_of_ndots


def query(name, type_=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"ab" + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", type_, 1)


@pytest.fixture
def nameserver(monkeypatch):
    monkeypatch.setenv("WORLD_SECONDS", "0")
    path = Path(lesson07_the_price_of_ndots.__file__).with_name("nameserver.py")
    spec = importlib.util.spec_from_file_location("nameserver_under_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "type_", "code", "answers"),
    [
        ("api.example.test", 1, 0, 1),
        ("api.example.test", 28, 0, 0),
        ("example.org", 1, 3, 0),
        ("notexample.test", 1, 3, 0),
    ],
)
def test_the_world_has_one_domain_and_one_address(nameserver, name, type_, code, answers):
    answer = nameserver.of_the_world(query(name, type_))
    assert (answer[:2], answer[3] & 0x0F, struct.unpack(">H", answer[6:8])[0]) == (b"ab", code, answers)


def test_names_are_read_in_lower_case_with_their_type(nameserver):
    assert nameserver.question(query("API.Example.Test", 28))[:2] == ("api.example.test", 28)


def test_questions_are_counted_by_client_name_type_and_code(nameserver):
    counts = nameserver.Counts()
    for _ in range(2):
        counts.add("192.0.2.1", "a.test", "A", "NXDOMAIN")
    assert counts.rows() == [["192.0.2.1", "a.test", "A", "NXDOMAIN", 2]]
