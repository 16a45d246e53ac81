"use strict";

// The page stands without this script at the chosen λ. The script moves the slider; it writes text by textContent alone.
(() => {
  const byId = (id) => document.getElementById(id);

  const copyTables = () => {
    for (const scroll of document.querySelectorAll(".numbers > .scroll")) {
      const button = document.createElement("button");
      button.className = "copy";
      button.textContent = "Copy the table";
      scroll.before(button);
      button.addEventListener("click", () => {
        getSelection().selectAllChildren(scroll.querySelector("table"));
        document.execCommand("copy");
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy the table"), 1500);
      });
    }
  };

  // Drawn as cards, the comparison is a table to a screen reader only if its parts say so.
  const roles = { TABLE: "table", THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  for (const part of document.querySelectorAll(".comparison, .comparison *")) {
    const header = part.scope === "col" ? "columnheader" : "rowheader";
    const role = part.tagName === "TH" ? header : roles[part.tagName];
    if (role) part.setAttribute("role", role);
  }

  copyTables();
  const source = byId("path-data");
  if (!source) return;

  const data = JSON.parse(source.textContent);
  data.coefs = data.coefs.map((row) => row.map((c) => (c === null ? null : Number((c / data.unit).toPrecision(3)))));
  data.histogram = data.histogram.map((counts) => counts.split(",").map(Number));
  const last = data.lambda.length - 1;
  const slider = byId("lambda");
  const paths = byId("paths");
  const curve = byId("curve");
  let now = data.kept_at;
  let lit = null;

  const outOf = (count, all) => `${count.toLocaleString("en")} of ${all.toLocaleString("en")}`;
  const digits = { maximumSignificantDigits: 4 };
  const written = (value) => (value === null ? "–" : value.toLocaleString("en", digits).replace("-", "−"));
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

  // --- what λ number `index` looks like

  const readings = (index) => {
    byId("now-lambda").textContent = data.lambda[index];
    byId("now-kept").textContent = outOf(data.kept[index], data.inputs);
    byId("now-zeros").textContent = outOf(data.zeros[index], data.weights);
    byId("now-score").textContent = data.score[index];
    if (!slider) return;
    slider.value = index;
    slider.setAttribute(
      "aria-valuetext",
      `λ = ${data.lambda[index]}, ${outOf(data.kept[index], data.inputs)} inputs kept, ${data.scoreName} ${data.score[index]}`,
    );
  };

  const cursors = (index) => {
    for (const cursor of document.querySelectorAll(".cursor")) cursor.style.left = `${data.x[index]}%`;
  };

  const histogram = (index) => {
    const counts = data.histogram[index];
    const top = Math.max(4, ...counts);
    byId("bars-top").textContent = top;
    [...byId("bars").children].forEach((bar, i) => {
      const height = (1000 * counts[i]) / top;
      bar.setAttribute("y", 1000 - height);
      bar.setAttribute("height", height);
      bar.dataset.count = counts[i];
    });
    byId("zero-count").textContent = outOf(data.zeros[index], data.weights);
    byId("zero-bar").style.width = `${(100 * data.zeros[index]) / Math.max(1, data.weights)}%`;
    const rows = byId("bins").querySelectorAll("tbody tr");
    [data.zeros[index], ...counts].forEach((count, i) => (rows[i].lastElementChild.textContent = count));
  };

  const keptInputs = (index) => {
    const items = byId("kept").children;
    let more = data.kept[index];
    data.runs.forEach((run, i) => {
      const kept = run.some((from, k) => k % 2 === 0 && from <= index && index < run[k + 1]);
      items[i].hidden = !kept;
      if (kept) more -= 1;
    });
    byId("kept-more").hidden = more === 0;
    byId("kept-more").textContent = `… and ${more.toLocaleString("en")} more`;
    byId("kept-none").hidden = data.kept[index] > 0;
  };

  const show = (index) => {
    now = clamp(index, 0, last);
    readings(now);
    cursors(now);
    histogram(now);
    keptInputs(now);
    if (lit !== null) light(lit, now);
  };

  // --- one line named

  const height = (plot, value) => {
    const top = Number(plot.dataset.top);
    return (100 * (top - value)) / (top - Number(plot.dataset.bottom));
  };

  const light = (line, index) => {
    lit = line;
    for (const named of document.querySelectorAll(".named")) named.classList.remove("named");
    const tip = byId("tip");
    tip.hidden = line === null;
    byId("lit").setAttribute("d", line === null ? "" : byId("lines").children[data.coefs.length - 1 - line].getAttribute("d"));
    if (line === null) return;
    for (const word of document.querySelectorAll(`[data-line="${line}"]`)) word.classList.add("named");
    tip.textContent = `${data.features[line]}  ${written(data.coefs[line][index])}  at λ = ${data.lambda[index]}`;
    const x = data.x[index];
    tip.style.left = x < 50 ? `calc(${x}% + 0.7rem)` : "auto";
    tip.style.right = x < 50 ? "auto" : `calc(${100 - x}% + 0.7rem)`;
    const value = data.coefs[line][index] ?? 0;
    tip.style.top = `${clamp(height(paths, value), 2, 98)}%`;
    tip.style.transform = value < 0 ? "translateY(-115%)" : "translateY(15%)";
  };

  const nearestIndex = (plot, event) => {
    const box = plot.getBoundingClientRect();
    const x = (100 * (event.clientX - box.left)) / box.width;
    return data.x.reduce((best, at, i) => (Math.abs(at - x) < Math.abs(data.x[best] - x) ? i : best), 0);
  };

  // The line under the pointer; lines at exactly zero lie on each other and have no name there.
  const nearestLine = (event, index) => {
    const box = paths.getBoundingClientRect();
    let [nearest, distance] = [null, 16];
    data.coefs.forEach((row, line) => {
      if (!row[index]) return;
      const away = Math.abs((height(paths, row[index]) / 100) * box.height - (event.clientY - box.top));
      if (away < distance) [nearest, distance] = [line, away];
    });
    return nearest;
  };

  // Up and down walk over the lines in the order in which they lie above each other at this λ.
  const nextLine = (up) => {
    const order = data.coefs.map((row, line) => [row[now], line]).filter(([value]) => value);
    if (!order.length) return null;
    order.sort((a, b) => a[0] - b[0]);
    const at = order.findIndex(([, line]) => line === lit);
    return order[at < 0 ? (up ? 0 : order.length - 1) : clamp(at + (up ? 1 : -1), 0, order.length - 1)][1];
  };

  const keys = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move) show(now + move);
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") light(nextLine(event.key === "ArrowUp"), now);
    else if (event.key === "Escape") light(null);
    else return;
    event.preventDefault();
    if (lit !== null) byId("said").textContent = byId("tip").textContent;
  };

  // --- the paths as a table, made when it is opened

  const cell = (row, tag, text) => row.appendChild(document.createElement(tag)).append(String(text));

  const pathTable = () => {
    if (byId("path-table").firstChild) return;
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    ["λ", ...data.features].forEach((name) => cell(head, "th", name));
    const body = table.createTBody();
    data.values.forEach((value, i) => {
      const row = body.insertRow();
      cell(row, "th", value);
      data.coefs.forEach((coefs) => cell(row, "td", coefs[i] ?? "–"));
    });
    byId("path-table").append(table);
  };

  // --- where the address says to stand: #lambda=37, #lambda=best, #lambda=1se, #lambda=chosen

  const places = { best: data.best, "1se": data.one_se, chosen: data.kept_at };

  const fromAddress = () => {
    const [, wanted] = location.hash.match(/^#lambda=(\w+)$/) ?? [];
    if (wanted in places) show(places[wanted]);
    else if (/^\d+$/.test(wanted)) show(Number(wanted));
  };

  const toAddress = () => history.replaceState(null, "", `#lambda=${now}`);

  if (slider) {
    byId("control").hidden = false;
    slider.addEventListener("input", () => show(Number(slider.value)));
    slider.addEventListener("change", toAddress);
    for (const button of document.querySelectorAll("[data-jump]")) {
      button.addEventListener("click", () => {
        show(places[button.dataset.jump]);
        toAddress();
      });
    }
    for (const plot of [paths, curve].filter(Boolean)) {
      plot.addEventListener("pointerdown", (event) => show(nearestIndex(plot, event)));
      plot.addEventListener("pointermove", (event) => {
        if (event.buttons) show(nearestIndex(plot, event));
      });
    }
    paths.addEventListener("pointermove", (event) => {
      const index = nearestIndex(paths, event);
      light(nearestLine(event, index), index);
    });
    paths.addEventListener("pointerleave", () => light(null));
    paths.addEventListener("blur", () => light(null));
    paths.addEventListener("keydown", keys);
    for (const item of document.querySelectorAll("[data-line]")) {
      item.addEventListener("pointerenter", () => light(Number(item.dataset.line), now));
      item.addEventListener("pointerleave", () => light(null));
    }
    byId("path-numbers").addEventListener("toggle", pathTable);
    addEventListener("hashchange", fromAddress);
  }
  show(data.kept_at);
  fromAddress();
})();
