// The matrix and the time line are drawn in Python; here are the buttons.

export default {
  render({ model, el }) {
    const ending = new AbortController();
    const { signal } = ending;
    const quiet = { "data-lm-suppress-shortcuts": "true" };
    const root = make("div", { class: "kl kl-certificates", role: "group", "aria-label": "Certificates served", ...quiet });
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const again = button("Shake hands again", {}, () => set("asked", model.get("asked") + 1), signal);
    const name = make("input", { ...quiet, type: "text", size: "26", placeholder: "shop.example.test",
      "aria-label": "Another name" });
    const add = () => { if (name.value.trim()) set("added", name.value.trim()); };
    name.addEventListener("keydown", (event) => { if (event.key === "Enter") add(); }, { signal });
    const alert = make("div", { role: "alert" });
    const status = make("span", { role: "status", class: "kl-quiet-text" });
    const matrix = make("div", { class: "kl-frame", tabindex: "0", role: "region", "aria-label": "Names and certificates" });
    const timeline = make("div");
    root.append(make("h4", {}, "Certificates served"),
      make("div", { class: "kl-bar" }, again, name, button("Try this name too", {}, add, signal), status),
      alert, matrix, timeline,
      make("p", { class: "kl-note" }, "The bars: from when until when each is valid, in days from today."));
    const show = () => {
      root.setAttribute("aria-busy", String(model.get("reading")));
      again.disabled = model.get("reading");
      alert.textContent = model.get("problem");
      status.textContent = model.get("reading") ? "Shaking hands …" : model.get("sentence");
      // Drawn by kubelab from escaped texts, never by a page.
      matrix.innerHTML = model.get("matrix");
      timeline.innerHTML = model.get("timeline");
    };
    const shown = ["matrix", "timeline", "sentence", "problem", "reading"];
    for (const each of shown) model.on(`change:${each}`, show);
    signal.addEventListener("abort", () => { for (const each of shown) model.off(`change:${each}`, show); });
    show();
    el.append(root);
    return () => ending.abort();
  },
};
