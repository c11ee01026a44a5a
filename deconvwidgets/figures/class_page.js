// The cells of the confusion matrix show their photographs, and the list of classes leads to the cells of a class. Everything shown is in
// the element #data; texts are set as text, never as HTML.
"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const { categories, tests, accuracy } = data;
  const size = categories.length;
  const matrix = byId("matrix");
  const count = (truth, prediction) => data.counts[`${truth},${prediction}`] ?? 0;
  const percent = (share) => `${Math.round(100 * share)}%`;
  let cell = worstCell();

  const element = (tag, properties = {}, ...children) => {
    const created = Object.assign(document.createElement(tag), properties);
    created.append(...children);
    return created;
  };

  /** Return the cell with the most mistakes, or the first class. */
  function worstCell() {
    let [worst, most] = [[0, 0], 0];
    for (const [key, times] of Object.entries(data.counts)) {
      const [truth, prediction] = key.split(",").map(Number);
      if (truth !== prediction && times > most) [worst, most] = [[truth, prediction], times];
    }
    return worst;
  }

  /** Return the wrong predictions of a class, the most frequent first. */
  function mistakesOf(truth) {
    const wrong = categories.map((_, prediction) => [prediction, prediction === truth ? 0 : count(truth, prediction)]);
    return wrong.filter(([, times]) => times > 0).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  }

  function describe([truth, prediction]) {
    const what = truth === prediction ? `${categories[truth]}, predicted correctly` : `${categories[truth]}, predicted ${categories[prediction]}`;
    return `${what}: ${count(truth, prediction)} of ${tests[truth]} tests`;
  }

  function choose(next) {
    cell = next;
    const [truth, prediction] = cell;
    Object.assign(byId("mark").style, {
      display: "block", left: `${(100 * prediction) / size}%`, top: `${(100 * truth) / size}%`, width: `${100 / size}%`, height: `${100 / size}%`,
    });
    byId("cell-title").textContent = describe(cell);
    const photographs = data.cells[`${truth},${prediction}`] ?? [];
    const times = count(truth, prediction);
    byId("cell-text").textContent = times === 0 ? "No test photograph." : photographs.length ? `${photographs.length} photographs, the most confident first` : "The page has no photograph of this cell.";
    byId("photographs").replaceChildren(...photographs.map(([number, name, confidence]) => {
      const caption = confidence === null ? name : `${percent(confidence)} · ${name}`;
      return element("figure", { title: caption }, element("img", { src: data.thumbnails[number], alt: name }), element("figcaption", { textContent: caption }));
    }));
    byId("mistakes").replaceChildren(...mistakesOf(truth).map(([wrong, frequency]) => {
      const button = element("button", { type: "button", textContent: `${frequency} x ${categories[wrong]}` });
      button.addEventListener("click", () => choose([truth, wrong]));
      return button;
    }));
    for (const button of byId("classes").children) button.setAttribute("aria-pressed", String(Number(button.dataset.truth) === truth));
    matrix.dataset.cell = `${truth},${prediction}`;
  }

  function cellAt({ clientX, clientY }) {
    const area = matrix.getBoundingClientRect();
    const index = (at, start, length) => Math.min(Math.max(Math.floor(((at - start) / length) * size), 0), size - 1);
    return [index(clientY, area.top, area.height), index(clientX, area.left, area.width)];
  }

  function drawClasses() {
    const query = byId("filter").value.trim().toLowerCase();
    const sort = byId("sort").value;
    const shown = categories.map((_, truth) => truth).filter((truth) => categories[truth].toLowerCase().includes(query));
    const rank = (truth) => (accuracy[truth] === null ? Infinity : sort === "worst" ? accuracy[truth] : -accuracy[truth]);
    if (sort === "name") shown.sort((a, b) => categories[a].localeCompare(categories[b]));
    else shown.sort((a, b) => (rank(a) === rank(b) ? a - b : rank(a) - rank(b)));
    byId("count").textContent = `${shown.length} of ${size} classes`;
    byId("classes").replaceChildren(...shown.map((truth) => {
      const share = accuracy[truth];
      const meter = element("span", { className: "meter" }, element("i"));
      meter.firstChild.style.width = `${100 * (share ?? 0)}%`;
      const [wrong] = mistakesOf(truth);
      const button = element("button", { type: "button" },
        element("span", { textContent: categories[truth], title: categories[truth] }), meter,
        element("span", { textContent: share === null ? "no tests" : percent(share) }),
        element("span", { className: "quiet", textContent: wrong ? `${wrong[1]} x ${categories[wrong[0]]}` : "" }));
      button.dataset.truth = truth;
      button.setAttribute("aria-pressed", String(truth === cell[0]));
      button.addEventListener("click", () => {
        choose([truth, truth]);
        byId("cell").scrollIntoView({ block: "nearest" });
      });
      return button;
    }));
  }

  matrix.addEventListener("pointermove", (event) => { byId("hovered").textContent = describe(cellAt(event)); });
  matrix.addEventListener("pointerleave", () => { byId("hovered").textContent = "\u00a0"; });
  matrix.addEventListener("click", (event) => choose(cellAt(event)));
  matrix.addEventListener("keydown", (event) => {
    const [truth, prediction] = cell;
    const moved = {
      ArrowUp: [truth - 1, prediction], ArrowDown: [truth + 1, prediction], ArrowLeft: [truth, prediction - 1], ArrowRight: [truth, prediction + 1],
    }[event.key];
    if (!moved) return;
    event.preventDefault();
    choose(moved.map((index) => Math.min(Math.max(index, 0), size - 1)));
  });
  byId("sort").addEventListener("change", drawClasses);
  byId("filter").addEventListener("input", drawClasses);
  drawClasses();
  choose(cell);
}
