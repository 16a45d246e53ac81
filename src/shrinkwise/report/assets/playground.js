const at = (id) => document.getElementById(id);
const given = JSON.parse(at("given").textContent);
const STEPS = 60;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const short = (x) => (x === 0 ? "0" : Math.abs(x) >= 1e5 || Math.abs(x) < 1e-3 ? x.toExponential(2) : x.toPrecision(4)).replaceAll("-", "−");

const drawing = (width, height, label) => shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });

function shape(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function cell(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// ---- the table

let table, design, path;

// Four inputs act on y; the second, which does not, is nearly a copy of the first.
function exampleTable() {
  const { normal } = randomNumbers(1), names = Array.from({ length: 12 }, (_, j) => `x${j + 1}`);
  const rows = Array.from({ length: 60 }, () => {
    const x = names.map(normal);
    x[1] = x[0] + 0.2 * x[1];
    return [...x, 3 * x[0] - 2 * x[2] + x[3] + 0.5 * x[4] + 1.5 * normal()];
  });
  return [[...names, "y"], ...rows].map((row) => row.join(",")).join("\n");
}

function openTable(text, name, target) {
  try {
    table = readTable(text);
    const choices = [...table.columns.keys()].filter((j) => canBeTarget(table.columns[j]));
    if (!choices.length) throw new Error("Expected a column of numbers or of two classes as the target");
    at("target").replaceChildren(...choices.map((j) => new Option(table.columns[j].name, j)));
    const wanted = choices.find((j) => table.columns[j].name === target);
    at("target").value = wanted ?? choices.at(-1);
    table.name = name;
    fitTable();
  } catch (error) {
    at("table-about").textContent = `${name} cannot be used: ${error.message}.`;
  }
}

function fitTable() {
  design = designOf(table, Number(at("target").value));
  design.problem = standardized(design.columns, design.y);
  const about = [`${table.name}: ${counted(design.y.length, "row")}, ${counted(design.names.length, "input")}.`, ...design.notes];
  const texts = table.columns.filter((column) => !canBeTarget(column)).map((column) => column.name);
  if (texts.length) about.push(`Not offered as targets (neither numbers nor two classes): ${texts.join(", ")}.`);
  at("table-about").textContent = about.join(" ");
  fitPath();
}

function fitPath() {
  const kind = at("penalty").value;
  at("ratio-label").hidden = kind !== "elastic-net";
  at("ratio-now").textContent = at("ratio").value;
  path = solutionPath(design.problem, kind, Number(at("ratio").value), STEPS);
  drawPaths();
  showLambda();
}

function drawPaths() {
  const width = 720, height = 260, left = 8, right = 112, names = design.names;
  const most = Math.max(...path.flatMap(({ w }) => Array.from(w, Math.abs))) || 1;
  const x = (i) => left + ((width - left - right) * i) / (STEPS - 1), y = (v) => height / 2 - (v / most) * (height / 2 - 12);
  const svg = drawing(width, height, `The paths of ${names.length} coefficients along λ; their values are in the table below.`);
  svg.append(shape("line", { class: "axis", x1: left, x2: width - right, y1: y(0), y2: y(0) }));
  const last = path.at(-1).w, peaks = names.map((_, j) => Math.max(...path.map(({ w }) => Math.abs(w[j]))));
  const order = [...peaks.keys()].sort((a, b) => peaks[b] - peaks[a]);
  const taken = [];
  order.forEach((j, rank) => {
    const points = path.map(({ w }, i) => `${x(i).toFixed(1)},${y(w[j]).toFixed(1)}`).join(" ");
    const side = rank < 8 ? (last[j] > 0 ? "first up" : "first down") : "";
    svg.append(shape("polyline", { class: `curve ${side}`, points }));
    const level = y(last[j]);
    if (rank >= 8 || last[j] === 0 || taken.some((other) => Math.abs(other - level) < 16)) return;
    taken.push(level);
    const name = names[j].length > 12 ? `${names[j].slice(0, 11)}…` : names[j];
    svg.append(shape("text", { x: width - right + 6, y: level + 4 }, name));
  });
  svg.append(shape("line", { class: "now", id: "paths-now", y1: 4, y2: height - 4 }));
  svg.position = x;
  at("paths").replaceChildren(svg);
}

function showLambda() {
  const i = Number(at("lambda").value), { lambda, w, coef, gap, sweeps, r2 } = path[i];
  const kept = w.filter((v) => v !== 0).length;
  at("now-lambda").textContent = short(lambda);
  at("now-lambda").dataset.value = lambda;
  at("now-kept").textContent = `${kept} of ${w.length}`;
  at("now-r2").textContent = r2.toFixed(3).replace("-", "−");
  at("now-gap").textContent = gap === 0 ? "0 (to rounding)" : gap.toExponential(1).replace("-", "−");
  at("now-sweeps").textContent = sweeps;
  at("lambda").setAttribute("aria-valuetext", `λ = ${short(lambda)}, ${kept} of ${w.length} coefficients are not zero`);
  const now = at("paths-now"), x = at("paths").firstChild.position(i);
  now.setAttribute("x1", x);
  now.setAttribute("x2", x);
  const most = Math.max(...Array.from(w, Math.abs)) || 1;
  const order = [...w.keys()].sort((a, b) => Math.abs(w[b]) - Math.abs(w[a]) || a - b);
  at("coefficients").tBodies[0].replaceChildren(...order.map((j) => coefficientRow(design.names[j], j, w[j], coef[j], most)));
}

function coefficientRow(name, j, weight, coef, most) {
  const row = document.createElement("tr"), bar = document.createElement("td");
  row.className = weight === 0 ? "zero" : "";
  bar.className = "bar";
  const svg = shape("svg", { viewBox: "-50 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  const length = (Math.abs(weight) / most) * 48;
  svg.append(shape("rect", { class: weight > 0 ? "fill-up" : "fill-down", x: weight > 0 ? 0 : -length, width: length, y: 1, height: 8 }));
  bar.append(svg);
  row.append(cell("th", name, { scope: "row" }), bar, cell("td", short(weight)), cell("td", short(coef), { "data-input": j, "data-value": coef }));
  return row;
}

async function openFile(file) {
  if (file) openTable(await file.text(), file.name);
}

at("file").addEventListener("change", () => openFile(at("file").files[0]));
at("target").addEventListener("change", () => {
  try { fitTable(); } catch (error) { at("table-about").textContent = `This target cannot be used: ${error.message}.`; }
});
at("penalty").addEventListener("change", fitPath);
at("ratio").addEventListener("input", fitPath);
at("lambda").addEventListener("input", showLambda);
const page = document.querySelector("main");
addEventListener("dragover", (event) => { event.preventDefault(); page.classList.add("dragged"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) page.classList.remove("dragged"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  page.classList.remove("dragged");
  openFile(event.dataTransfer.files[0]);
});

// ---- the network

const POINTS = twoMoons(200, 2), BATCH = 20, RATE = 0.3, REACH = 2.6;
let network, mask, steps, noise, running = false, examined = [0, 0];

const setting = (id) => Number(at(id).value);
const settings = () => ({ rate: RATE, l1: setting("l1"), l2: setting("l2"), keep: setting("keep") });

function startNetwork() {
  const units = setting("units");
  network = newNetwork(units, 3);
  noise = randomNumbers(4);
  mask = new Array(units).fill(true);
  steps = 0;
  showNetwork();
}

function minibatch() {
  const batch = Array.from({ length: BATCH }, () => POINTS[Math.floor(noise.uniform() * POINTS.length)]);
  mask = mask.map(() => noise.uniform() < setting("keep"));
  network = trainStep(network, batch, mask, settings());
  steps++;
  return batch;
}

function showNetwork() {
  for (const id of ["units", "keep", "l1", "l2"]) at(`${id}-now`).textContent = at(id).value;
  const weights = [...network.W.flat(), ...network.v];
  at("now-steps").textContent = steps;
  at("now-loss").textContent = logLoss().toFixed(3);
  at("now-zeros").textContent = `${weights.filter((w) => w === 0).length} of ${weights.length}`;
  at("now-size").textContent = short(weights.reduce((a, w) => a + w * w, 0));
  drawNetwork();
  drawSurface();
  showAverages();
}

function logLoss() {
  const losses = POINTS.map(({ x, y }) => { const z = logit(network, hidden(network, x)); return Math.max(z, 0) - y * z + Math.log1p(Math.exp(-Math.abs(z))); });
  return losses.reduce((a, b) => a + b, 0) / POINTS.length;
}

function drawNetwork() {
  const units = mask.length, height = 300, y = (i, n) => (height * (i + 1)) / (n + 1);
  const svg = drawing(360, height, `The thinned network of minibatch ${steps}: ${mask.filter(Boolean).length} of ${units} hidden units are kept.`);
  const line = (w, x1, y1, x2, y2) => w && svg.append(shape("line", { class: w > 0 ? "up" : "down", "stroke-width": Math.min(8, 0.6 + 1.6 * Math.abs(w)), x1, y1, x2, y2 }));
  mask.forEach((kept, i) => {
    if (!kept) return;
    network.W[i].forEach((w, k) => line(w, 40, y(k, 2), 180, y(i, units)));
    line(network.v[i], 180, y(i, units), 320, y(0, 1));
  });
  const unit = (x, top, kept) => svg.append(shape("circle", { class: kept ? "unit" : "unit dropped", cx: x, cy: top, r: 9 }));
  [0, 1].forEach((k) => unit(40, y(k, 2), true));
  mask.forEach((kept, i) => unit(180, y(i, units), kept));
  unit(320, y(0, 1), true);
  [["x₁", 14, y(0, 2)], ["x₂", 14, y(1, 2)], ["p", 338, y(0, 1)]].forEach(([text, x, top]) => svg.append(shape("text", { x, y: top + 4 }, text)));
  at("network").replaceChildren(svg);
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const onCanvas = ([a, b]) => [((a + REACH) / (2 * REACH)) * 360, ((REACH - b) / (2 * REACH)) * 300];
const fromCanvas = (u, v) => [(u * 2 - 1) * REACH, (1 - v * 2) * REACH];

function drawSurface() {
  const context = at("surface").getContext("2d"), size = 6, [up, down, ink, paper] = ["up", "down", "ink", "paper"].map(color);
  context.clearRect(0, 0, 360, 300);
  for (let u = 0; u < 360; u += size) for (let v = 0; v < 300; v += size) {
    const p = probability(network, fromCanvas((u + size / 2) / 360, (v + size / 2) / 300));
    context.globalAlpha = Math.abs(p - 0.5);
    context.fillStyle = p > 0.5 ? up : down;
    context.fillRect(u, v, size, size);
  }
  context.globalAlpha = 1;
  context.lineWidth = 1.5;
  for (const { x, y } of POINTS) {
    const [u, v] = onCanvas(x);
    context.beginPath();
    if (y) context.arc(u, v, 3, 0, 7); else context.rect(u - 2.5, v - 2.5, 5, 5);
    context.fillStyle = context.strokeStyle = y ? up : down;
    if (y) context.fill(); else context.stroke();
  }
  const [u, v] = onCanvas(examined);
  for (const [line, width] of [[paper, 6], [ink, 2.5]]) {
    context.strokeStyle = line;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(u - 9, v); context.lineTo(u + 9, v); context.moveTo(u, v - 9); context.lineTo(u, v + 9);
    context.stroke();
  }
}

function showAverages() {
  const keep = setting("keep"), all = allSubnetworks(network, examined, keep);
  at("now-count").textContent = all.outputs.length;
  for (const what of ["arithmetic", "geometric", "scaled"]) {
    at(`now-${what}`).textContent = all[what].toFixed(4);
    at(`now-${what}`).dataset.value = all[what];
  }
  if (!running) {
    const differences = POINTS.map(({ x }) => { const each = allSubnetworks(network, x, keep); return Math.abs(each.arithmetic - each.scaled); });
    at("now-difference").textContent = Math.max(...differences).toFixed(4);
  }
  const bins = new Array(25).fill(0), width = 720, height = 170, x = (p) => 20 + p * (width - 40);
  for (const { value, weight } of all.outputs) bins[Math.min(24, Math.floor(value * 25))] += weight;
  const most = Math.max(...bins);
  const svg = drawing(width, height, `The probabilities of ${all.outputs.length} sub-networks: arithmetic mean ${all.arithmetic.toFixed(3)}, weight scaling ${all.scaled.toFixed(3)}.`);
  bins.forEach((share, i) => { const tall = (share / most) * 125; svg.append(shape("rect", { class: "block", x: x(i / 25) + 1, width: (width - 40) / 25 - 2, y: 145 - tall, height: tall })); });
  svg.append(shape("line", { class: "axis", x1: x(0), x2: x(1), y1: 145, y2: 145 }));
  svg.append(shape("line", { class: "now", x1: x(all.arithmetic), x2: x(all.arithmetic), y1: 8, y2: 145 }));
  svg.append(shape("line", { class: "dashed", x1: x(all.scaled), x2: x(all.scaled), y1: 8, y2: 145 }));
  [0, 0.5, 1].forEach((p) => svg.append(shape("text", { x: x(p), y: 162, "text-anchor": "middle" }, String(p))));
  at("averages").replaceChildren(svg);
}

function examine(point) {
  examined = point.map((v) => Math.max(-REACH, Math.min(REACH, v)));
  drawSurface();
  showAverages();
}

function train(count) {
  for (let i = 0; i < count; i++) minibatch();
  showNetwork();
  at("network-status").textContent = `${steps} minibatches, training log loss ${logLoss().toFixed(3)}.`;
}

let earlier = 0;
function animate(time) {
  if (!running) return;
  if (time - earlier >= 100) {
    earlier = time;
    minibatch();
    showNetwork();
  }
  requestAnimationFrame(animate);
}

function run(start) {
  running = start && !still.matches;
  at("train").textContent = running ? "Pause" : "Train";
  at("train").setAttribute("aria-pressed", running);
  if (running) requestAnimationFrame(animate);
  else train(start ? 200 : 0);
}

at("train").addEventListener("click", () => run(!running));
at("one").addEventListener("click", () => train(1));
at("many").addEventListener("click", () => train(500));
at("reset").addEventListener("click", startNetwork);
at("units").addEventListener("input", startNetwork);
for (const id of ["keep", "l1", "l2"]) at(id).addEventListener("input", showNetwork);
at("surface").addEventListener("click", (event) => {
  const box = at("surface").getBoundingClientRect();
  examine(fromCanvas((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
});
at("surface").addEventListener("keydown", (event) => {
  const move = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
  if (!move) return;
  event.preventDefault();
  examine([examined[0] + move[0], examined[1] + move[1]]);
  const [where, p] = [examined.map((v) => v.toFixed(1)).join(", "), probability(network, examined).toFixed(3)];
  at("network-status").textContent = `The point is at (${where}); probability ${p}.`.replaceAll("-", "−");
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawSurface);

openTable(given.table ?? exampleTable(), given.table ? given.name : "An example that was drawn at random", given.target);
if (given.note) at("table-about").append(` ${given.note}`);
startNetwork();
