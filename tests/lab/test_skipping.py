import IPython
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from kubelab.clusters.base import Lacking as LackingHere
from kubelab.lab.errors import LabError, Lacking
from kubelab.lab.skipping import in_notebooks


@pytest.fixture
def notebook():
    """A shell that runs cells as a notebook's kernel does, beside no other."""
    before = InteractiveShell._instance
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    shell.display_pub = CapturingDisplayPublisher()
    shell.push({"Lacking": Lacking, "LackingHere": LackingHere, "LabError": LabError, "skip": skip})
    in_notebooks()
    yield shell
    InteractiveShell.clear_instance()
    InteractiveShell._instance = before


def skip(why):
    raise Lacking(why)


def shown(notebook):
    return [each["data"]["text/plain"] for each in notebook.display_pub.outputs]


def test_a_cell_that_the_cluster_cannot_do_shows_why_and_is_no_error(notebook, capsys):
    assert notebook.run_cell("skip('you may not see its nodes.')").success
    assert notebook.run_cell("raise LackingHere('no <shell> for `ip` here.')").success
    assert notebook.run_cell("raise LabError(str(Lacking('no switch.')))").success
    assert shown(notebook)[2] == "Skipped: no switch."
    assert shown(notebook)[:2] == ["Skipped: you may not see its nodes.", "Skipped: no <shell> for `ip` here."]
    assert "No &lt;shell&gt; for <code>ip</code> here." in notebook.display_pub.outputs[1]["data"]["text/html"]
    assert "Traceback" not in capsys.readouterr().out


def test_what_needs_a_skipped_cell_is_skipped_for_the_same_reason(notebook):
    notebook.run_cell("view = skip('there is one namespace.')")
    assert notebook.run_cell("again = view.rows").success
    assert notebook.run_cell("again").success
    assert shown(notebook) == ["Skipped: there is one namespace."] * 3
    assert "<code>again</code>" in notebook.display_pub.outputs[2]["data"]["text/html"]


def test_nobody_goes_on_with_what_an_earlier_cell_has_left_under_that_name(notebook):
    notebook.run_cell("task = 'the first'")
    notebook.run_cell("begun = 1; task = skip('there is one namespace.')")
    assert notebook.user_ns["begun"] == 1
    notebook.run_cell("goal = task")
    assert "goal" not in notebook.user_ns
    notebook.run_cell("task = 'the third'")
    assert notebook.run_cell("goal = task").success
    assert notebook.user_ns["goal"] == "the third"


def test_names_inside_functions_and_modules_are_left_alone(notebook):
    notebook.run_cell("import html; task = 1; host = 2")
    notebook.run_cell("import html; found = [skip('no.') for host in 'ab']\ndef f():\n    task = 3")
    assert {"html", "task", "host"} <= notebook.user_ns.keys()


def test_other_errors_are_errors_as_ever(notebook, capsys):
    notebook.run_cell("view = skip('there is one namespace.')")
    assert isinstance(notebook.run_cell("veiw").error_in_exec, NameError)
    assert "name 'veiw' is not defined" in capsys.readouterr().out
    assert isinstance(notebook.run_cell("1 / 0").error_in_exec, ZeroDivisionError)
    capsys.readouterr()
    assert not notebook.run_cell("raise LabError('There is no Service web.')").success
    assert capsys.readouterr().out.strip() == "LabError: There is no Service web."
    assert len(shown(notebook)) == 1


def test_it_listens_once_and_only_where_cells_are_run(notebook):
    in_notebooks()
    notebook.run_cell("skip('no.')")
    assert len(shown(notebook)) == 1
    InteractiveShell.clear_instance()
    assert IPython.get_ipython() is None
    in_notebooks()
