"use strict";
// What the page shows is all in `data`: graphs (the program, and what is inside its
// boxes), each with nodes, arrows and their places. A step reveals what is known then:
// first values and tangents, a node at a time, then adjoints, from the last node on.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const PAD = 9, LINE = 16, TABLE = 64, EDGE = 8;
const wide = (graph) => graph.width + 2 * EDGE, high = (graph) => graph.height + 2 * EDGE;

const state = { graph: 0, selected: null, scale: 1, steps: [] };

for (const graph of data.graphs) {
  graph.byNumber = new Map(graph.nodes.map((x) => [x.number, x]));
  graph.nodes.forEach((x, i) => (x.forward = i + 1));
  const back = graph.nodes.filter((x) => x.adjoints).reverse();
  back.forEach((x, i) => (x.backward = graph.nodes.length + i + 1));
  graph.end = graph.nodes.length + back.length;
  graph.order = [...graph.nodes, ...back];
  state.steps.push(graph.end);
}

const here = () => data.graphs[state.graph];
const step = () => state.steps[state.graph];

// ------------------------------------------------------------------ what is known when

const known = (node) => step() >= node.forward;
const adjoined = (node) => node.backward !== undefined && step() >= node.backward;

function arrived(node) {
  return node.arrivals.filter((x) => adjoined(here().byNumber.get(x.from)));
}

function partly(node, k) {
  // The k-th adjoint before all of it is there: the sum of what has arrived.
  const found = arrived(node);
  const seeded = node.seeds ? 1 : 0;
  if (!found.length && !(seeded && step() > here().nodes.length)) return "·";
  const all = node.arrivals.length + seeded, now = found.length + seeded;
  const parts = found.map((x) => x.cotangents[k]);
  if (seeded) parts.push(node.seeds[k]);
  const numbers = parts.every((x) => typeof x === "number");
  const sum = numbers ? text(parts.reduce((x, y) => x + y, 0)) : `${now} of ${all}`;
  return now < all ? `${sum} + …` : numbers ? sum : "all has arrived";
}

function lines(node) {
  const found = [["value", known(node) ? node.texts.value : ["·"]]];
  if (!node.moves) return found;
  data.directions.forEach((name, k) => {
    const shown = known(node) && node.texts.tangents ? node.texts.tangents[k] : "·";
    found.push(["tangent", [`${name}: ${shown}`]]);
  });
  data.seeds.forEach((name, k) => {
    const shown = adjoined(node) ? node.texts.adjoints[k] : partly(node, k);
    found.push(["adjoint", [`${name}: ${shown}`]]);
  });
  return found;
}

// ------------------------------------------------------------------------- the picture

function element(name, attributes, parent) {
  const found = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  if (parent) parent.appendChild(found);
  return found;
}

function draw() {
  const graph = here();
  const svg = element("svg", {
    viewBox: `${-EDGE} ${-EDGE} ${wide(graph)} ${high(graph)}`, role: "group",
    "aria-label": "the program as a graph",
  });
  const defs = element("defs", {}, svg);
  const tip = element("marker", {
    id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 10, markerHeight: 10,
    orient: "auto", markerUnits: "userSpaceOnUse",
  }, defs);
  element("path", { d: "M0 0 L8 4 L0 8 z" }, tip);
  for (const arrow of graph.arrows) {
    arrow.path = element("path", { d: arrow.d, "marker-end": "url(#tip)" }, svg);
    if (arrow.faint) arrow.path.classList.add("faint");
  }
  for (const arrow of graph.arrows) {
    if (!arrow.label) continue;
    arrow.text = element("text", { class: "label", x: arrow.x, y: arrow.y }, svg);
    arrow.text.textContent = arrow.label;
  }
  for (const node of [...graph.nodes, ...graph.ghosts]) if (node.w) box(node, svg);
  $("canvas").replaceChildren(svg);
  zoom(state.scale);
  $("slider").max = graph.end;
  trail();
  update();
}

function box(node, svg) {
  const group = element("g", { class: `node ${node.kind}` }, svg);
  node.group = group;
  if (node.ghost) group.classList.add("faint");
  const place = { width: node.w, height: node.h, rx: 7 };
  if (node.inside !== null && node.inside !== undefined) {
    group.classList.add("box");
    element("rect", { ...place, x: node.x + 4, y: node.y + 4, class: "under" }, group);
  }
  element("rect", { ...place, x: node.x, y: node.y }, group);
  const title = element("text", { class: "title", x: node.x + PAD, y: node.y + PAD + 10 }, group);
  title.textContent = node.title;
  node.shown = [];
  if (node.ghost) {
    node.lines.forEach((line, i) => {
      element("text", { x: node.x + PAD, y: node.y + PAD + 10 + LINE * (i + 1) }, group)
        .textContent = line;
    });
    return;
  }
  group.setAttribute("tabindex", 0);
  group.setAttribute("role", "button");
  group.dataset.node = node.number;
  group.addEventListener("click", () => select(node));
  group.addEventListener("dblclick", () => open(node));
  group.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      select(node);
    }
  });
}

function update() {
  const graph = here(), now = graph.order[step() - 1];
  for (const node of graph.nodes) {
    if (!node.group) continue;
    let row = 0;
    for (const [kind, parts] of lines(node)) {
      for (const part of parts) {
        if (!node.shown[row]) {
          const y = node.y + PAD + 10 + LINE * (row + 1);
          node.shown[row] = element("text", { x: node.x + PAD, y, class: kind }, node.group);
        }
        if (node.shown[row].textContent !== part) node.shown[row].textContent = part;
        row += 1;
      }
    }
    while (node.shown.length > row) node.shown.pop().remove();
    const marks = {
      unknown: !known(node), now: node === now && step() < graph.end,
      nan: node.nan && known(node), selected: node === state.selected,
    };
    for (const [name, on] of Object.entries(marks)) node.group.classList.toggle(name, !!on);
    const label = `${node.title}, ${lines(node).flatMap((x) => x[1]).join(", ")}`;
    node.group.setAttribute("aria-label", label);
  }
  const backward = step() > graph.nodes.length;
  for (const arrow of graph.arrows) {
    const into = now && step() < graph.end &&
      (backward ? arrow.start === now.number : arrow.end === now.number);
    arrow.path.classList.toggle("into", !!into);
    if (arrow.text) arrow.text.classList.toggle("unknown", !known(graph.byNumber.get(arrow.end)));
  }
  $("slider").value = step();
  const n = graph.nodes.length, all = graph.end;
  $("where").textContent = step() === 0 ? "nothing is computed yet"
    : step() === all ? `all ${all} steps`
    : backward ? `backward ${step() - n} of ${all - n}: n${now.number}`
    : `forward ${step()} of ${n}: n${now.number}`;
  details();
}

function to(target) {
  state.steps[state.graph] = Math.max(0, Math.min(here().end, target));
  update();
  const now = here().order[step() - 1];
  if (now && now.group && step() < here().end) reveal(now);
}

function reveal(node) {
  const shown = node.group.getBoundingClientRect(), frame = $("canvas").getBoundingClientRect();
  const outside = shown.top < frame.top || shown.bottom > frame.bottom ||
    shown.left < frame.left || shown.right > frame.right;
  if (outside) node.group.scrollIntoView({ block: "center", inline: "center" });
}

function select(node, look = false) {
  state.selected = node;
  update();
  if (look && node && node.group) {
    reveal(node);
    node.group.focus({ preventScroll: true });
  }
}

function open(node) {
  if (!node || node.inside === null || node.inside === undefined) return;
  state.graph = node.inside;
  state.selected = null;
  draw();
}

function out() {
  const { parent, node } = here();
  if (parent === null) return;
  state.graph = parent;
  state.selected = here().byNumber.get(node);
  draw();
  if (state.selected.group) reveal(state.selected);
}

function trail() {
  const parts = [];
  for (let i = state.graph; i !== null; i = data.graphs[i].parent) parts.unshift(i);
  const links = parts.flatMap((i, k) => {
    const link = document.createElement(i === state.graph ? "strong" : "a");
    link.textContent = data.graphs[i].name;
    if (i !== state.graph) {
      link.tabIndex = 0;
      link.onclick = () => { state.graph = i; state.selected = null; draw(); };
      link.onkeydown = (event) => event.key === "Enter" && link.onclick();
    }
    return k ? [" > ", link] : [link];
  });
  $("trail").replaceChildren(...links);
}

function zoom(scale) {
  state.scale = Math.max(0.2, Math.min(4, scale));
  const svg = $("canvas").querySelector("svg"), graph = here();
  svg.setAttribute("width", wide(graph) * state.scale);
  svg.setAttribute("height", high(graph) * state.scale);
}

// -------------------------------------------------------------------------- the details

function text(x) {
  if (x === null || x === undefined) return "·";
  if (typeof x !== "number") return String(x);
  return String(Number.isInteger(x) ? x : Number(x.toPrecision(6)));
}

function html(name, content, attributes = {}) {
  const found = document.createElement(name);
  Object.assign(found, attributes);
  found.append(...[content].flat().filter((x) => x !== null && x !== ""));
  return found;
}

function pair(x, complex) {
  if (!complex) return x === null ? "·" : String(x);
  const [re, im] = x;
  return `${re}${String(im).startsWith("-") ? "" : "+"}${im}j`;
}

function rowsOf(x, shape, complex) {
  // An array's entries as rows: all axes but the last one go down.
  const depth = shape.length;
  if (depth === 0) return [[pair(x, complex)]];
  let rows = [x];
  for (let k = 1; k < depth; k += 1) rows = rows.flat(1);
  return rows.map((row) => row.map((y) => pair(y, complex)));
}

function array(x, node, name) {
  const holder = html("div", [], { className: "numbers" });
  holder.dataset.what = name;
  if (x === null || x === undefined || typeof x === "string") {
    holder.append(x ?? "·");
    return holder;
  }
  if (x.left_out !== undefined) {
    const range = x.min === undefined ? "" : `, ${text(x.min)} to ${text(x.max)}`;
    const nan = x.nan ? `, ${x.nan} NaN` : "";
    holder.append(html("div", `${x.left_out} entries${range}${nan}`));
    if (x.image) holder.append(heat(x.image));
    return holder;
  }
  const complex = node.dtype.startsWith("complex");
  const rows = rowsOf(x, node.shape, complex);
  const count = rows.reduce((n, row) => n + row.length, 0);
  if (count > TABLE && !complex) {
    const found = heat(rows);
    found.entries = x;
    holder.append(found, html("div", `${count} entries`, { className: "note" }));
    return holder;
  }
  const table = html("table", rows.map((row) => html("tr", row.map((y) => html("td", y)))));
  holder.append(html("div", table, { className: "scroll" }));
  return holder;
}

const SPECIAL = { nan: NaN, inf: Infinity, "-inf": -Infinity };

function heat(found) {
  const rows = found.map((row) => row.map((x) => SPECIAL[x] ?? Number(x)));
  const h = rows.length, w = Math.max(...rows.map((row) => row.length));
  const canvas = html("canvas", [], { className: "heat", width: w, height: h });
  const size = Math.max(1, Math.floor(Math.min(320 / w, 240 / h)));
  canvas.style.width = `${w * size}px`;
  canvas.style.height = `${h * size}px`;
  const most = Math.max(1e-300, ...rows.flat().filter(Number.isFinite).map(Math.abs));
  const pen = canvas.getContext("2d");
  rows.forEach((row, i) => row.forEach((x, j) => {
    const t = Number.isFinite(x) ? x / most : Math.sign(x);
    const [r, g, b] = t < 0 ? [0, 114, 178] : [213, 94, 0];
    const mix = (c) => Math.round(255 + (c - 255) * Math.abs(t));
    pen.fillStyle = Number.isNaN(x) ? "#b00020" : `rgb(${mix(r)},${mix(g)},${mix(b)})`;
    pen.fillRect(j, i, 1, 1);
  }));
  canvas.title = `blue ${text(-most)}, white 0, orange ${text(most)}, red NaN`;
  return canvas;
}

function link(number) {
  const node = here().byNumber.get(number);
  const found = html("a", `n${number}`, { tabIndex: 0 });
  found.onclick = () => select(node, true);
  found.onkeydown = (event) => event.key === "Enter" && select(node, true);
  return found;
}

function sum(node, k) {
  // adjoint = seed + sum of (adjoint of a user) times (its partial)
  const parts = [];
  if (node.seeds) parts.push([`seed ${typeof node.seeds[k] === "number" ? text(node.seeds[k]) : "(ones, unless a cotangent was passed)"}`]);
  for (const x of arrived(node)) {
    const from = here().byNumber.get(x.from);
    const adjoint = from.adjoints && from.adjoints[k];
    const numbers = x.partial !== null && typeof adjoint === "number";
    const term = numbers ? `: ${text(adjoint)} * ${text(x.partial)}` : ": its adjoint through its transpose";
    parts.push([link(x.from), term]);
  }
  return html("ul", parts.map((x) => html("li", x)));
}

function comparison() {
  const [head, ...rows] = state.graph === 0 ? data.comparison : [];
  if (!head) return [];
  const line = (row, cell) => html("tr", row.map((x) => html(cell, html("pre", x))));
  const table = html("table", [line(head, "th"), ...rows.map((row) => line(row, "td"))]);
  return [html("div", table, { className: "numbers scroll", id: "comparison" })];
}

function details() {
  const node = state.selected, panel = $("details");
  if (!node) {
    const said = state.graph === 0 ? data.notes : [];
    const notes = said.map((x) => html("p", x, { className: x.includes("NaN") ? "reason" : "note" }));
    panel.replaceChildren(
      html("h2", here().name),
      html("p", "Choose a node: click it, or press n.", { className: "note" }),
      ...comparison(), ...notes);
    return;
  }
  const parts = [html("h2", node.title)];
  parts.push(html("div", `${node.dtype}[${node.shape.join(", ")}], ${node.kind}`, { className: "note" }));
  if (node.reason) parts.push(html("p", node.reason, { className: "reason" }));
  if (node.inside !== null && node.inside !== undefined) {
    parts.push(html("button", "open this box (o)", { onclick: () => open(node) }));
  } else if (node.closed) {
    parts.push(html("p", `This box isn't in the page: there would be too much. explanation.open(${node.number}) has it.`, { className: "note" }));
  }
  const name = (x) => html("h3", x);
  parts.push(name("value"), array(known(node) ? node.value : null, node, "value"));
  if (node.moves) {
    data.directions.forEach((x, k) => parts.push(
      name(`tangent, ${x}`),
      array(known(node) && node.tangents ? node.tangents[k] : null, node, `tangent ${k}`)));
    data.seeds.forEach((x, k) => {
      parts.push(name(`adjoint, ${x}`), array(adjoined(node) ? node.adjoints[k] : null, node, `adjoint ${k}`));
      if (node.adjoints) parts.push(sum(node, k));
    });
  }
  if (node.rule) parts.push(name("rule"), html("pre", node.rule));
  if (node.line) parts.push(name("your line"), html("code", node.code), html("div", node.line, { className: "note" }));
  panel.replaceChildren(...parts);
}

// -------------------------------------------------------------------- keys and buttons

let matches = [];

function search(next) {
  const wanted = $("search").value.trim().toLowerCase();
  const words = (x) => `${x.title} ${x.code ?? ""} ${x.line ?? ""}`.toLowerCase();
  matches = wanted ? here().nodes.filter((x) => x.group && words(x).includes(wanted)) : [];
  for (const x of here().nodes) {
    if (x.group) x.group.classList.toggle("found", matches.includes(x));
  }
  $("matches").textContent = wanted ? String(matches.length) : "";
  if (next && matches.length) {
    const at = matches.indexOf(state.selected);
    state.selected = matches[(at + 1) % matches.length];
    update();
    reveal(state.selected);
  }
}

function neighbour(by) {
  const nodes = here().nodes.filter((x) => x.group);
  const at = nodes.indexOf(state.selected);
  const i = at < 0 ? (by > 0 ? 0 : nodes.length - 1) : (at + by + nodes.length) % nodes.length;
  select(nodes[i], true);
}

function theme(name) {
  document.documentElement.dataset.theme = name;
}

const dark = window.matchMedia && matchMedia("(prefers-color-scheme: dark)").matches;
theme(dark ? "dark" : "light");

const KEYS = {
  ArrowLeft: () => to(step() - 1), ArrowRight: () => to(step() + 1),
  Home: () => to(0), End: () => to(here().end),
  n: () => neighbour(1), p: () => neighbour(-1),
  o: () => open(state.selected), Escape: out,
  "/": () => $("search").focus(), "?": () => $("legend").showModal(),
  "+": () => zoom(state.scale * 1.25), "-": () => zoom(state.scale / 1.25),
  t: () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("legend").open) return;
  if (event.target === $("search")) {
    if (event.key === "Enter") search(true);
    if (event.key === "Escape") $("search").blur();
    return;
  }
  const action = KEYS[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
});
$("slider").addEventListener("input", () => to(Number($("slider").value)));
$("search").addEventListener("input", () => search(false));
for (const [id, key] of Object.entries({
  first: "Home", back: "ArrowLeft", on: "ArrowRight", last: "End",
  smaller: "-", larger: "+", theme: "t", help: "?",
})) $(id).addEventListener("click", () => KEYS[key]());

// ------------------------------------------------------------------------- the legend

const sample = (kind, more = "") =>
  `<svg width="46" height="24"><g class="${kind}">${more}<rect x="2" y="2" width="38" height="16" rx="5"/></g></svg>`;
const SIGNS = [
  [sample("input"), "an input, which has a name"],
  [sample("const"), "a constant array; a constant number stands where it is used"],
  [sample("operation"), "an operation, and its value"],
  [sample("output"), "an output"],
  [sample("box", '<rect class="under" x="6" y="6" width="38" height="16" rx="5"/>'), "a box: a loop, a jit, a conditional, a function with a rule of its own; it can be opened"],
  [sample("now"), "the node of this step"],
  [sample("selected"), "the selected node, whose details are shown"],
  [sample("nan"), "a NaN in the value, a tangent or an adjoint"],
  [sample("faint"), "a branch that wasn't taken"],
  ['<svg width="46" height="20"><text class="tangent" x="2" y="14">dx=1</text></svg>', "tangents: how the value moves if the input moves so"],
  ['<svg width="46" height="20"><text class="adjoint" x="2" y="14">df/dn</text></svg>', "adjoints: how the output moves if the node does; 1 + …: what has arrived so far; of arrays 1 of 2 + …: how many parts of it have"],
  ["∂ 3", "on an arrow: the partial derivative of the node below by the one above"],
  ["·", "not computed yet, or no derivative"],
  ["x 3", "a loop that ran its body so often"],
];
$("signs").innerHTML = SIGNS.map(([sign, what]) => `<dt>${sign}</dt><dd>${what}</dd>`).join("");

draw();
