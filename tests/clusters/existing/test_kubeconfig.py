"""A context is cut out of the user's files as kubectl would find it; what is wrong with them is one sentence."""

import pytest
import yaml

from kubelab.clusters.base import ClusterError
from kubelab.clusters.existing.caution import looks_like_production
from kubelab.clusters.existing.kubeconfig import Context, read_context
from tests.clusters.existing.conftest import kubeconfig


def test_the_first_file_that_names_a_thing_wins_and_paths_count_from_their_file(tmp_path):
    one, two = tmp_path / "one" / "config", tmp_path / "two" / "config"
    for file in (one, two):
        file.parent.mkdir()
    one.write_text(yaml.safe_dump({"contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}]}))
    cluster = {"server": "https://c.example", "certificate-authority": "ca.crt"}
    user = {"exec": {"command": "./login", "args": ["x"]}, "client-key": "/abs/key"}
    two.write_text(
        yaml.safe_dump(
            {
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "a", "context": {"cluster": "other"}}],
                "current-context": "a",
            }
        )
    )
    found = read_context([one, two])
    assert (found.cluster_name, found.server) == ("c", "c.example")
    assert found.cluster["certificate-authority"] == str(tmp_path / "two" / "ca.crt")
    assert found.user["exec"]["command"] == str(tmp_path / "two" / "login")
    assert found.user["client-key"] == "/abs/key"


@pytest.mark.parametrize(
    ("text", "context", "said"),
    [
        (None, "", "There is no kubeconfig at"),
        ("{", "", "it is not YAML"),
        ("[1]", "", "it is not a mapping"),
        ("{}", "", r"has no current context \(there are: none\)"),
        (kubeconfig(), "other", r"has no context 'other' \(there are: classroom\)"),
        (kubeconfig().replace("name: shared", "name: gone"), "", "names the cluster 'shared'"),
        (kubeconfig().replace("- name: learner", "- name: gone"), "", "names the user 'learner'"),
    ],
)
def test_what_is_wrong_with_it_is_said(tmp_path, text, context, said):
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ClusterError, match=said):
        read_context([file], context)


@pytest.mark.parametrize(
    ("field", "text", "production"),
    [
        ("name", "shop-prod", True),
        ("name", "arn:aws:eks:eu-1:12:cluster/Production", True),
        ("name", "prod2-eu", True),
        ("name", "gke_shop_europe_live", True),
        ("name", "products", False),
        ("name", "non-prod", False),
        ("name", "preprod", False),
        ("name", "nonprod-eu", False),
        ("name", "delivery", False),
        ("namespace", "live", True),
        ("label", "production", True),
        ("label", "staging", False),
    ],
)
def test_production_is_known_by_its_words(field, text, production):
    context = Context(text if field == "name" else "classroom", "shared", "me", "", {"server": "https://a.example"}, {})
    namespace = text if field == "namespace" else "team-blue"
    labels = {"env": text} if field == "label" else {}
    assert bool(looks_like_production(context, namespace, labels)) is production
