"""A page behind an Ingress in the learner's own browser, by way of Jupyter and of nothing else."""

import nbformat
import pytest

CELLS = (
    """import kubelab
lab = kubelab.connect('browser-pages')
lab.apply('''
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: web
    image: registry.k8s.io/e2e-test-images/agnhost:2.53
    args: [netexec, --http-port=8080]
    readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: pages.example.test
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
''')
lab.wait('pod/web')
lab.wait('ingress/web', 'answers')""",
    "lab.page('http://pages.example.test/echo?msg=from+a+pod')",
)


SECONDS = 30  # the first page starts the server that makes the Host header


@pytest.mark.browser
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_a_page_is_seen_in_the_notebook_and_in_a_tab_of_its_own(jupyterlab, run_notebook, tmp_path):
    from playwright.sync_api import expect

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "course" / "pages.ipynb")
    page = run_notebook("pages.ipynb")
    frame = page.frame_locator("iframe[title='http://pages.example.test/echo?msg=from+a+pod']")
    expect(frame.locator("body")).to_contain_text("from a pod", timeout=SECONDS * 1000)
    page.screenshot(path=tmp_path / "page.png")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="open in a tab of its own").click()
    expect(opened.value.locator("body")).to_contain_text("from a pod")
    assert opened.value.url == f"{jupyterlab}/kubelab-ingress/http/pages.example.test/echo?msg=from+a+pod"

    page.goto(f"{jupyterlab}/kubelab-ingress/")
    page.get_by_role("link", name="http://pages.example.test/", exact=True).click()
    expect(page.locator("body")).to_contain_text("NOW:")
