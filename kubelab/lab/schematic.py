"""The life-lines as a small drawing without a time axis: what was there before, what came of it, what was there after.

Times differ from run to run, the story does not: this form is the same every time, stands without a browser's help and
follows JupyterLab's theme.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kubelab.lab import palette

if TYPE_CHECKING:
    from kubelab.lab.lifelines import LifeLine, PodLifelines

_ROW, _TOP, _LEFT, _MIDDLE, _RIGHT, _WIDTH = 26, 30, 130, 300, 470, 640
_INK = "var(--jp-content-font-color1, #222)"


def lifelines_svg(lifelines: PodLifelines) -> str:
    """The drawing as inline SVG with a title and a description."""
    rows = [_pod_row(index, line, lifelines) for index, line in enumerate(lifelines.lines)]
    rows += [_client_row(len(rows) + index, name, lifelines) for index, name in enumerate(sorted(lifelines.traffic))]
    height = _TOP + _ROW * len(rows) + 6
    described = "; ".join(_story(line, lifelines) for line in lifelines.lines)
    heads = "".join(
        f'<text x="{x}" y="16" text-anchor="middle" opacity="0.7">{word}</text>'
        for x, word in ((_LEFT + 20, "before"), (_MIDDLE, "the experiment"), (_RIGHT - 20, "after"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" style="max-width: 100%; font: 13px var(--jp-ui-font-family, sans-serif); fill: {_INK}">'
        f"<title>{escape(lifelines.sentence)}</title><desc>{escape(described)}</desc>{heads}"
        f'<line x1="{_MIDDLE}" x2="{_MIDDLE}" y1="22" y2="{height}" stroke="{_INK}" '
        'stroke-dasharray="2 4" opacity="0.5"/>'
        f"{''.join(rows)}</svg><div>{escape(lifelines.sentence)}</div>"
    )


def _pod_row(index: int, line: LifeLine, lifelines: PodLifelines) -> str:
    y = _TOP + _ROW * index + _ROW // 2
    colour = palette.nth(palette.COLOURS, index)
    was, is_ = _was(line, lifelines), _is(line, lifelines)
    left, right = (_LEFT if was else _MIDDLE + 12), (_RIGHT if is_ else _MIDDLE - 12)
    if not was and not is_:
        left, right = _MIDDLE - 12, _MIDDLE + 12
    marks = f'<circle cx="{left}" cy="{y}" r="6" fill="{colour}"/>'
    if not is_:
        marks += f'<text x="{right + 4}" y="{y + 5}" fill="{palette.BAD}" font-weight="bold">✖</text>'
    if line.restarted:
        marks += (
            f'<circle cx="{_MIDDLE}" cy="{y}" r="8" fill="var(--jp-layout-color0, white)" '
            f'stroke="{colour}" stroke-width="2"/>'
            f'<text x="{_MIDDLE}" y="{y + 5}" text-anchor="middle">↻</text>'
        )
    return (
        f'<text x="8" y="{y + 5}">{escape(line.pod.alias)}</text>'
        f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="8" stroke-linecap="round"/>'
        f'{marks}<text x="{_RIGHT + 16}" y="{y + 5}" opacity="0.8">{_address(line, lifelines)}</text>'
    )


def _client_row(index: int, name: str, lifelines: PodLifelines) -> str:
    y = _TOP + _ROW * index + _ROW // 2 + 5
    answers = [answer.ok for answer in lifelines.traffic[name].answers]
    marks = "".join(_verdict(x, y, part) for x, part in ((_LEFT + 20, answers[:10]), (_RIGHT - 20, answers[-10:])))
    return f'<text x="8" y="{y}" font-style="italic">{escape(name)}</text>{marks}'


def _verdict(x: int, y: int, answers: list[bool]) -> str:
    word, colour = ("answered ✔", palette.GOOD) if answers and all(answers) else ("some failed", palette.BAD)
    if not any(answers):
        word, colour = "no answer ✖", palette.BAD
    return f'<text x="{x}" y="{y}" text-anchor="middle" fill="{colour}">{word}</text>'


def _was(line: LifeLine, lifelines: PodLifelines) -> bool:
    return any(pod.uid == line.pod.uid for pod in lifelines.before)


def _is(line: LifeLine, lifelines: PodLifelines) -> bool:
    return any(pod.uid == line.pod.uid for pod in lifelines.after)


def _address(line: LifeLine, lifelines: PodLifelines) -> str:
    """Addresses by number, in the order of the pods: the digits differ from run to run."""
    seen = list(dict.fromkeys(other.pod.ip for other in lifelines.lines))
    return f"IP no. {seen.index(line.pod.ip) + 1}"


def _story(line: LifeLine, lifelines: PodLifelines) -> str:
    was, is_ = _was(line, lifelines), _is(line, lifelines)
    if was and is_:
        words = "stayed, its container was restarted" if line.restarted else "stayed"
    else:
        words = "went" if was else "came" if is_ else "came and went"
    return f"{line.pod.alias} {words} ({_address(line, lifelines)})"
