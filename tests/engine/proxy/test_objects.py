from __future__ import annotations

import json

import pytest

from kubelab.engine.proxy.objects import ObjectsError, read_objects


def test_a_list_as_kubectl_prints_it_and_a_null_one_are_lists():
    assert read_objects('{"services": {"kind": "List", "items": [{"metadata": {"name": "a"}}]}, "nodes": null}') == {
        "services": [{"metadata": {"name": "a"}}],
        "nodes": [],
    }


def test_objects_are_read_by_collection():
    objects = {"services": [{"metadata": {"name": "a"}, "spec": {"ports": None}, "other": 1}], "nodes": []}
    assert read_objects(json.dumps(objects)) == objects


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"services": [\n  {]\n}', "line 2, column 4 is not JSON: Expecting property name"),
        ("", "line 1, column 1 is not JSON"),
        ("[" * 100_000, "its brackets are nested too deep"),
        ("[]", "it holds a list, not one object with the keys services, endpointslices, nodes, servicecidrs"),
        ('{"service": [], "pods": []}', "it has an unknown key, 'service'; rules depend on services, endpointslices, "),
        ('{"services": {"metadata": {}}}', "services is an object, not a list"),
        ('{"services": {"items": [null]}}', "services[0] is null, not an object"),
        ('{"services": [' + "9" * 5000 + "]}", "it holds a number too long to be one of an API"),
        ('{"nodes": ["kubelab-worker"]}', "nodes[0] is the string 'kubelab-worker', not an object"),
        ('{"nodes": [{}]}', "nodes[0] has no metadata"),
        ('{"nodes": [{"metadata": {}}]}', "nodes[0].metadata has no name"),
        (
            '{"services": [{"metadata": {"name": "a"}, "spec": {"ports": [{"port": "80"}]}}]}',
            "services[0].spec.ports[0].port is the string '80', not a whole number from 1 to 65535",
        ),
        (
            '{"services": [{"metadata": {"name": "a"}, "spec": {"ports": [{"port": true}]}}]}',
            "services[0].spec.ports[0].port is true, not a whole number",
        ),
        (
            '{"services": [{"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80, "protocol": "ICMP"}]}}]}',
            "services[0].spec.ports[0].protocol is the string 'ICMP', not TCP or UDP or SCTP",
        ),
        (
            '{"services": [{"metadata": {"name": "a\\nb"}}]}',
            "services[0].metadata.name is the string 'a\\nb', not a name",
        ),
        (
            '{"services": [{"metadata": {"name": "a"}, "spec": {"ports": [{"nodePort": 30080}]}}]}',
            "services[0].spec.ports[0] has no port",
        ),
        (
            '{"endpointslices": [{"metadata": {"name": "a", "labels": {"x": 1}}}]}',
            "endpointslices[0].metadata.labels.x is the number 1, not a string",
        ),
        (
            '{"endpointslices": [{"metadata": {"name": "a"}, "endpoints": [{"conditions": {"ready": "yes"}}]}]}',
            "endpointslices[0].endpoints[0].conditions.ready is the string 'yes', not true or false",
        ),
        (
            '{"services": [{"metadata": {"name": "a"}}, {"metadata": {"name": "a", "namespace": "default"}}]}',
            "services[1] has the name of services[0], 'a'",
        ),
        ('{"servicecidrs": [{"spec": {"cidrs": "10.96.0.0/16"}}]}', "servicecidrs[0].spec.cidrs is the string"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_its_place(text, sentence):
    with pytest.raises(ObjectsError) as caught:
        read_objects(text)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
