// Rows with radio buttons: a click is a prediction. Python writes it down.

class View {
  constructor(model, el, signal) {
    this.model = model;
    this.signal = signal;
    // One name a group on the page, also when the form is shown twice.
    this.group = `kl-${crypto.randomUUID?.() ?? Math.random()}`;
    this.status = make("div", { role: "status", class: "kl-note" });
    this.alert = make("div", { role: "alert" });
    this.inputs = new Map();
    const heads = [...model.get("heads"), "what do you predict?"].map((head) => make("th", { scope: "col" }, head));
    const body = model.get("rows").map((row) => this.row(row));
    el.append(make("div", { class: "kl kl-predict", role: "group", "aria-label": "Predictions",
      "data-lm-suppress-shortcuts": "true" },
      make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body)),
      this.status, this.alert));
    model.on("change:chosen", this.show);
    model.on("change:problem", this.show);
    signal.addEventListener("abort", () => {
      model.off("change:chosen", this.show);
      model.off("change:problem", this.show);
    });
    this.show();
  }

  row(row) {
    const options = row.options.map((option) => {
      const input = make("input", { type: "radio", name: `${this.group}-${row.id}`, value: option,
        "data-lm-suppress-shortcuts": "true" });
      input.addEventListener("change", () => this.choose(row.id, option), { signal: this.signal });
      this.inputs.set(`${row.id} ${option}`, input);
      return make("label", {}, input, make("span", {}, option));
    });
    const group = make("div", { role: "radiogroup", "aria-label": row.cells.join(", ") }, ...options);
    return make("tr", {}, ...row.cells.map((cell) => make("td", {}, cell)), make("td", {}, group));
  }

  choose(id, option) {
    this.model.set("chosen", { ...this.model.get("chosen"), [id]: option });
    this.model.save_changes();
    this.status.textContent = "Written down.";
  }

  show = () => {
    for (const [id, option] of Object.entries(this.model.get("chosen"))) {
      const input = this.inputs.get(`${id} ${option}`);
      if (input) input.checked = true;
    }
    this.alert.textContent = this.model.get("problem");
  };
}

export default {
  render({ model, el }) {
    const ending = new AbortController();
    new View(model, el, ending.signal);
    return () => ending.abort();
  },
};
