// The class: Python looks and counts; here rows are sorted and narrowed, and the next look is asked for.

const ORDERS = {
  "by name": () => 0, // as they come
  "who may want help": (a, b) => Boolean(b.stuck) - Boolean(a.stuck) || a.at.localeCompare(b.at),
  "furthest first": (a, b) => b.solved - a.solved,
  "quiet for longest": (a, b) => a.at.localeCompare(b.at),
};
const LOOKS = { "✔": "kl-solved", "✖": "kl-tried", "!": "kl-stuck" };

class Classroom {
  constructor(model, el, signal) {
    this.model = model;
    this.signal = signal;
    this.root = make("div", { class: "kl kl-workshop", role: "group", "aria-label": "Workshop",
      "data-lm-suppress-shortcuts": "true" });
    el.append(this.root);
    this.status = make("span", { role: "status", class: "kl-quiet-text" });
    this.again = button("Look again", {}, () => this.ask(), signal);
    this.live = make("input", { type: "checkbox", checked: true });
    this.order = make("select", { "aria-label": "Order" }, ...Object.keys(ORDERS).map((name) => make("option", {}, name)));
    this.filter = make("input", { type: "search", placeholder: "name", "aria-label": "Only names with", size: "12" });
    this.order.addEventListener("change", this.draw, { signal });
    this.filter.addEventListener("input", this.draw, { signal });
    this.alert = make("div", { role: "alert" });
    this.frame = make("div", { class: "kl-frame", tabindex: "0", role: "region", "aria-label": "Learners and tasks" });
    const often = make("label", {}, this.live, ` every ${model.get("seconds")} s`);
    this.root.append(make("h4", {}, "Workshop"),
      make("div", { class: "kl-bar" }, this.again, often, this.order, this.filter, this.status),
      this.alert, this.frame, make("p", { class: "kl-note" }, model.get("legend")));
    const shown = { seats: this.draw, lessons: this.draw, sentence: this.say, busy: this.say, problem: this.say };
    for (const [name, show] of Object.entries(shown)) model.on(`change:${name}`, show);
    const beat = setInterval(() => this.tick(), 1000 * model.get("seconds"));
    signal.addEventListener("abort", () => {
      clearInterval(beat);
      for (const [name, show] of Object.entries(shown)) model.off(`change:${name}`, show);
    });
    this.draw();
    this.say();
  }

  tick() {
    // a page that nobody sees, or a kernel that still answers the last question, is left in peace
    const seen = document.visibilityState === "visible" && this.root.offsetParent !== null;
    if (this.live.checked && seen && !this.asked) this.ask();
  }

  ask() {
    this.asked = true;
    this.model.set("again", this.model.get("again") + 1);
    this.model.save_changes();
    this.again.disabled = true;
  }

  say = () => {
    const busy = this.model.get("busy");
    if (!busy) this.asked = false;
    this.again.disabled = busy;
    this.status.textContent = this.model.get("sentence");
    this.alert.textContent = this.model.get("problem");
  };

  draw = () => {
    const lessons = this.model.get("lessons");
    const wanted = this.filter.value.trim().toLowerCase();
    const all = this.model.get("seats");
    const seats = all.filter((seat) => seat.name.toLowerCase().includes(wanted)).sort(ORDERS[this.order.value]);
    const firsts = new Set();
    let at = 0;
    for (const [, tasks] of lessons) {
      firsts.add(at);
      at += tasks.length;
    }
    const numbers = make("tr", {}, make("th", { scope: "col" }, "lesson"),
      ...lessons.map(([lesson, tasks]) => make("th", { scope: "colgroup", colspan: tasks.length, class: "kl-first" }, lesson)),
      make("th", { scope: "col" }, "is at"));
    const bars = make("tr", { class: "kl-bars" }, make("th", { scope: "row" }, "solved by"),
      ...lessons.flatMap(([, tasks]) => tasks.map((task, index) => this.bar(task, index, all.length))), make("td"));
    const rows = seats.map((seat) => make("tr", { class: seat.stuck ? "kl-help" : undefined },
      make("th", { scope: "row", title: `${seat.label}, ${seat.host}` }, seat.name),
      ...[...seat.marks].map((mark, index) => make("td", { class: [LOOKS[mark], firsts.has(index) && "kl-first"]
        .filter(Boolean).join(" ") || undefined, title: seat.words[index] }, mark)),
      make("td", { class: "kl-where" }, seat.where)));
    const [left, top] = [this.frame.scrollLeft, this.frame.scrollTop];
    this.frame.replaceChildren(make("table", {}, make("thead", {}, numbers, bars), make("tbody", {}, ...rows)));
    this.frame.scrollTo(left, top);
  };

  bar([task, solved, tried], index, all) {
    const part = (count, name) => make("i", { class: name, style: `height: ${all ? (100 * count) / all : 0}%` });
    const words = `${task}: solved by ${solved} of ${all}, tried by ${tried} more`;
    return make("td", { class: index ? undefined : "kl-first", title: words },
      make("span", { class: "kl-column", role: "img", "aria-label": words }, part(tried, "kl-tried"), part(solved, "kl-solved")));
  }
}

export default {
  render({ model, el }) {
    const ending = new AbortController();
    new Classroom(model, el, ending.signal);
    return () => ending.abort();
  },
};
