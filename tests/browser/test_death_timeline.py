"""The end of a pod as a learner looks at it in JupyterLab: another pod is chosen by keyboard, in both themes."""

import nbformat
import pytest

CELLS = (
    "from kubelab.lab.deaths import Death\n"
    "from kubelab.lab.lifelines import PodLifelines\n"
    "from kubelab.lab.witnesses import DELETED, ENDED, GONE, RULE_GONE, SIGTERM, TERMINATING\n"
    "from kubelab.widgets import DeathTimeline\n"
    "chain = {DELETED: 0.0, TERMINATING: 0.05, SIGTERM: 0.1, RULE_GONE: 0.6, ENDED: 4.0, GONE: 4.1}\n"
    "class Record(PodLifelines):\n"
    "    deaths = [\n"
    "        Death('web-1', 1.0, chain, (-0.2, 0.02), (0.2, 0.4), 137),\n"
    "        Death('web-2', 1.0, {**chain, SIGTERM: 3.1}, (-0.2, 0.4), (), 0),\n"
    "    ]\n",
    "DeathTimeline(Record(lambda: ()))",
)
CHANGE_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
LIGHT = "light => document.body.dataset.jpThemeLight === light"
INK = "picture => [getComputedStyle(picture).fill, getComputedStyle(picture.closest('.kl')).color]"


@pytest.mark.browser
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_end_of_another_pod_is_chosen_by_keyboard_in_both_themes(jupyterlab, run_notebook, tmp_path):
    from playwright.sync_api import expect

    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "course" / "death.ipynb")
    page = run_notebook("death.ipynb")

    panel = page.get_by_role("group", name="The end of a pod")
    panel.scroll_into_view_if_needed()
    expect(panel.get_by_role("status")).to_have_text(
        "SIGTERM came before its rule was gone; some requests failed; it was killed"
    )
    expect(panel.get_by_role("table")).to_contain_text("2 requests failed, until +0.40 s")
    panel.get_by_label("Pod").focus()
    page.keyboard.press("ArrowDown")
    expect(panel.get_by_role("status")).to_have_text(
        "SIGTERM came after its rule was gone; no request failed; it ended by itself"
    )
    expect(panel.get_by_role("img", name="web-2: SIGTERM came after")).to_be_visible()
    for theme, light in (("JupyterLab Dark", "false"), ("JupyterLab Light", "true")):
        page.evaluate(CHANGE_THEME, theme)
        page.wait_for_function(LIGHT, arg=light)
        drawn, written = panel.locator(".kl-picture svg").first.evaluate(INK)
        assert drawn == written, "the picture is drawn in the theme's ink"
        page.screenshot(path=tmp_path / f"death-{light}.png")
