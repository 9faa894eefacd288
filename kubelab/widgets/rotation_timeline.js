// The picture is drawn in Python, three times a second; here are the buttons.

export default {
  render({ model, el }) {
    const ending = new AbortController();
    const { signal } = ending;
    const root = make("div", { class: "kl kl-rotations", role: "group", "data-lm-suppress-shortcuts": "true" });
    const set = (name, value) => { model.set(name, value); model.save_changes(); };
    const title = make("h4");
    const start = button("Start", {}, () => set("running", true), signal);
    const stop = button("Stop", {}, () => set("running", false), signal);
    const rotate = button("Replace the certificate", {}, () => set("rotations", model.get("rotations") + 1), signal);
    const bar = make("div", { class: "kl-bar" }, start, stop, rotate);
    const alert = make("div", { role: "alert" });
    const status = make("div", { role: "status", class: "kl-quiet-text" });
    const picture = make("div", { class: "kl-empty" });
    root.append(title, bar, alert, status, picture);
    const show = () => {
      const running = model.get("running");
      title.textContent = `Handshakes with ${model.get("host")}`;
      root.setAttribute("aria-label", title.textContent);
      bar.hidden = !model.get("live");
      start.disabled = running;
      stop.disabled = rotate.disabled = !running;
      alert.textContent = model.get("problem");
      const said = model.get("sentence") || (running ? "Shaking the first hands …" : "Not started yet.");
      if (status.textContent !== said) status.textContent = said;
      // Drawn by kubelab from escaped texts, never by a page.
      picture.innerHTML = model.get("picture");
    };
    const shown = ["host", "picture", "sentence", "problem", "running", "live"];
    for (const each of shown) model.on(`change:${each}`, show);
    signal.addEventListener("abort", () => { for (const each of shown) model.off(`change:${each}`, show); });
    show();
    el.append(root);
    return () => ending.abort();
  },
};
