import pytest

from kubelab.lab.complaints import explained
from kubelab.lab.errors import ApiError, BadManifest
from kubelab.lab.manifests import read

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selektor:
    app: web
"""


def test_several_documents_are_read_in_their_order():
    assert [str(m) for m in read(SERVICE + "---\n" + SERVICE.replace("web", "shop"))] == ["Service/web", "Service/shop"]


def test_a_path_a_dict_and_a_list_say_the_same_as_text(tmp_path):
    path = tmp_path / "service.yaml"
    path.write_text(SERVICE)
    once = read(SERVICE)[0].object
    assert read(path)[0].object == read(str(path))[0].object == read(once)[0].object == read([once])[0].object == once


def test_a_list_object_is_unpacked():
    once = read(SERVICE)[0].object
    assert [m.name for m in read({"apiVersion": "v1", "kind": "List", "items": [once, once]})] == ["web", "web"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SERVICE.replace("  name", "\tname"), "in line 4, column 1: .*spaces, never with tabs"),
        (SERVICE.replace("  name: web", "name: web: x"), "in line 4, .*indentation"),
        (SERVICE + "  selektor: {}\n", "Line 8 gives the key 'selektor' a second time"),
        ("- a\n- b\n", "Line 1 holds a list"),
        ("just words\n", "Line 1 holds text"),
        ("", "no object"),
        (SERVICE.replace("kind: Service\n", ""), r"object \(line 1\) has no kind"),
        (SERVICE.replace("name: web", "nam: web"), "Service .* has no metadata.name"),
        ("missing.yaml", "missing.yaml cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence_with_the_line(text, said):
    with pytest.raises(BadManifest, match=said) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_the_servers_unknown_field_comes_with_its_line():
    error = ApiError(400, "BadRequest", 'Service in version "v1" cannot be handled: unknown field "spec.selektor"')
    assert str(explained(error, read(SERVICE)[0])) == (
        "Service/web has an unknown field: spec.selektor (line 6); "
        "`kubectl explain service` lists the fields there are."
    )


def test_the_servers_causes_come_with_their_lines():
    causes = {"causes": [{"field": "spec.selektor.app", "message": "Invalid value"}]}
    said = explained(ApiError(422, "Invalid", "Service is invalid", causes), read(SERVICE)[0])
    assert str(said) == "Service/web is not valid: spec.selektor.app (line 7): Invalid value."


def test_the_servers_wrong_type_comes_with_its_line():
    text = SERVICE + "  ports:\n  - port: eighty\n"
    message = "json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32"
    said = explained(ApiError(400, "BadRequest", message), read(text)[0])
    assert str(said) == "Service/web has text where a whole number belongs: spec.ports.port (line 9)."


def test_an_error_that_is_not_about_the_manifest_stays_what_it_is():
    error = ApiError(403, "Forbidden", "no")
    assert explained(error, read(SERVICE)[0]) is error
