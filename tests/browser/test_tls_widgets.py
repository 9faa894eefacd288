"""The TLS widgets as a learner uses them in JupyterLab: a name is tried, a certificate replaced under load."""

import nbformat
import pytest

INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  tls: [{hosts: [shop.example.test], secretName: shop-tls}]
  defaultBackend: {service: {name: web, port: {number: 80}}}
  rules: [{host: shop.example.test}]
"""
CELLS = (
    "import kubelab\n"
    "from kubelab.widgets import CertificateView, RotationTimeline\n"
    "lab = kubelab.connect('tls-widgets')\n"
    "issued = lab.certificate('shop.example.test')\n"
    f"lab.apply({INGRESS!r})\n"
    "lab.tls('shop.example.test', until=issued)",
    "CertificateView(lab, 'shop.example.test')",
    "RotationTimeline(lab, 'shop.example.test')",
)


@pytest.mark.browser
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_a_name_is_tried_and_a_certificate_replaced_by_keyboard(jupyterlab, run_notebook, tmp_path):
    from playwright.sync_api import expect

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "course" / "tls.ipynb")
    page = run_notebook("tls.ipynb")

    view = page.get_by_role("group", name="Certificates served")
    view.scroll_into_view_if_needed()
    expect(view.get_by_role("status")).to_have_text("1 of 1 handshakes verified")
    view.get_by_label("Another name").fill("nobody.example.test")
    page.keyboard.press("Enter")
    expect(view.get_by_role("status")).to_have_text("1 of 2 handshakes verified")
    expect(view.get_by_role("table")).to_contain_text("the ingress's default certificate")

    panel = page.get_by_role("group", name="Handshakes with shop.example.test")
    panel.scroll_into_view_if_needed()
    panel.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    expect(panel.get_by_role("status")).to_contain_text("Secret shop-tls, 1st issue")
    panel.get_by_role("button", name="Replace the certificate").click()
    expect(panel.get_by_role("status")).to_contain_text("then 2nd issue")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.get_by_role("button", name="Start")).to_be_enabled()
    expect(panel.get_by_role("status")).to_contain_text("no handshake failed")
    page.screenshot(path=tmp_path / "tls.png")
