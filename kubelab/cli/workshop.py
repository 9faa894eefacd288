"""workshop create · status · delete: a class on one cluster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubelab.workshop.access import Access
    from kubelab.workshop.handout import Given
    from kubelab.workshop.making import Made
    from kubelab.workshop.plan import Plan
    from kubelab.workshop.status import Room

WATCH_SECONDS = 5.0


def _on_a_cluster(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which workshop is meant, on which cluster."""
    for option in (
        click.option("--context", metavar="CONTEXT", help="Of the kubeconfig.  [default: its current one]"),
        click.option("--kubeconfig", metavar="FILE", type=click.Path(path_type=Path),
                     help="Which cluster.  [default: $KUBECONFIG, else ~/.kube/config]"),
        click.option("--workshop", "name", metavar="NAME", default="workshop", show_default=True,
                     help="Which workshop of the cluster."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def workshop() -> None:
    """A class on one cluster: a namespace a learner, and who of them is where."""


@workshop.command()
@_on_a_cluster
@click.option("--learners", metavar="FILE.csv", required=True, type=click.Path(path_type=Path),
              help="A name a line, or columns: name, email, user.")  # fmt: skip
@click.option("--out", metavar="FOLDER", type=click.Path(path_type=Path),
              help="Where the kubeconfigs go.  [default: the workshop's name]")  # fmt: skip
@click.option("--domain", default="lab.example.test", show_default=True, help="Everybody has a host below it.")
@click.option("--hours", type=click.FloatRange(min=0.25), default=8.0, show_default=True,
              help="How long the workshop goes on; tokens end with it.")  # fmt: skip
@click.option("--size", type=click.Choice(["small", "medium", "large"]), default="medium", show_default=True,
              help="How much of the cluster a learner gets: 1, 2 or 4 CPU and GiB.")  # fmt: skip
@click.option("--server", metavar="URL", help="How learners reach the API.  [default: as you do]")
@click.option("--ingress-namespace", metavar="NAMESPACE", multiple=True,
              help="Where the Ingress controller runs.  [default: looked for]")  # fmt: skip
@click.option("--guard-hosts/--no-guard-hosts", default=True, show_default=True,
              help="Refuse others' Ingress hosts and external IPs, where the cluster can.")  # fmt: skip
@click.option("--renew", is_flag=True, help="New tokens for all, also where the old ones are still good.")
def create(
    name: str, kubeconfig: Path | None, context: str | None, learners: Path, out: Path | None, domain: str,
    hours: float, size: str, server: str | None, ingress_namespace: tuple[str, ...], guard_hosts: bool, renew: bool,
) -> None:  # fmt: skip
    """Give every learner a namespace of their own and a kubeconfig for it; again: add what is missing.

    Exit status 1: somebody's could not be made.
    """
    from dataclasses import replace

    from kubelab.workshop.access import elsewhere, open_cluster
    from kubelab.workshop.facts import ask
    from kubelab.workshop.handout import Handout
    from kubelab.workshop.making import make
    from kubelab.workshop.plan import BUDGETS, NODE_PORTS, SCARCE_NODE_PORTS, Plan, node_ports
    from kubelab.workshop.roster import read_roster

    with _in_one_sentence():
        plan, everyone = Plan(name, domain, BUDGETS[size]), read_roster(learners)
        handout = Handout(out or Path(name))
        access = open_cluster(kubeconfig, context)
        facts = ask(access, ingress_namespace)
        theirs = {plan.namespace(each) for each in everyone}
        promised = sum(count for where, count in facts.promised_node_ports.items() if where not in theirs)
        plan = replace(plan, guard_hosts=guard_hosts, node_ports=node_ports(len(everyone), promised))
        _say(f"On {access.address.server} (context {access.address.context}, Kubernetes {facts.version}):")
        with _bar("namespaces", len(everyone)) as done:
            made = make(access, plan, facts, everyone, done)
        if server:
            access = replace(access, address=elsewhere(access, server))
        well = [each for each in made if not each.problem]
        with _bar("kubeconfigs", len(well)) as done:
            given = handout.give(access, plan, well, round(hours * 3600), renew=renew, done=done)
    _summary(plan, made, given, handout.folder)
    for note in facts.notes:
        _say(note)
    if plan.node_ports < SCARCE_NODE_PORTS:
        _say(f"A cluster has {NODE_PORTS} node ports: for so many learners that is {plan.node_ports} for each one's "
             "Services of type NodePort and LoadBalancer, and a quarter for everybody else's.")  # fmt: skip
    sys.exit(0 if sum(not each.problem for each in given) == len(everyone) else 1)


@workshop.command()
@_on_a_cluster
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--watch", is_flag=True, help="Look again every 5 seconds, until Ctrl-C.")
def status(name: str, kubeconfig: Path | None, context: str | None, as_json: bool, watch: bool) -> None:
    """Say who is where, by task: as the learners' own checks have reported."""
    from kubelab.workshop.access import open_cluster
    from kubelab.workshop.picture import text
    from kubelab.workshop.status import look

    if as_json and watch:
        raise click.UsageError("--watch is for people, --json for programs; give one of them.")
    with _in_one_sentence():
        access = open_cluster(kubeconfig, context)
        room = look(access, name, datetime.now(UTC))
        if watch:
            _watch(access, room)
        elif as_json:
            click.echo(json.dumps(room.as_json(), indent=2, ensure_ascii=False))
        else:
            click.echo(text(room))


@workshop.command()
@_on_a_cluster
@click.option("--learner", "labels", metavar="LEARNER", multiple=True,
              help="Only this one's, by the name in handout.csv; more than one may be named.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, kubeconfig: Path | None, context: str | None, labels: tuple[str, ...], yes: bool) -> None:
    """Take a workshop away, with all that its learners made; nothing else is touched."""
    from kubelab.workshop.access import open_cluster
    from kubelab.workshop.deleting import delete as carry_out
    from kubelab.workshop.deleting import doomed

    with _in_one_sentence():
        access = open_cluster(kubeconfig, context)
        going = doomed(access, name, labels)
        if not going.objects:
            click.echo(f"There is nothing of a workshop {name!r} on {access.address.server}.")
            return
        click.echo(f"On {access.address.server} (context {access.address.context}) these go: {going.sentence}.")
        if going.namespaces:
            shown = ", ".join(going.namespaces[:5])
            click.echo(f"  {shown}{' …' if len(going.namespaces) > 5 else ''}")
        if not yes and not _agreed():
            raise click.Abort
        with _bar("namespaces", len(going.namespaces)) as done:
            before = 0

            def gone(count: int) -> None:
                nonlocal before
                for _ in range(count - before):
                    done(None)
                before = max(before, count)

            carry_out(access, going, gone)
    if labels:
        click.echo(f"{', '.join(labels)}: gone; `kubelab workshop create` would make them anew.")
    else:
        click.echo(f"Workshop {name} is gone. Its kubeconfigs are of no use any more; delete their folder.")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask; give --yes to go on.")
    return click.confirm("Delete them, and what is in them?")


def _watch(access: Access, room: Room) -> None:
    import time

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from kubelab.lab.errors import LabError
    from kubelab.workshop.errors import WorkshopError
    from kubelab.workshop.picture import text
    from kubelab.workshop.status import look

    def shown(room: Room, trouble: str = "") -> Text:
        moment = room.at.astimezone().strftime("%H:%M:%S")
        return Text("\n".join(filter(None, (text(room), trouble, f"{moment}, Ctrl-C ends this"))), no_wrap=True)

    with Live(shown(room), console=Console(), auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            time.sleep(WATCH_SECONDS)
            trouble = ""
            try:
                room = look(access, room.workshop, datetime.now(UTC))
            except WorkshopError:  # it has been deleted
                raise
            except LabError as error:
                trouble = str(error)
            live.update(shown(room, trouble), refresh=True)


def _summary(plan: Plan, made: Sequence[Made], given: Sequence[Given], folder: Path) -> None:
    problems = [(each.learner, each.problem) for each in made] + [(each.made.learner, each.problem) for each in given]
    for learner, problem in problems:
        if problem:
            _say(f"✘ {learner.name}: {problem}")
    new = sum(each.changes.get(f"Namespace/{plan.namespace(each.learner)}") == "created" for each in made)
    changed = sum(bool(each.changes) for each in made) - new
    good = [each for each in given if not each.problem]
    fresh = sum(each.renewed for each in good)
    click.echo(f"Workshop {plan.name}: {len(good)} of {len(made)} learners are ready.")
    click.echo(f"  namespaces   {new} new, {changed} completed or changed, {len(made) - new - changed} as they were")
    click.echo(
        f"  kubeconfigs  in {folder}: {fresh} new tokens, {len(good) - fresh} still good; handout.csv says whose"
    )
    if until := min((each.expires for each in good if each.expires), default=None):
        cut = " (the server gives tokens no longer life)" if any(each.shortened for each in good) else ""
        click.echo(f"  tokens       good until {until.astimezone():%Y-%m-%d %H:%M}{cut}; --renew gives new ones")
    if made:
        click.echo(f"  hosts        for example {plan.host(made[0].learner)}; *.{plan.domain} leads to the controller")


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[Any], None]]:
    """A bar on a terminal's standard error, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("  {task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda _: progress.advance(task)


@contextmanager
def _in_one_sentence() -> Iterator[None]:
    from kubelab.lab.errors import LabError

    try:
        yield
    except LabError as error:
        _say(f"kubelab: {error}")
        sys.exit(1)


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)
