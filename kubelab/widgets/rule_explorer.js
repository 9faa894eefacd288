// The explorer: Python has picked out the rules; here a reader jumps from chain to chain.

class Explorer {
  constructor(model, el, signal) {
    this.model = model;
    this.signal = signal;
    this.came = [];
    this.root = make("div", { class: "kl kl-rules", role: "group", "data-lm-suppress-shortcuts": "true" });
    el.append(this.root);
    this.id = `kl-rules-${Math.random().toString(36).slice(2)}`;
    this.build();
    model.on("change:rules", this.show);
    model.on("change:mode", this.show);
    model.on("change:problem", this.show);
    model.on("change:reading", this.show);
    signal.addEventListener("abort", () => {
      for (const name of ["rules", "mode", "problem", "reading"]) model.off(`change:${name}`, this.show);
    });
  }

  build() {
    const quiet = { "data-lm-suppress-shortcuts": "true" };
    this.title = make("h4");
    this.nodes = make("select", { ...quiet, "aria-label": "Node" });
    this.nodes.addEventListener("change", () => this.set("node", this.nodes.value), { signal: this.signal });
    this.read = button("Read again", {}, () => this.set("asked", this.model.get("asked") + 1), this.signal);
    this.back = button("◀ Back", { title: "Backspace" }, () => this.goBack(), this.signal);
    this.names = make("input", { ...quiet, type: "checkbox" });
    this.names.addEventListener("change", () => this.set("addresses", this.names.checked), { signal: this.signal });
    this.alert = make("div", { role: "alert" });
    this.tabs = make("div", { role: "tablist", "aria-label": "Modes of kube-proxy" });
    this.source = make("div");
    this.blocks = make("div", { class: "kl-blocks", role: "tabpanel", tabindex: "0", id: this.id, ...quiet });
    this.root.append(this.title,
      make("div", { class: "kl-bar" }, make("label", {}, "on node ", this.nodes), this.read, this.back,
        make("label", {}, this.names, " addresses as written")),
      this.alert, this.tabs, this.source, this.blocks);
    this.root.addEventListener("keydown", (event) => this.key(event), { signal: this.signal });
    this.show();
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
    this.show();
  }

  key(event) {
    if (event.key === "Backspace" && !["INPUT", "SELECT"].includes(event.target.tagName)) {
      this.goBack();
    } else if (event.target.getAttribute("role") === "tab" && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
      const modes = this.model.get("rules").modes.map((each) => each.mode);
      const step = event.key === "ArrowRight" ? 1 : modes.length - 1;
      this.set("mode", modes[(modes.indexOf(this.model.get("mode")) + step) % modes.length]);
      this.tabs.querySelector('[aria-selected="true"]').focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  show = () => {
    const rules = this.model.get("rules");
    this.root.setAttribute("aria-label", `Rules of Service ${rules.service}`);
    this.title.textContent = `Service ${rules.service}: its own rules in each mode`;
    this.nodes.replaceChildren(...rules.nodes.map((name) => make("option", { selected: name === rules.node }, name)));
    this.nodes.disabled = this.read.disabled = this.model.get("reading");
    this.names.checked = this.model.get("addresses");
    this.alert.textContent = this.model.get("problem");
    const mode = rules.modes.find((each) => each.mode === this.model.get("mode"));
    this.tabs.replaceChildren(...rules.modes.map((each) => this.tab(each, each === mode)));
    this.source.replaceChildren(
      make("span", { class: mode.live ? "kl-live" : "kl-quiet-text" }, mode.live ? "● loaded now. " : "○ "),
      make("span", { class: "kl-quiet-text" }, mode.source));
    if (this.shown !== mode || this.withAddresses !== this.model.get("addresses")) this.showBlocks(mode);
    this.back.disabled = this.came.length === 0;
  };

  tab(mode, chosen) {
    const made = button("", { role: "tab", "aria-selected": String(chosen), tabindex: chosen ? "0" : "-1",
      "aria-controls": this.id }, () => this.set("mode", mode.mode), this.signal);
    made.append(`${mode.live ? "● " : "○ "}${mode.mode}${mode.live ? " (runs)" : ""}`, make("small", {}, mode.count));
    return made;
  }

  showBlocks(mode) {
    if (this.shown?.mode !== mode.mode) this.came = [];
    this.shown = mode;
    this.withAddresses = this.model.get("addresses");
    this.sections = new Map();
    this.blocks.setAttribute("aria-label", `Rules in ${mode.mode} mode`);
    this.blocks.replaceChildren(...mode.blocks.map((block) => this.section(block)));
    if (mode.blocks.length === 0) this.blocks.append("Nothing on this node belongs to the Service in this mode.");
  }

  section(block) {
    const name = this.withAddresses ? block.name : block.named;
    const heading = make("h5", { tabindex: "-1", "data-lm-suppress-shortcuts": "true" }, `${block.kind} `,
      make("code", {}, name));
    const others = block.others ? ` (and ${block.others} more of other Services)` : "";
    const made = make("section", { "aria-label": `${block.kind} ${block.named}` }, heading,
      make("div", { class: "kl-quiet-text" }, block.words + others),
      make("ol", {}, ...block.lines.map((line) => this.line(line, block))));
    this.sections.set(block.name, { made, heading });
    return made;
  }

  line(line, block) {
    const to = [];
    if (line.share) to.push(make("span", { class: "kl-share" }, `◐ ${line.share}`));
    if (line.leads_to) {
      const target = this.shown.blocks.find((each) => each.name === line.leads_to);
      to.push(button(`→ ${target.short}`, { "aria-label": `Go to ${target.kind} ${target.named}`, title: target.named },
        () => this.jump(line.leads_to, block.name), this.signal));
    }
    return make("li", {}, make("div", {}, line.words, ...(line.aside ? [" ", make("span", { class: "kl-quiet-text" }, line.aside)] : [])),
      make("div", { class: "kl-to" }, ...to),
      make("div", { class: "kl-rule" }, this.withAddresses ? line.text : line.named));
  }

  jump(name, from) {
    this.came.push({ name: from, focus: document.activeElement });
    this.goTo(name);
  }

  goBack() {
    const last = this.came.pop();
    if (last === undefined) return;
    this.goTo(last.name);
    if (last.focus?.isConnected) last.focus.focus({ preventScroll: true });
  }

  /** Scrolls within the explorer only: the notebook must not move under the reader. */
  goTo(name) {
    const { made, heading } = this.sections.get(name);
    for (const each of this.sections.values()) each.made.classList.toggle("kl-jumped", each.made === made);
    this.blocks.scrollTo({ top: made.offsetTop - this.blocks.offsetTop - 8 });
    heading.focus({ preventScroll: true });
    this.back.disabled = this.came.length === 0;
  }
}

export default {
  render({ model, el }) {
    const ending = new AbortController();
    new Explorer(model, el, ending.signal);
    return () => ending.abort();
  },
};
