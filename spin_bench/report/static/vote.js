"use strict";
// The blind ballot: one question after another; methods appear in the exported file only.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const path = (...parts) => parts.map((part) => encodeURIComponent(part)).join("/");
const inputPath = (item, name) => path("inputs", item, `${name}.png`);
const paintedPath = (item, [method, k]) => path("images", method, item, `${k}.png`);
const KEY = `spin_bench votes ${data.key}`;
let winners = remembered(); // a method or "tie" for each question answered, in order

/** The votes of an earlier visit; a browser may refuse its storage to files. */
function remembered() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? stored.slice(0, data.questions.length) : [];
  } catch {
    return [];
  }
}

function remember() {
  try {
    localStorage.setItem(KEY, JSON.stringify(winners));
  } catch {
    // then they last as long as the page is open
  }
}

function draw() {
  const { questions } = data;
  const question = questions[winners.length];
  byId("count").textContent = `${winners.length} of ${questions.length} answered`;
  byId("progress").value = winners.length / questions.length;
  byId("question").hidden = !question;
  byId("done").hidden = Boolean(question);
  byId("back").disabled = winners.length === 0;
  if (!question) return;
  byId("prompt").textContent = question.prompt;
  for (const name of ["background", "mask", "reference"]) byId(name).src = inputPath(question.case, name);
  byId("leftImage").src = paintedPath(question.case, question.pair[0]);
  byId("rightImage").src = paintedPath(question.case, question.pair[1]);
  const next = questions[winners.length + 1];
  next?.pair.forEach((side) => { new Image().src = paintedPath(next.case, side); });
}

function answer(choice) {
  const question = data.questions[winners.length];
  if (!question) return;
  winners.push({ left: question.pair[0][0], right: question.pair[1][0], tie: "tie" }[choice]);
  remember();
  draw();
}

function takeBack() {
  winners.pop();
  remember();
  draw();
}

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function csv() {
  const lines = winners.map((winner, i) => {
    const { case: item, pair } = data.questions[i];
    return [item, pair[0][0], pair[1][0], winner].map(quoted).join(",");
  });
  return ["case,left,right,winner", ...lines, ""].join("\n");
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "votes.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const KEYS = {
  ArrowLeft: () => answer("left"), ArrowRight: () => answer("right"), ArrowDown: () => answer("tie"), Backspace: takeBack,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
for (const side of ["left", "right", "tie"]) byId(side).addEventListener("click", () => answer(side));
byId("back").addEventListener("click", takeBack);
byId("export").addEventListener("click", save);
draw();
