// The page of the units of one or several layers. Everything it shows is in the element #data; texts are set as text, never as HTML.
"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const [layers, units, dialog, filter] = ["layers", "units", "large", "filter"].map(byId);
  const state = { layer: 0, sort: "given", view: "both", filter: "", unit: null, rank: 0 };
  let shown = []; // the units of the layer, sorted and filtered

  const element = (tag, properties = {}, ...children) => {
    const created = Object.assign(document.createElement(tag), properties);
    created.append(...children);
    return created;
  };

  // The grid

  function arrange() {
    const query = state.filter.trim().toLowerCase();
    const fits = ({ labels }) => !query || labels.some(([name]) => name.toLowerCase().includes(query));
    shown = data.layers[state.layer].units.filter(fits);
    if (state.sort === "unit") shown.sort((a, b) => a.unit - b.unit);
    else if (state.sort !== "given") shown.sort((a, b) => (b[state.sort] ?? -Infinity) - (a[state.sort] ?? -Infinity) || a.unit - b.unit);
  }

  function draw() {
    arrange();
    const layer = data.layers[state.layer];
    [...layers.children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === state.layer)));
    units.className = state.view === "both" ? "" : "one";
    units.replaceChildren(...shown.map(tile));
    const all = layer.units.length;
    byId("count").textContent = `${shown.length} of ${all} units on this page${data.layers.length > 1 ? ` · ${layer.geometry}` : ""}`;
    const names = [...new Set(layer.units.flatMap(({ labels }) => labels.map(([name]) => name)))].sort((a, b) => a.localeCompare(b));
    byId("classes").replaceChildren(...names.map((value) => element("option", { value })));
  }

  function tile(unit) {
    const parts = ["projections", "patches"].filter((part) => state.view === "both" || state.view === part);
    const images = parts.map((part) =>
      unit.mosaic === null
        ? element("span", { className: "dead" })
        : mosaic(data.images[part][unit.mosaic], `unit ${unit.unit}, ${part}`),
    );
    const line = element("span", { className: "line" }, element("b", { textContent: unit.unit }), unit.summary);
    const button = element("button", { type: "button", className: "unit", title: unit.labels.map(([name, count]) => `${name} ${count}`).join(", ") });
    button.append(element("span", { className: "pair" }, ...images), line);
    button.dataset.unit = unit.unit;
    if (unit.mosaic !== null) button.addEventListener("click", () => open(unit));
    return button;
  }

  /** An image of tiles; the gaps between them are drawn in the colour of the page. */
  const mosaic = (src, alt) => element("span", { className: "mosaic" }, element("img", { src, alt, decoding: "async" }));

  function gaps() {
    const { grid, tile: side, gap, side: whole } = data.mosaic;
    const percent = (pixels) => `${((100 * pixels) / whole).toFixed(3)}%`;
    const edges = Array.from({ length: grid - 1 }, (_, line) => [(line + 1) * (side + gap) - gap, (line + 1) * (side + gap)].map(percent));
    const stops = edges.map(([from, to]) => `transparent ${from}, var(--paper) ${from}, var(--paper) ${to}, transparent ${to}`).join(", ");
    units.style.setProperty("--gaps", `linear-gradient(90deg, ${stops}), linear-gradient(${stops})`);
  }

  /** Move the focus from a tile to its neighbour: left and right by one, up and down to the nearest tile of the next row. */
  function moveFocus(key, from) {
    const tiles = [...units.children];
    const index = tiles.indexOf(from);
    const columns = Math.max(1, tiles.filter((other) => other.offsetTop === tiles[0].offsetTop).length);
    const next = { ArrowLeft: index - 1, ArrowRight: index + 1, ArrowUp: index - columns, ArrowDown: index + columns, Home: 0, End: tiles.length - 1 };
    const target = tiles[next[key]];
    target?.focus();
    return target !== undefined;
  }

  // The enlarged unit

  const loaded = new Map(); // decoded mosaics by their address

  function image(uri) {
    if (!loaded.has(uri)) {
      const created = new Image();
      created.src = uri;
      loaded.set(uri, created.decode().then(() => created));
    }
    return loaded.get(uri);
  }

  async function drawTile(canvas, part, unit, rank) {
    const mosaic = await image(data.images[part][unit.mosaic]);
    if (state.unit !== unit || state.rank !== rank) return; // another one was chosen meanwhile
    const { grid, tile: side, gap } = data.mosaic;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    const [x, y] = [(rank % grid) * (side + gap), Math.floor(rank / grid) * (side + gap)];
    context.drawImage(mosaic, x, y, side, side, 0, 0, canvas.width, canvas.height);
    canvas.dataset.drawn = `${unit.unit}/${rank}`;
  }

  function drawLarge() {
    const { unit, rank } = state;
    const entry = unit.entries[rank];
    byId("large-title").textContent = `${data.layers[state.layer].id} · unit ${unit.unit}`;
    const facts = [unit.summary, `mean ${format(unit.mean)}`, `selectivity ${format(unit.selectivity)}`, `active in ${unit.active} of the ${data.items}`];
    byId("large-summary").textContent = facts.join(" · ");
    byId("entry").textContent = entry.text;
    void drawTile(byId("projection"), "projections", unit, rank);
    void drawTile(byId("patch"), "patches", unit, rank);
    const photograph = byId("photograph");
    byId("whole").parentElement.hidden = entry.photograph === null;
    if (entry.photograph !== null) photograph.src = data.images.photographs[entry.photograph];
    photograph.alt = entry.label ?? "";
    byId("box").hidden = entry.box === null;
    if (entry.box) {
      const [left, top, right, bottom] = entry.box.map((edge) => Math.min(Math.max(edge, 0), 1));
      Object.assign(byId("box").style, {
        left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
      });
    }
    byId("entries").replaceChildren(
      ...unit.entries.map(({ text }, index) => {
        const button = element("button", { type: "button", textContent: text, title: text });
        button.setAttribute("aria-pressed", String(index === rank));
        button.addEventListener("click", () => select(unit, index));
        return element("li", {}, button);
      }),
    );
  }

  const format = (value) => (value === null ? "unknown" : value.toLocaleString("en", { maximumSignificantDigits: 3 }));

  function select(unit, rank) {
    Object.assign(state, { unit, rank });
    drawLarge();
  }

  function open(unit) {
    select(unit, 0);
    if (!dialog.open) dialog.showModal();
  }

  function moveLarge(key) {
    const { unit, rank } = state;
    if (key === "ArrowLeft" || key === "ArrowRight") {
      select(unit, Math.min(Math.max(rank + (key === "ArrowRight" ? 1 : -1), 0), unit.entries.length - 1));
    } else {
      const alive = shown.filter(({ mosaic }) => mosaic !== null);
      const next = alive[alive.indexOf(unit) + (key === "ArrowDown" ? 1 : -1)];
      if (next) select(next, 0);
    }
  }

  // Events

  layers.append(
    ...data.layers.map(({ id, name }, index) => {
      const button = element("button", { type: "button", textContent: id, title: name });
      button.addEventListener("click", () => switchLayer(index));
      return button;
    }),
  );
  layers.hidden = byId("layer-keys").hidden = data.layers.length < 2;
  function switchLayer(index) {
    state.layer = index;
    draw();
  }
  byId("sort").addEventListener("change", (event) => { state.sort = event.target.value; draw(); });
  byId("view").addEventListener("change", (event) => { state.view = event.target.value; draw(); });
  filter.addEventListener("input", () => { state.filter = filter.value; draw(); });
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => units.querySelector(`[data-unit="${state.unit?.unit}"]`)?.focus());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (dialog.open) {
      if (!/^Arrow/.test(event.key)) return;
      moveLarge(event.key);
    } else if (typing) {
      return;
    } else if (event.key === "/") {
      filter.focus();
    } else if (/^[1-9]$/.test(event.key) && data.layers[Number(event.key) - 1]) {
      switchLayer(Number(event.key) - 1);
    } else if (!event.target.classList?.contains("unit") || !moveFocus(event.key, event.target)) {
      return;
    }
    event.preventDefault();
  });
  if (data.mosaic) gaps();
  draw();
}
