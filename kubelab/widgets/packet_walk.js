// The walk: Python has computed every way, its map and its words; here a reader steps through them.

const SECONDS_A_STEP = 1.8;
const SVG = "http://www.w3.org/2000/svg";
const ENDS = { delivered: "✔", "left alone": "○", unknown: "?" };
const SHAPES = { DNAT: "▲", SNAT: "◆", mark: "■", back: "▼" };

class Walk {
  constructor(model, el, signal) {
    this.model = model;
    this.signal = signal;
    this.timer = null;
    this.root = make("div", { class: "kl kl-walk", role: "group", "data-lm-suppress-shortcuts": "true" });
    el.append(this.root);
    this.build();
    for (const name of ["step", "outcome", "reply", "every_hop"]) model.on(`change:${name}`, this.changed);
    model.on("change:walk", this.rebuild);
    signal.addEventListener("abort", () => this.end());
  }

  end() {
    this.pause();
    for (const name of ["step", "outcome", "reply", "every_hop"]) this.model.off(`change:${name}`, this.changed);
    this.model.off("change:walk", this.rebuild);
  }

  changed = () => this.show();
  rebuild = () => {
    this.root.replaceChildren();
    this.build();
  };

  // What is shown now

  get outcome() { return this.model.get("walk").outcomes[this.model.get("outcome")]; }
  get onReply() { return this.model.get("reply") && this.outcome.reply !== null; }
  get way() { return this.onReply ? this.outcome.reply : this.outcome.request; }
  get stops() {
    const all = this.way.steps.map((_, number) => number);
    return this.model.get("every_hop") ? all : all.filter((number) => this.way.steps[number].matters);
  }
  /** The stop that is shown: the nearest one at or after the model's step. */
  get at() {
    const found = this.stops.findIndex((number) => number >= this.model.get("step"));
    return found < 0 ? this.stops.length - 1 : found;
  }

  set(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
    this.show();
  }

  go(to) {
    const stops = this.stops;
    this.set({ step: stops[Math.max(0, Math.min(stops.length - 1, to))] });
  }

  play() {
    if (this.at === this.stops.length - 1) this.go(0);
    this.timer = setInterval(() => {
      this.go(this.at + 1);
      if (this.at === this.stops.length - 1) this.pause();
    }, SECONDS_A_STEP * 1000);
    this.showControls();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.showControls();
  }

  toggle() { this.timer === null ? this.play() : this.pause(); }

  // Building

  build() {
    const walk = this.model.get("walk");
    this.root.setAttribute("aria-label", `Packet walk: ${walk.title}`);
    this.drawn = null;
    this.status = make("div", { role: "status", "aria-live": "polite", "aria-atomic": "true" });
    this.card = make("div", { class: "kl-packet-card" });
    this.stage = make("div", { class: "kl-stage", tabindex: "0", "data-lm-suppress-shortcuts": "true", role: "group",
      "aria-label": "Map of the way. Arrow keys step, space plays, Home and End jump." });
    this.list = make("ol");
    this.last = make("p", { class: "kl-end" });
    this.root.append(
      make("h4", {}, `Packet walk: ${walk.title}`),
      this.choices(walk),
      this.bar(),
      make("div", { class: "kl-now" }, this.status, this.card),
      make("div", { class: "kl-body" }, make("div", {}, this.stage, this.last),
        make("details", { class: "kl-list", open: true },
          make("summary", { "data-lm-suppress-shortcuts": "true" }, "All steps"), this.list)),
      ...walk.notes.map((note) => make("p", { class: "kl-note" }, `Note: ${note}`)),
    );
    this.root.addEventListener("keydown", (event) => this.key(event), { signal: this.signal });
    this.show();
  }

  choices(walk) {
    const group = `kl-${Math.random().toString(36).slice(2)}`;
    this.radios = walk.outcomes.map((outcome, number) => {
      const radio = make("input", { type: "radio", name: group, "data-lm-suppress-shortcuts": "true" });
      radio.addEventListener("change", () => { this.pause(); this.set({ outcome: number, step: 0 }); },
        { signal: this.signal });
      return radio;
    });
    const labels = walk.outcomes.map((outcome, number) => make("label", { class: "kl-choice" }, this.radios[number],
      make("span", { style: `color: ${outcome.colour}`, "aria-hidden": "true" }, outcome.symbol),
      `${outcome.chance === "1" ? "" : `${outcome.chance} `}${outcome.label}`));
    const several = walk.outcomes.length > 1;
    return make("fieldset", {}, make("legend", {}, several ? "Outcomes, with their chances:" : "Outcome:"), ...labels);
  }

  bar() {
    const signal = this.signal;
    const stop = (to) => () => { this.pause(); this.go(to()); };
    this.first = button("|◀", { "aria-label": "First step", title: "Home" }, stop(() => 0), signal);
    this.back = button("◀ Back", { "aria-label": "Back", title: "←" }, stop(() => this.at - 1), signal);
    this.playing = button("Play", { class: "kl-play", title: "Space" }, () => this.toggle(), signal);
    this.next = button("Next ▶", { "aria-label": "Next", title: "→" }, stop(() => this.at + 1), signal);
    this.final = button("▶|", { "aria-label": "Last step", title: "End" }, stop(() => this.stops.length - 1), signal);
    const turn = (reply) => () => { this.pause(); this.set({ reply, step: 0 }); };
    this.request = button("Request", {}, turn(false), signal);
    this.answer = button("Answer", {}, turn(true), signal);
    this.every = make("input", { type: "checkbox", "data-lm-suppress-shortcuts": "true" });
    this.every.addEventListener("change", () => this.set({ every_hop: this.every.checked }), { signal });
    this.everyText = document.createTextNode("");
    this.count = make("span", { class: "kl-count" });
    return make("div", { class: "kl-bar" }, this.first, this.back, this.playing, this.next, this.final, this.request,
      this.answer, make("label", { class: "kl-every" }, this.every, this.everyText), this.count);
  }

  key(event) {
    const target = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.type === "radio" && event.key.startsWith("Arrow")) return;
    const presses = ["BUTTON", "INPUT", "SUMMARY"].includes(target.tagName);
    const moves = {
      ArrowRight: () => this.at + 1, ArrowLeft: () => this.at - 1, Home: () => 0, End: () => this.stops.length - 1,
    };
    if (moves[event.key]) {
      this.pause();
      this.go(moves[event.key]());
    } else if (event.key === " " && !presses) {
      this.toggle();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  // Showing

  show() {
    const way = this.way;
    if (this.drawn !== way) this.drawMap(way);
    const stops = this.stops;
    const number = stops[this.at];
    this.showControls();
    this.showStep(way.steps[number]);
    this.showPacket(way.steps[number]);
    this.showMap(way.steps[number], number);
    this.showList(stops, number);
    const ended = this.at === stops.length - 1;
    this.last.replaceChildren(ended ? make("b", {}, `${ENDS[way.kind] ?? "✖"} ${way.kind}: `) : "", ended ? way.end : "");
    this.last.hidden = !ended;
  }

  showControls() {
    const outcome = this.outcome;
    const [at, stops] = [this.at, this.stops];
    this.radios.forEach((radio, number) => { radio.checked = number === this.model.get("outcome"); });
    this.first.disabled = this.back.disabled = at === 0;
    this.final.disabled = this.next.disabled = at === stops.length - 1;
    this.playing.textContent = this.timer === null ? "Play" : "Pause";
    this.request.setAttribute("aria-pressed", String(!this.onReply));
    this.answer.setAttribute("aria-pressed", String(this.onReply));
    this.answer.disabled = outcome.reply === null;
    this.answer.title = outcome.no_reply;
    this.every.checked = this.model.get("every_hop");
    const all = this.way.steps.length;
    const key = this.way.steps.filter((step) => step.matters).length;
    this.everyText.textContent = `every hop (${all}; ${all - key} look and change nothing)`;
    this.count.textContent = `Step ${at + 1} of ${stops.length}`;
  }

  showStep(step) {
    const hook = step.hook ? ` · ${step.hook}` : "";
    const seen = step.seen === null ? null
      : make("p", { class: "kl-note" }, step.seen ? "✓ The kernel has shown this hop, too." : "The kernel has not shown this hop.");
    this.status.replaceChildren(
      make("div", { class: "kl-at" }, `${step.place}${hook} · ${step.where}`),
      make("div", { class: "kl-words" }, step.words),
      ...(step.aside ? [make("p", { class: "kl-note" }, step.aside)] : []),
      ...(step.rule ? [make("div", { class: "kl-rule", "aria-label": "The rule as written" }, step.rule)] : []),
      ...(step.written ? [make("p", { class: "kl-note" }, `Its real name: ${step.written}`)] : []),
      ...(step.comment ? [make("p", { class: "kl-note" }, `Its comment: “${step.comment}”`)] : []),
      ...(seen ? [seen] : []),
    );
  }

  showPacket(step) {
    const row = (title, name) => {
      const [before, after] = [step.before, step.after];
      const changed = before[name] !== after[name] || before[`${name}_address`] !== after[`${name}_address`];
      const shown = (packet) => [packet[name], ...(packet[`${name}_address`] && packet[`${name}_address`] !== packet[name]
        ? [make("span", { class: "kl-address" }, packet[`${name}_address`])] : [])];
      const now = changed
        ? make("span", { class: "kl-changed" }, make("del", {}, ...shown(before)),
            make("b", {}, `${SHAPES[step.change] ?? "→"} becomes `, ...shown(after)))
        : make("span", {}, ...shown(after));
      return make("tr", {}, make("th", { scope: "row" }, title), make("td", {}, now));
    };
    this.card.replaceChildren(make("table", { "aria-label": "The packet now" },
      make("tbody", {}, row("From", "source"), row("To", "destination"), row("Mark", "mark"))));
  }

  drawMap(way) {
    this.drawn = way;
    this.stage.innerHTML = way.svg;
    const svg = this.stage.querySelector("svg");
    this.boxes = new Map([...svg.querySelectorAll("[data-box]")].map((box) => [Number(box.dataset.box), box]));
    this.packet = document.createElementNS(SVG, "g");
    this.packet.setAttribute("class", "kl-packet");
    const circle = document.createElementNS(SVG, "circle");
    const sign = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries({ r: 9, fill: "#0072B2", stroke: "#fff", "stroke-width": 2 }))
      circle.setAttribute(name, value);
    // An envelope.
    sign.setAttribute("d", "M-5 -3.5h10v7h-10zM-5 -3.5l5 4l5 -4");
    sign.setAttribute("style", "fill: none; stroke: #fff; stroke-width: 1.2");
    this.packet.append(circle, sign);
    svg.append(this.packet);
  }

  showMap(step, number) {
    const passed = new Set(this.way.steps.slice(0, number).map((each) => each.box));
    for (const [at, box] of this.boxes) {
      box.classList.toggle("kl-here", at === step.box);
      box.classList.toggle("kl-done", passed.has(at));
      box.classList.toggle("kl-yet", at > step.box && !passed.has(at));
    }
    const rect = this.boxes.get(step.box).querySelector("rect");
    const [x, y] = ["x", "y"].map((name) => Number(rect.getAttribute(name)));
    this.packet.style.transform = `translate(${x - 4}px, ${y + Number(rect.getAttribute("height")) / 2}px)`;
  }

  showList(stops, number) {
    const steps = this.way.steps;
    const held = this.list.contains(document.activeElement);
    this.list.replaceChildren(...stops.map((at, index) => {
      const step = steps[at];
      const seen = step.seen === null ? "" : step.seen ? " ✓" : " not seen";
      const made = button("", { "aria-current": at === number ? "step" : undefined, tabindex: at === number ? "0" : "-1" },
        () => { this.pause(); this.set({ step: at }); }, this.signal);
      const moved = index === 0 || steps[stops[index - 1]].place !== step.place;
      made.append(make("span", {}, String(index + 1)),
        make("span", {}, ...(moved ? [make("span", { class: "kl-place" }, `${step.place}: `)] : []), step.where),
        make("span", {}, `${step.badge}${seen}`));
      return make("li", {}, made);
    }));
    const current = this.list.querySelector("[aria-current]");
    if (held) current.focus({ preventScroll: true });
    // Within the list only: the notebook must not scroll away under the reader.
    const item = current.parentElement;
    this.list.scrollTop = item.offsetTop - this.list.offsetTop - this.list.clientHeight / 2;
  }
}

export default {
  render({ model, el }) {
    const ending = new AbortController();
    new Walk(model, el, ending.signal);
    return () => ending.abort();
  },
};
