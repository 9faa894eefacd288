"""The instructor's view in JupyterLab: it looks again by itself, rows can be sorted and names looked for."""

import nbformat
import pytest

CELLS = (
    "import itertools\n"
    "from kubelab.grading.history import Standing\n"
    "from kubelab.grading.report import LEARNER_LABEL, SLIP, Report, TaskReport\n"
    "from kubelab.widgets import WorkshopView\n"
    "from kubelab.workshop.access import Access, Address\n"
    "looks = itertools.count()\n"
    "class Api:\n"
    "    def request(self, method, path, *asked):\n"
    "        if path == '/api/v1/namespaces':\n"
    "            seats = [{'name': f'workshop-{who}', 'labels': {LEARNER_LABEL: who}} for who in ('ada', 'grace')]\n"
    "            return {'items': [{'metadata': seat} for seat in seats]}\n"
    "        more = next(looks) > 0\n"
    "        def tells(name, tries):\n"
    "            done = TaskReport(Standing.SOLVED if more or not tries else Standing.ATTEMPTED, tries)\n"
    "            report = Report('2026-01-01T12:00:00Z', '1.1', {'1.1': done, '1.2': TaskReport()})\n"
    "            return {'metadata': {'name': SLIP, 'namespace': f'workshop-{name}'},\n"
    "                    'data': {'name': name, 'progress': report.written()}}\n"
    "        return {'items': [tells('ada', 1), tells('grace', 4)]}",
    "WorkshopView(access=Access(Api(), Address('https://cluster.example.test')), seconds=2)",
)


@pytest.mark.browser
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_class_is_looked_at_again_and_again(jupyterlab, run_notebook, tmp_path):
    from playwright.sync_api import expect

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "course" / "class.ipynb")
    page = run_notebook("class.ipynb")
    view = page.get_by_role("group", name="Workshop")
    view.scroll_into_view_if_needed()
    # the first look has seen nobody who is done; what comes later is seen without a click
    expect(view.locator("td.kl-solved")).to_have_count(2)
    expect(view.get_by_role("img", name="1.1: solved by 2 of 2")).to_be_visible()
    view.get_by_label("Only names with").fill("gr")
    expect(view.get_by_role("row", name="grace")).to_be_visible()
    expect(view.get_by_role("row", name="ada")).to_have_count(0)
    view.get_by_label("Order").select_option("quiet for longest")
    view.get_by_role("button", name="Look again").click()
    expect(view.get_by_role("status")).to_contain_text("2 learners, 2 have begun")
    page.screenshot(path=tmp_path / "class.png")
