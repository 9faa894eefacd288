"""The command line. Every failure is one sentence on stderr and an exit status; the commands load when they run."""

from __future__ import annotations

import os
import signal
import sys

import click

from kubelab.cli.doctor import doctor
from kubelab.cli.lab import lab
from kubelab.cli.learner import learner_progress
from kubelab.cli.life import down, kubeconfig, logs, reset, status, up
from kubelab.cli.partition import cut, mend
from kubelab.cli.proxy_mode import proxy_mode
from kubelab.cli.rules import rules
from kubelab.cli.tools import kubectl, node
from kubelab.cli.workshop import workshop


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="kubelab")
def cli() -> None:
    """A Kubernetes cluster on this machine, there in seconds, without Docker and without root."""


for command in (
    up, down, status, reset, kubeconfig, kubectl, node, cut, mend, doctor, lab, logs, rules, proxy_mode,
    learner_progress, workshop,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """The entry point: turn what went wrong into a sentence and an exit status. Raises SystemExit."""
    from kubelab.clusters.base import ClusterError
    from kubelab.grading.book import BookError

    _end_like_an_interrupt()
    try:
        cli.main(prog_name="kubelab", standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except (ClusterError, BookError) as error:
        _fail(str(error))
    except Exception as error:
        if os.environ.get("KUBELAB_DEBUG"):
            raise
        _fail(f"Something unforeseen went wrong: {type(error).__name__}: {error} (KUBELAB_DEBUG=1 shows where).")


def _end_like_an_interrupt() -> None:
    """Whoever is told to end, or whose terminal is closed, clears away what is half made, as after ^C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda caught, _: sys.exit(128 + caught))


def _fail(sentence: str) -> None:
    click.echo(f"kubelab: {sentence}", err=True)
    sys.exit(1)
