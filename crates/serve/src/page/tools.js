"use strict";
// Names, labels and errors are texts of others: they only ever become text nodes.
const INTERVAL = 2000, POINTS = 60, LISTED = 20;
const $ = (id) => document.getElementById(id);
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 2 });
const rounded = (value, digits = 4) => String(Number(value.toPrecision(digits)));
const counted = (count, thing) => `${count} ${thing}${count === 1 ? "" : "s"}`;
let cards = [], seen = "", card = null, read = null, busy = false;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function drawing(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Shows a text, again only when it is another: a screen reader speaks each change. */
function say(id, text, bad = false) {
  if ($(id).textContent !== text) $(id).textContent = text;
  $(id).classList.toggle("bad", bad);
}

function listed(texts) {
  const more = texts.length - LISTED;
  return texts.slice(0, LISTED).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** The text at a path of the server; with a body, what it answers to that. */
async function ask(path, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body };
  let answer, text;
  try {
    answer = await fetch(path, body === undefined ? {} : post);
    text = await answer.text();
  } catch {
    throw new Error("the server cannot be reached");
  }
  if (answer.ok) return text;
  let problem = null;
  try { problem = JSON.parse(text); } catch { /* A proxy between has other words. */ }
  throw new Error(problem?.error ?? problem?.status?.info ?? `the server answers with status ${answer.status}`);
}

function pathOf({ name, version }) {
  const of = version ? `/versions/${encodeURIComponent(version)}` : "";
  return `v2/models/${encodeURIComponent(name)}${of}`;
}
