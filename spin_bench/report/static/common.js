"use strict";
// What the gallery and its dialog share: the data, elements, paths, means.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const INPUTS = ["background", "mask", "reference"];

/** A new element; text goes in as text, never as markup. */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function option(value, text) {
  return element("option", { value: String(value), textContent: text });
}

const path = (...parts) => parts.map((part) => encodeURIComponent(part)).join("/");
const inputPath = (item, name) => path("inputs", item.id, `${name}.png`);
const paintedPath = (item, m, k) => path("images", data.methods[m].name, item.id, `${k}.png`);

/** Mean of the numbers that are not null; null without one. */
function mean(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

const arrow = (metric) => ["↓", "", "↑"][metric.better + 1];
const metricName = (metric) => [metric.title, metric.unit && `(${metric.unit})`, arrow(metric)].filter(Boolean).join(" ");
const printed = (value, metric) => (value === null || value === undefined ? "–" : value.toFixed(metric.digits));

// item.means[m][i]: the case's value of metric i under method m, over its images
for (const item of data.cases) {
  item.means = item.scores.map((images) => data.metrics.map((_, i) => mean(images.map((row) => row[i]))));
}
