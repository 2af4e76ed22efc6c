// The dialog: two pictures of one case under a slider, their scores beside it.

const compare = (() => {
  const dialog = byId("compare");
  const STEP = 5; // percent of the slider a key press
  // a side is the name of an input, or a method's index and an image number
  let left = { input: "background" };
  let right = { m: 0, k: 0 };
  let item = null;
  let neighbour = () => null;

  const same = (a, b) => a.input === b.input && a.m === b.m && a.k === b.k;
  const choices = (of) => [
    ...INPUTS.map((input) => ({ input })),
    ...of.images.flatMap((ks, m) => ks.map((k) => ({ m, k }))),
  ];
  const label = (side) => side.input ?? `${data.methods[side.m].title} · ${side.k}`;
  const source = (side) => (side.input ? inputPath(item, side.input) : paintedPath(item, side.m, side.k));
  const scoresOf = (side) => (side.input ? null : item.scores[side.m][item.images[side.m].indexOf(side.k)]);

  /** The side itself where this case has it, else the method's first image, else the background. */
  function available(side) {
    const all = choices(item);
    const found = all.find((one) => same(one, side)) ?? all.find((one) => one.m !== undefined && one.m === side.m);
    return found ?? { input: "background" };
  }

  function fillSide(select, side) {
    const all = choices(item);
    select.replaceChildren(...all.map((one, i) => option(i, label(one))));
    select.value = String(all.findIndex((one) => same(one, side)));
  }

  function draw() {
    const [l, r] = [available(left), available(right)];
    byId("caseTitle").textContent = `${item.id} · ${item.prompt}`;
    byId("leftImage").src = source(l);
    byId("rightImage").src = source(r);
    byId("overlay").src = inputPath(item, "mask");
    byId("leftTag").textContent = label(l);
    byId("rightTag").textContent = label(r);
    fillSide(byId("leftSide"), l);
    fillSide(byId("rightSide"), r);
    byId("strip").replaceChildren(...choices(item).map((side) => thumbnail(side, same(side, l) || same(side, r))));
    const heads = ["", label(l), label(r), "right − left"];
    byId("scoreHeads").replaceChildren(element("tr", {}, ...heads.map((text) => element("th", { textContent: text }))));
    byId("scores").replaceChildren(...data.metrics.map((metric, i) => scoreRow(metric, scoresOf(l)?.[i], scoresOf(r)?.[i])));
  }

  /** A small picture to choose: a click shows it at the right, with Shift at the left. */
  function thumbnail(side, chosen) {
    const image = element("img", { src: source(side), alt: label(side) });
    const button = element("button", { className: chosen ? "pic chosen" : "pic", title: label(side) }, image);
    button.addEventListener("click", (event) => {
      if (event.shiftKey) left = side;
      else right = side;
      draw();
      byId("slider").focus(); // the button is gone, keys go on
    });
    return button;
  }

  function scoreRow(metric, a, b) {
    const both = typeof a === "number" && typeof b === "number";
    const gain = both ? (b - a) * metric.better : 0; // above 0: the right one is better
    const difference = both ? (b > a ? "+" : "") + printed(b - a, metric) : "–";
    return element(
      "tr",
      {},
      element("td", { textContent: metricName(metric) }),
      element("td", { textContent: printed(a, metric), className: gain < 0 ? "better" : "" }),
      element("td", { textContent: printed(b, metric), className: gain > 0 ? "better" : "" }),
      element("td", { textContent: difference }),
    );
  }

  function slide(percent) {
    const at = Math.min(100, Math.max(0, percent));
    byId("slider").value = String(at);
    byId("stage").style.setProperty("--at", `${at}%`);
  }

  function move(step) {
    item = neighbour(step) ?? item;
    draw();
  }

  function swap() {
    [left, right] = [right, left];
    draw();
  }

  function showMask(on) {
    byId("showMask").checked = on;
    byId("overlay").hidden = !on;
  }

  const KEYS = {
    ArrowLeft: () => slide(Number(byId("slider").value) - STEP),
    ArrowRight: () => slide(Number(byId("slider").value) + STEP),
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    x: swap,
    m: () => showMask(!byId("showMask").checked),
  };

  const drag = (event) => {
    const box = byId("stage").getBoundingClientRect();
    if (event.buttons) slide((100 * (event.clientX - box.left)) / box.width);
  };
  byId("stage").addEventListener("pointerdown", (event) => {
    event.preventDefault();
    byId("stage").setPointerCapture(event.pointerId);
    drag(event);
  });
  byId("stage").addEventListener("pointermove", drag);
  byId("slider").addEventListener("input", (event) => slide(Number(event.target.value)));
  byId("leftSide").addEventListener("change", (event) => { left = choices(item)[event.target.value]; draw(); });
  byId("rightSide").addEventListener("change", (event) => { right = choices(item)[event.target.value]; draw(); });
  byId("swap").addEventListener("click", swap);
  byId("showMask").addEventListener("change", (event) => showMask(event.target.checked));
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); }); // the backdrop
  dialog.addEventListener("keydown", (event) => {
    if (event.target.matches("select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  return {
    dialog,
    /** Open on `of` with `side` at the right; `next(step)` gives the case that many rows on, or null. */
    open(of, side, next) {
      [item, right, neighbour] = [of, side, next];
      if (same(left, right)) left = { input: "background" };
      draw();
      if (!dialog.open) dialog.showModal();
      byId("slider").focus();
    },
  };
})();
