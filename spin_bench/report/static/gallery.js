// The page: one row a case. Rows are empty boxes of a fixed height until they come near the screen.

const SHOWN = 4; // images of a method in its cell; the dialog has them all
const NEAR = "800px 0px";
const rows = data.cases.map((item) => makeRow(item));
let visible = [];
let at = { row: 0, column: INPUTS.length };

const nearby = new IntersectionObserver(
  (entries) => entries.forEach((entry) => (entry.isIntersecting ? fill(entry.target) : empty(entry.target))),
  { root: byId("main"), rootMargin: NEAR },
);

function makeRow(item) {
  const about = element(
    "div",
    { className: "about" },
    element("strong", { textContent: item.id }),
    element("div", { className: "of", textContent: item.domain }),
    element("div", { className: "prompt", textContent: item.prompt, title: item.prompt }),
    element("div", { className: "key" }),
  );
  const row = element("section", { className: "row", id: `case-${item.id}` }, about, element("div", { className: "tiles" }));
  return Object.assign(row, { item, text: `${item.id} ${item.prompt}`.toLowerCase() });
}

function picture(source, name, side) {
  const image = element("img", { loading: "lazy", decoding: "async", alt: name });
  image.src = source; // after `loading`, or it would be fetched at once
  return Object.assign(element("button", { className: "pic", title: name, tabIndex: -1 }, image), { side });
}

function cell(pictures, hidden, caption, className = "", odd = "") {
  const pics = element("div", { className: `pics ${["", "", "two"][pictures.length] ?? "many"}` }, ...pictures);
  if (hidden > 0) pics.append(element("span", { className: "rest", textContent: `+${hidden}` }));
  if (odd) pics.append(element("span", { className: "odd", textContent: odd, title: odd }));
  return element("figure", { className: "cell" }, pics, element("figcaption", { textContent: caption, className }));
}

function fill(row) {
  const item = row.item;
  const metric = shownMetric();
  const values = item.means.map((means) => (data.metrics.length ? means[metric] : null));
  const better = data.metrics[metric]?.better ?? 0;
  const known = values.filter((value, m) => value !== null && data.methods[m].competes).map((value) => value * better);
  const inputs = INPUTS.map((input) => cell([picture(inputPath(item, input), input, { input })], 0, ""));
  const painted = item.images.map((ks, m) => {
    const pictures = ks.slice(0, SHOWN).map((k) => picture(paintedPath(item, m, k), `${data.methods[m].title} · ${k}`, { m, k }));
    const competing = data.methods[m].competes && known.length > 1 && values[m] !== null;
    const best = better && competing && values[m] * better === Math.max(...known);
    const value = ks.length ? caption(values[m], metric) : "no picture";
    return cell(pictures, ks.length - SHOWN, value, best ? "best" : "", oddities(item, m).join("; "));
  });
  row.querySelector(".tiles").replaceChildren(...inputs, ...painted);
  mark();
}

/** What is wrong with a method's pictures of a case: why some are missing, how many are of one colour. */
function oddities(item, m) {
  const kinds = Object.values(item.flags[m]);
  const flagged = [...new Set(kinds)].map((kind) => `${kinds.filter((other) => other === kind).length} ${kind}`);
  return item.failures[m] ? [item.failures[m], ...flagged] : flagged;
}

function caption(value, metric) {
  const record = data.metrics[metric];
  return record ? `${record.title} ${printed(value, record)}` : "";
}

function empty(row) {
  row.querySelector(".tiles").replaceChildren();
}

const shownMetric = () => Math.max(0, Number(byId("metric").value)); // in case order: the first

/** What the rows are sorted by; null where it is missing. */
function sortValue(item) {
  const metric = Number(byId("metric").value);
  const value = item.means[Number(byId("method").value)][metric];
  const rival = Number(byId("rival").value);
  if (rival < 0) return value;
  const other = item.means[rival][metric];
  return value === null || other === null ? null : value - other;
}

function sorted(kept) {
  const chosen = Number(byId("metric").value);
  if (chosen < 0) return kept;
  const metric = data.metrics[chosen];
  const better = metric.better || 1;
  const key = { best: (v) => -better * v, worst: (v) => better * v, apart: (v) => -Math.abs(v) }[byId("order").value];
  const keyed = kept.map((row) => [row, sortValue(row.item)]);
  for (const [row, value] of keyed) {
    const sign = Number(byId("rival").value) >= 0 && value > 0 ? "+" : "";
    row.querySelector(".key").textContent = `${metric.title}: ${sign}${printed(value, metric)}`;
  }
  const has = keyed.filter(([, value]) => value !== null).sort((a, b) => key(a[1]) - key(b[1]));
  return [...has, ...keyed.filter(([, value]) => value === null)].map(([row]) => row); // missing ones come last
}

function update() {
  const paired = Number(byId("rival").value) >= 0;
  const inOrder = Number(byId("metric").value) < 0;
  for (const id of ["method", "rival", "order"]) byId(id).disabled = inOrder;
  byId("order").options[2].disabled = !paired;
  if (!paired && byId("order").value === "apart") byId("order").value = "best";
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const subset = byId("subset").value;
  const kept = rows.filter((row) => (!subset || row.item.subsets.includes(subset)) && words.every((word) => row.text.includes(word)));
  for (const row of rows) {
    nearby.unobserve(row);
    empty(row);
    row.querySelector(".key").textContent = "";
  }
  visible = sorted(kept);
  byId("rows").replaceChildren(...visible);
  visible.forEach((row) => nearby.observe(row));
  byId("none").hidden = visible.length > 0;
  showNumbers(subset);
  byId("count").textContent = `${visible.length} of ${rows.length} cases`;
  at.row = 0;
  byId("main").scrollTop = Math.min(byId("main").scrollTop, rowsTop()); // what is above the rows stays where it is
  mark();
}

/** The table of the chosen cases; that of all where they are too few for one of their own. */
function showNumbers(subset) {
  const bodies = [...byId("numbers").tBodies];
  const shown = bodies.find((body) => body.dataset.subset === subset) ?? bodies[0];
  for (const body of bodies) body.hidden = body !== shown;
  byId("size").textContent = `${shown.dataset.subset && `${shown.dataset.subset}: `}${shown.dataset.size}.`;
  byId("missing").textContent = shown.dataset.missing;
}

/** Where the first row stands right under the head. */
const rowsTop = () => byId("rows").offsetTop - byId("head").offsetHeight;

/** Show where the keyboard is. */
function mark() {
  document.querySelectorAll(".at").forEach((old) => old.classList.remove("at"));
  const row = visible[at.row];
  row?.classList.add("at");
  row?.querySelectorAll(".cell")[at.column]?.classList.add("at");
}

function go(step) {
  if (!visible.length) return null;
  at.row = Math.min(visible.length - 1, Math.max(0, at.row + step));
  visible[at.row].scrollIntoView({ block: "nearest" });
  mark();
  return visible[at.row].item;
}

function turn(step) {
  const columns = INPUTS.length + data.methods.length;
  at.column = (at.column + step + columns) % columns;
  mark();
  visible[at.row]?.querySelectorAll(".cell")[at.column]?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function open(side) {
  if (visible.length) compare.open(visible[at.row].item, side, go);
}

function openMarked() {
  const m = at.column - INPUTS.length;
  open(m < 0 ? { input: INPUTS[at.column] } : { m, k: visible[at.row]?.item.images[m][0] });
}

const KEYS = {
  j: () => go(1), ArrowDown: () => go(1), k: () => go(-1), ArrowUp: () => go(-1),
  ArrowLeft: () => turn(-1), ArrowRight: () => turn(1), Enter: openMarked, "/": () => byId("find").focus(),
};

document.addEventListener("keydown", (event) => {
  if (compare.dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && event.target.matches("input, select")) event.target.blur();
  if (event.target.matches("input, select, summary, a, button:not(.pic)") || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});

byId("rows").addEventListener("click", (event) => {
  const chosen = event.target.closest(".pic");
  if (!chosen) return;
  const row = chosen.closest(".row");
  at = { row: visible.indexOf(row), column: [...row.querySelectorAll(".cell")].indexOf(chosen.closest(".cell")) };
  mark();
  open(chosen.side);
});

byId("numbers").addEventListener("click", (event) => {
  const cell = event.target.closest("button");
  const m = data.methods.findIndex((method) => method.name === cell?.dataset.method.split("@")[0]);
  if (m < 0) return;
  byId("metric").value = cell.dataset.metric;
  byId("method").value = String(m);
  update();
  byId("main").scrollTop = rowsTop();
});

new ResizeObserver(([head]) => {
  document.documentElement.style.setProperty("--head", `${head.target.offsetHeight}px`);
}).observe(byId("head"));

compare.dialog.addEventListener("close", () => byId("main").focus()); // not the picture that was clicked first

byId("metric").append(option(-1, "case order"), ...data.metrics.map((metric, i) => option(i, metricName(metric))));
byId("method").append(...data.methods.map((method, m) => option(m, method.title)));
byId("rival").append(option(-1, "nothing"), ...data.methods.map((method, m) => option(m, method.title)));
byId("subset").append(option("", "all"), ...data.subsets.map((subset) => option(subset, subset)));
byId("heads").append(
  element("div", { className: "about", textContent: "case" }),
  ...INPUTS.map((input) => element("div", { textContent: input })),
  ...data.methods.map((method) => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = method.colour;
    return element("div", {}, swatch, method.title);
  }),
);
for (const id of ["metric", "method", "rival", "order", "subset"]) byId(id).addEventListener("change", update);
byId("find").addEventListener("input", update);
update();
