from __future__ import annotations

import pytest

from kubelab.engine.controllers.labels import map_selects, requirement_holds, selects

LABELS = {"app": "web", "tier": "front", "gen": "5"}


@pytest.mark.parametrize(
    ("operator", "key", "values", "expected"),
    [
        ("In", "app", ["web", "api"], True),
        ("In", "missing", ["web"], False),
        ("NotIn", "app", ["api"], True),
        ("NotIn", "missing", ["web"], True),
        ("Exists", "tier", [], True),
        ("DoesNotExist", "tier", [], False),
        ("Gt", "gen", ["4"], True),
        ("Lt", "gen", ["5"], False),
        ("Gt", "app", ["4"], False),
    ],
)
def test_operators(operator, key, values, expected):
    assert requirement_holds({"key": key, "operator": operator, "values": values}, LABELS) is expected


def test_an_empty_label_selector_takes_everything_and_none_nothing():
    assert selects({}, {}) and not selects(None, LABELS)


def test_pairs_and_expressions_must_all_hold():
    expressions = [{"key": "tier", "operator": "In", "values": ["back"]}]
    assert selects({"matchLabels": {"app": "web"}}, LABELS)
    assert not selects({"matchLabels": {"app": "web"}, "matchExpressions": expressions}, LABELS)


def test_a_service_without_a_selector_selects_nothing():
    assert map_selects({"app": "web"}, LABELS)
    assert not map_selects({}, LABELS) and not map_selects(None, LABELS)
