// The grid: Python asks and explains; here a cell is chosen, and what is known of it is shown below.

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

class View {
  constructor(model, el, signal) {
    this.model = model;
    this.signal = signal;
    this.chosen = null;
    this.root = make("div", { class: "kl kl-requests", role: "group", "aria-label": "Request matrix",
      "data-lm-suppress-shortcuts": "true" });
    el.append(this.root);
    this.status = make("span", { role: "status", class: "kl-quiet-text" });
    this.again = button("Ask again", {}, () => this.ask(), signal);
    this.alert = make("div", { role: "alert" });
    this.frame = make("div", { class: "kl-frame" });
    this.why = make("div", { class: "kl-why", "aria-live": "polite" });
    this.root.append(make("h4", {}, "Request matrix"), make("div", { class: "kl-bar" }, this.again, this.status),
      this.alert, this.frame, this.why);
    const shown = { cells: this.draw, sentence: this.say, busy: this.say, problem: this.say };
    for (const [name, show] of Object.entries(shown)) model.on(`change:${name}`, show);
    signal.addEventListener("abort", () => {
      for (const [name, show] of Object.entries(shown)) model.off(`change:${name}`, show);
    });
    this.draw();
    this.say();
  }

  ask() {
    this.model.set("again", this.model.get("again") + 1);
    this.model.save_changes();
    this.again.disabled = true;
    this.status.textContent = "Asking …";
  }

  say = () => {
    const busy = this.model.get("busy");
    this.again.disabled = busy;
    this.status.textContent = busy ? "Asking …" : `${this.model.get("sentence")}.`;
    this.alert.textContent = this.model.get("problem");
  };

  draw = () => {
    const [rows, columns, cells] = ["rows", "columns", "cells"].map((name) => this.model.get(name));
    const focused = this.frame.contains(document.activeElement);
    this.buttons = new Map();
    const body = rows.map((row, r) => make("tr", {}, make("th", { scope: "row" }, row),
      ...columns.map((column, c) => make("td", {}, this.cell(cells[r * columns.length + c], r, c, row, column)))));
    const head = make("thead", {}, make("tr", {}, make("td"),
      ...columns.map((column) => make("th", { scope: "col" }, column))));
    this.frame.replaceChildren(make("table", {}, ...(columns.some(Boolean) ? [head] : []), make("tbody", {}, ...body)));
    const keep = this.chosen !== null && this.buttons.has(this.chosen) ? this.chosen : null;
    const first = keep ?? [...this.buttons.keys()][0];
    if (first !== undefined) this.buttons.get(first).tabIndex = 0;
    if (focused && first !== undefined) this.buttons.get(first).focus();
    this.choose(keep);
  };

  cell(cell, r, c, row, column) {
    if (!cell) return null;
    const key = `${r}/${c}`;
    const sign = cell.sign ? make("span", { class: "kl-sign", "aria-hidden": "true" }, cell.sign) : null;
    const verdict = { true: "as predicted", false: cell.beside }[String(cell.right)] ?? "";
    const made = button("", { tabindex: "-1", "aria-pressed": "false", class: { true: "kl-right", false: "kl-wrong" }[
      String(cell.right)], "aria-label": [row, column, cell.words, verdict].filter(Boolean).join(", ") },
    () => this.choose(key), this.signal);
    made.append(...[sign, cell.words].filter(Boolean));
    if (cell.beside) made.append(make("small", {}, cell.beside));
    if (cell.computed) made.append(make("small", {}, `the objects ask for ${cell.computed}`));
    made.addEventListener("keydown", (event) => this.move(event, r, c), { signal: this.signal });
    this.buttons.set(key, made);
    return made;
  }

  move(event, r, c) {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const next = this.buttons.get(`${r + step[0]}/${c + step[1]}`);
    if (!next) return;
    event.currentTarget.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  choose(key) {
    this.chosen = key;
    for (const [each, made] of this.buttons) made.setAttribute("aria-pressed", String(each === key));
    if (key === null) {
      this.why.replaceChildren(make("div", { class: "kl-quiet-text" }, "Choose a cell to see which rule was taken, and why."));
      return;
    }
    const [r, c] = key.split("/").map(Number);
    const cell = this.model.get("cells")[r * this.model.get("columns").length + c];
    const others = cell.others.map((other) => make("li", {}, other));
    this.why.replaceChildren(
      make("div", { class: "kl-url" }, cell.url),
      make("div", {}, make("h5", {}, "Why, from the objects"),
        cell.computed ? make("p", { class: "kl-odd" }, `They ask for ${cell.computed}, and that is not what came.`) : null,
        make("p", {}, cell.why), others.length ? make("ul", {}, ...others) : null),
      make("div", {}, make("h5", {}, "What came back"),
        make("dl", {}, ...cell.answered.flatMap(([name, said]) => [make("dt", {}, name), make("dd", {}, said)]))));
  }
}

export default {
  render({ model, el }) {
    const ending = new AbortController();
    new View(model, el, ending.signal);
    return () => ending.abort();
  },
};
