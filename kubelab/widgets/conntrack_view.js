// The table: Python reads and names the connections; here rows come and go.

const GONE_SECONDS = 3;
const COLUMNS = ["connection", "client", "asked for", "sent on to", "server sees", "flags", "seconds left"];

class View {
  constructor(model, el, signal) {
    this.model = model;
    this.signal = signal;
    this.rows = new Map();
    this.root = make("div", { class: "kl kl-conntrack", role: "group", "data-lm-suppress-shortcuts": "true" });
    el.append(this.root);
    this.build();
    const shown = ["rows", "running", "problem", "node", "service", "protocol", "text", "total", "about"];
    for (const name of shown) model.on(`change:${name}`, this.show);
    document.addEventListener("visibilitychange", () => this.set("visible", !document.hidden), { signal });
    signal.addEventListener("abort", () => {
      for (const name of shown) model.off(`change:${name}`, this.show);
      for (const row of this.rows.values()) clearTimeout(row.leaving);
    });
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  build() {
    const quiet = { "data-lm-suppress-shortcuts": "true" };
    const about = this.model.get("about");
    const choose = (name, label, options) => {
      const made = make("select", quiet, ...options.map(([value, text]) => make("option", { value }, text)));
      made.addEventListener("change", () => this.set(name, made.value), { signal: this.signal });
      this[name] = made;
      return make("label", {}, `${label} `, made);
    };
    this.start = button("Start", {}, () => this.set("running", true), this.signal);
    this.stop = button("Stop", {}, () => this.set("running", false), this.signal);
    this.text = make("input", { ...quiet, type: "search", placeholder: "pod, state, port …", size: "16" });
    this.text.addEventListener("input", () => this.set("text", this.text.value), { signal: this.signal });
    this.tuples = make("input", { ...quiet, type: "checkbox" });
    this.tuples.addEventListener("change", () => { this.clear(); this.show(); }, { signal: this.signal });
    this.status = make("div", { role: "status", class: "kl-quiet-text" });
    this.alert = make("div", { role: "alert" });
    const head = make("thead", {}, make("tr", {}, ...COLUMNS.map((name) => make("th", { scope: "col" }, name))));
    const words = Object.entries({ ...about.states, ...about.flags }).filter(([name]) => name)
      .flatMap(([name, said]) => [make("dt", {}, name), make("dd", {}, said)]);
    this.table = make("table", {}, head);
    this.title = make("h4");
    this.root.append(this.title,
      make("div", { class: "kl-bar" }, this.start, this.stop,
        choose("node", "on", about.nodes.map((name) => [name, name])),
        choose("service", "Service", [["", "any"], ...about.services.map((name) => [name, name])]),
        choose("protocol", "protocol", ["", "tcp", "udp", "sctp", "icmp"].map((name) => [name, name || "any"])),
        make("label", {}, "with ", this.text), make("label", {}, this.tuples, " both tuples as written")),
      this.alert, this.status,
      make("div", { class: "kl-frame", tabindex: "0", role: "region", "aria-label": "Connections", ...quiet },
        this.table),
      make("details", {}, make("summary", quiet, "What the words mean"), make("dl", {}, ...words)),
      ...(about.note ? [make("p", { class: "kl-note" }, about.note)] : []));
    this.show();
  }

  show = () => {
    const [running, rows, total] = ["running", "rows", "total"].map((name) => this.model.get(name));
    this.title.textContent = `Connection table of ${this.model.get("node")}`;
    this.root.setAttribute("aria-label", this.title.textContent);
    this.start.disabled = running;
    this.stop.disabled = !running;
    for (const name of ["node", "service", "protocol", "text"]) {
      if (this[name].value !== this.model.get(name)) this[name].value = this.model.get(name);
    }
    this.alert.textContent = this.model.get("problem");
    const more = total > rows.length ? `, the first ${rows.length} are shown` : "";
    const open = rows.filter((row) => row.open).length;
    // Said only when it changes: a screen reader would read it every second otherwise.
    const said = `${running ? "Reading every second. " : "Stopped. "}${total} connections${more}, ${open} of them open.`;
    if (this.status.textContent !== said) this.status.textContent = said;
    this.showRows(rows);
  };

  clear() {
    for (const row of this.rows.values()) {
      clearTimeout(row.leaving);
      row.element.remove();
    }
    this.rows.clear();
  }

  showRows(rows) {
    // What a filter takes away is not gone: only rows of the same question come and go before the reader's eyes.
    if (this.asked !== this.model.get("asked")) this.clear();
    this.asked = this.model.get("asked");
    const first = this.rows.size === 0;
    const there = new Set(rows.map((row) => row.key));
    for (const [key, row] of this.rows) {
      if (!there.has(key) && row.leaving === null) this.leave(key, row);
    }
    let last = null;
    for (const row of rows) {
      let shown = this.rows.get(row.key);
      if (shown === undefined || shown.leaving !== null) {
        shown?.element.remove();
        clearTimeout(shown?.leaving);
        shown = { element: make("tbody"), leaving: null };
        this.rows.set(row.key, shown);
        if (!first) this.arrive(shown.element);
      }
      this.fill(shown.element, row);
      const place = (last ?? this.table.tHead).nextSibling;
      if (place !== shown.element) this.table.insertBefore(shown.element, place);
      last = shown.element;
    }
  }

  arrive(element) {
    element.classList.add("kl-new");
    setTimeout(() => element.classList.remove("kl-new"), 1200);
  }

  leave(key, row) {
    row.element.classList.add("kl-gone");
    row.element.querySelector(".kl-sign").textContent = "✕";
    row.leaving = setTimeout(() => {
      row.element.remove();
      this.rows.delete(key);
    }, GONE_SECONDS * 1000);
  }

  fill(element, row) {
    const about = this.model.get("about");
    const explained = (name, said) => make("abbr", { title: said ?? "" }, name);
    element.classList.toggle("kl-over", !row.open);
    element.replaceChildren(make("tr", {},
      make("td", {}, make("span", { class: "kl-sign", "aria-hidden": "true" }, row.open ? "●" : "○"), `${row.protocol} `,
        ...(row.state ? [explained(row.state, about.states[row.state])] : [])),
      make("td", {}, row.source, ...(row.port ? [make("span", { class: "kl-quiet-text" }, `:${row.port}`)] : [])),
      make("td", {}, row.asked),
      make("td", {}, row.server ? `→ ${row.server}` : ""),
      make("td", {}, row.seen_as),
      make("td", {}, row.flags ? explained(row.flags, about.flags[row.flags]) : ""),
      make("td", { class: "kl-seconds" }, String(row.seconds))));
    if (this.tuples.checked) {
      element.append(make("tr", {}, make("td", { class: "kl-tuple", colspan: String(COLUMNS.length) },
        make("div", {}, `as it came: ${row.first}`), make("div", {}, `answers:    ${row.back}`))));
    }
  }
}

export default {
  render({ model, el }) {
    const ending = new AbortController();
    new View(model, el, ending.signal);
    return () => ending.abort();
  },
};
