"""One lesson as a learner meets it: in JupyterLab, in a browser."""

import pytest

NOTEBOOK = "notebooks/01-pods-are-ephemeral.ipynb"
SHOW_PANEL = """() => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const index = notebook.widgets.findIndex(cell => cell.model.id === "panel");
    notebook.activeCellIndex = index;
    return notebook.scrollToItem(index, "start");
}"""


@pytest.mark.browser
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_lesson_runs_and_its_panel_starts_counts_and_stops(run_notebook, tmp_path):
    from playwright.sync_api import expect

    page = run_notebook(NOTEBOOK)
    page.evaluate(SHOW_PANEL)

    start, stop = (page.get_by_role("button", name=name, exact=True) for name in ("Start", "Stop"))
    status = page.get_by_role("status").filter(has_text="requests")
    expect(start).to_be_enabled()
    expect(stop).to_be_disabled()
    start.click()
    expect(status).to_contain_text("Sending to web", timeout=20_000)
    expect(status).to_contain_text("answered by 3 pods", timeout=20_000)
    page.screenshot(path=tmp_path / "panel.png")
    stop.click()
    expect(status).to_contain_text("Stopped. ", timeout=20_000)
    expect(status).to_contain_text(" 0 failed")
    expect(start).to_be_enabled()
    expect(stop).to_be_disabled()
