import json

import pytest

from kubelab.lab.errors import LabError, Lacking
from kubelab.lab.pages import jupyter_base, page
from kubelab.lab.testing import fake_lab


@pytest.fixture(autouse=True)
def no_jupyter(monkeypatch):
    for name in ("JUPYTERHUB_SERVICE_PREFIX", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)


def test_a_page_has_its_place_under_jupyter():
    assert page("http://shop.test/cart?id=1").place == "/kubelab-ingress/http/shop.test/cart?id=1"


def test_behind_a_hub_the_place_is_the_users_own(monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    assert page("https://shop.test").place == "/user/ada/kubelab-ingress/https/shop.test/"


def test_the_server_that_started_the_kernel_says_where_it_stands(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "jpserver-17.json").write_text(json.dumps({"base_url": "/lab-7/"}))
    assert jupyter_base({"JPY_PARENT_PID": "17"}) == "/lab-7/"
    assert jupyter_base({"JPY_PARENT_PID": "18"}) == "/"


def test_its_face_in_a_notebook_is_a_frame_and_a_button_to_a_tab():
    html = page("http://shop.test/find?q=<b>")._repr_html_()
    assert "<iframe src='/kubelab-ingress/http/shop.test/find?q=&lt;b&gt;'" in html
    assert "<input type='hidden' name='q' value='&lt;b&gt;'>" in html


def test_in_words_it_is_the_url():
    assert repr(page("http://shop.test/")) == "Page(http://shop.test/)"


@pytest.mark.parametrize("wrong", ["shop.test", "ftp://shop.test/", "http:///cart"])
def test_what_is_no_url_of_a_page_is_refused_with_an_example(wrong):
    with pytest.raises(LabError, match="write it as http://shop"):
        page(wrong)


def test_where_jupyter_has_no_way_to_the_ingress_there_is_no_page():
    lab = fake_lab()
    with pytest.raises(Lacking, match="Jupyter has no way to this cluster's ingress"):
        lab.page("http://shop.test/")
    lab.cluster.loopback = {80: 30080}
    assert lab.page("http://shop.test/").url == "http://shop.test/"
