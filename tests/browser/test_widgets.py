"""The widgets as a learner uses them: in JupyterLab, by keyboard, in both themes."""

import nbformat
import pytest

CELLS = (
    "import kubelab\n"
    "from kubelab.widgets import ConntrackView, PacketWalk, PredictionForm, RequestMatrix, RuleExplorer\n"
    "lab = kubelab.connect('kube-system')\n"
    "worker = lab.cluster.nodes()[1].name",
    "walk = PacketWalk(lab, worker, 'kube-dns:dns', protocol='udp')\nwalk",
    "RuleExplorer(lab, 'kube-dns', node=worker)",
    "ConntrackView(lab, lab.cluster.nodes()[0].name)",
    "RequestMatrix(lab, ['one.test', 'two.test'], ['/', '/x'], predicted={'/': 404, '/x': 'web'})",
    "PredictionForm([('a', ['Exact /foo'], ['yes', 'no'])], ['rule'], {'a': 'yes'}, lambda *_: None)",
)
CHANGE_THEME = "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})"
LIGHT = "() => document.body.dataset.jpThemeLight"


@pytest.fixture
def page_with_widgets(jupyterlab, run_notebook, tmp_path):
    """A page with a notebook of all three widgets, run."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, tmp_path / "course" / "widgets.ipynb")
    return run_notebook("widgets.ipynb")


@pytest.mark.browser
@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_widgets_are_used_by_keyboard_in_both_themes(page_with_widgets, tmp_path):
    page = page_with_widgets
    for theme, light in (("JupyterLab Light", "true"), ("JupyterLab Dark", "false")):
        page.evaluate(CHANGE_THEME, theme)
        page.wait_for_function(f"({LIGHT})() === '{light}'")
        step_through_a_walk(page)
        page.screenshot(path=tmp_path / f"walk-{light}.png")
    jump_from_chain_to_chain(page)
    read_the_connection_table(page)
    ask_why_in_the_request_matrix(page)
    predict_by_keyboard(page)


def step_through_a_walk(page):
    from playwright.sync_api import expect

    walk = page.get_by_role("group", name="Packet walk: udp from")
    walk.scroll_into_view_if_needed()
    stage = walk.get_by_role("group", name="Map of the way")
    status, count = walk.get_by_role("status"), walk.locator(".kl-count")
    stage.focus()
    page.keyboard.press("Home")
    expect(status).to_contain_text("sends the packet")
    page.keyboard.press("ArrowRight")
    expect(count).to_contain_text("Step 2 of")
    for _ in range(20):
        if walk.locator("del").filter(has_text="Service kube-dns").count():
            break
        page.keyboard.press("ArrowRight")
    expect(status).to_contain_text("(DNAT)")
    expect(status).to_contain_text("-j DNAT --to-destination")
    expect(walk.get_by_role("table", name="The packet now")).to_contain_text("becomes")
    page.keyboard.press("End")
    expect(walk).to_contain_text("delivered:")
    expect(walk.get_by_role("button", name="Next")).to_be_disabled()
    page.keyboard.press("ArrowLeft")
    expect(walk.get_by_role("button", name="Next")).to_be_enabled()
    page.keyboard.press("Space")
    expect(walk.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press("Space")
    expect(walk.get_by_role("button", name="Play")).to_be_visible()
    walk.get_by_role("button", name="Answer").click()
    stage.focus()
    page.keyboard.press("End")
    expect(walk).to_contain_text("which is where it had sent to")
    walk.get_by_role("button", name="Request").click()


def jump_from_chain_to_chain(page):
    from playwright.sync_api import expect

    explorer = page.get_by_role("group", name="Rules of Service kube-dns")
    explorer.scroll_into_view_if_needed()
    jump = explorer.get_by_role("button", name="Go to chain nat KUBE-SVC-").first
    jump.focus()
    page.keyboard.press("Enter")
    expect(explorer.locator("section.kl-jumped")).to_contain_text("KUBE-SVC-")
    page.keyboard.press("Backspace")
    expect(explorer.locator("section.kl-jumped")).to_contain_text("KUBE-SERVICES")
    expect(jump).to_be_focused()
    explorer.get_by_role("tab", name="iptables").focus()
    page.keyboard.press("ArrowRight")
    expect(explorer.get_by_text("Not loaded: what kube-proxy makes of the same objects")).to_be_visible()


def read_the_connection_table(page):
    from playwright.sync_api import expect

    view = page.get_by_role("group", name="Connection table of")
    view.scroll_into_view_if_needed()
    view.get_by_role("button", name="Start").click()
    expect(view.get_by_role("status")).to_contain_text("Reading every second.")
    view.get_by_label("both tuples as written").check()
    expect(view.get_by_text("as it came: src=").first).to_be_visible()
    view.get_by_role("button", name="Stop").click()
    expect(view.get_by_role("status")).to_contain_text("Stopped.")


def ask_why_in_the_request_matrix(page):
    from playwright.sync_api import expect

    matrix = page.get_by_role("group", name="Request matrix")
    matrix.scroll_into_view_if_needed()
    expect(matrix.get_by_role("status")).to_have_text("4 requests: 2 of 4 as predicted.")
    matrix.get_by_role("button", name="/, one.test, 404, as predicted").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(matrix.get_by_role("button", name="/x, two.test, 404, predicted web")).to_have_attribute(
        "aria-pressed", "true"
    )
    why = matrix.locator(".kl-why")
    expect(why).to_contain_text("http://two.test/x")
    expect(why).to_contain_text("no rule is for host two.test, and there is no default backend")
    matrix.get_by_role("button", name="Ask again").click()
    expect(matrix.get_by_role("status")).to_have_text("4 requests: 2 of 4 as predicted.")


def predict_by_keyboard(page):
    from playwright.sync_api import expect

    form = page.get_by_role("group", name="Predictions")
    form.scroll_into_view_if_needed()
    expect(form.get_by_role("radio", name="yes")).to_be_checked()
    form.get_by_role("radio", name="yes").focus()
    page.keyboard.press("ArrowRight")
    expect(form.get_by_role("radio", name="no")).to_be_checked()
    expect(form.get_by_role("status")).to_have_text("Written down.")
