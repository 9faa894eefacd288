// The picture is drawn in Python; here are the choice of a pod and the rows.

export default {
  render({ model, el }) {
    const ending = new AbortController();
    const { signal } = ending;
    const root = make("div", { class: "kl kl-death", role: "group", "aria-label": "The end of a pod" });
    const choice = make("select", { "aria-label": "Pod", "data-lm-suppress-shortcuts": "true" });
    choice.addEventListener("change", () => { model.set("chosen", choice.value); model.save_changes(); }, { signal });
    const status = make("span", { role: "status" });
    const picture = make("div", { class: "kl-picture", role: "img" });
    const body = make("tbody");
    const head = make("tr", {}, ...["when", "what", "seen by"].map((word) => make("th", { scope: "col" }, word)));
    root.append(
      make("div", { class: "kl-bar" }, make("label", {}, "The end of ", choice), status),
      picture,
      make("table", {}, make("thead", {}, head), body),
    );
    const show = () => {
      choice.replaceChildren(...model.get("pods").map((pod) => make("option", { value: pod }, pod)));
      choice.value = model.get("chosen");
      status.textContent = model.get("sentence");
      picture.setAttribute("aria-label", `${model.get("chosen")}: ${model.get("sentence")}`);
      // Drawn by kubelab, never by a page.
      picture.innerHTML = model.get("picture");
      body.replaceChildren(
        ...model.get("rows").map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell)))),
      );
    };
    const shown = ["pods", "chosen", "picture", "sentence", "rows"];
    for (const each of shown) model.on(`change:${each}`, show);
    signal.addEventListener("abort", () => { for (const each of shown) model.off(`change:${each}`, show); });
    show();
    el.append(root);
    return () => ending.abort();
  },
};
