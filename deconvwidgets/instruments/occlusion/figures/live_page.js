// A patch that is moved over the positions of the maps: by dragging it, by the arrow keys, or by the pointer over a map. Every number was
// computed before; everything shown is in the element #data, and texts are set as text, never as HTML.
"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const [height, width] = data.size;
  const [left, top] = data.edges;
  const [strideY, strideX] = data.stride;
  const [rows, columns] = [data.values.activity.length, data.values.activity[0].length];
  const image = document.getElementById("image");
  const patch = image.querySelector(".window");
  const maps = [...document.querySelectorAll(".map")];
  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  let placed = data.start; // where the patch was put; over a map it follows the pointer without being put there

  /** Return the position that is nearest to a point on the image or on a map. */
  function nearest({ clientX, clientY }, element) {
    const area = element.getBoundingClientRect();
    const row = Math.floor((((clientY - area.top) / area.height) * height - top) / strideY);
    const column = Math.floor((((clientX - area.left) / area.width) * width - left) / strideX);
    return [clamp(row, rows - 1), clamp(column, columns - 1)];
  }

  function place(element, [centerY, centerX], [sizeY, sizeX]) {
    Object.assign(element.style, {
      display: "block",
      left: `${(100 * (centerX - sizeX / 2)) / width}%`,
      top: `${(100 * (centerY - sizeY / 2)) / height}%`,
      width: `${(100 * sizeX) / width}%`,
      height: `${(100 * sizeY) / height}%`,
    });
  }

  /** Show the patch and everything that was computed at a position. */
  function show([row, column]) {
    const center = [top + (row + 0.5) * strideY, left + (column + 0.5) * strideX];
    place(patch, center, data.window);
    const area = image.getBoundingClientRect();
    const [cornerY, cornerX] = [center[0] - data.window[0] / 2, center[1] - data.window[1] / 2];
    patch.style.backgroundSize = `${area.width}px ${area.height}px`;
    patch.style.backgroundPosition = `${(-cornerX / width) * area.width}px ${(-cornerY / height) * area.height}px`;
    for (const map of maps) {
      place(map.querySelector(".cell"), center, data.stride);
      map.parentElement.querySelector(".tip").textContent = data.values[map.dataset.map]?.[row][column] || "not computed";
    }
    document.getElementById("scores").replaceChildren(...data.scores[row][column].map(scoreRow));
    document.getElementById("now").textContent = `activity ${data.values.activity[row][column] || "not computed"}`;
    image.dataset.position = `${row},${column}`;
  }

  function scoreRow([label, now, text]) {
    const line = document.createElement("tr");
    line.className = label === data.target ? "on" : "";
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = data.names[label];
    line.append(name);
    const before = data.before[label];
    if (data.bars) {
      const bar = document.createElement("td");
      bar.className = "bar";
      for (const [kind, share] of [["before", before?.[0] ?? 0], ["now", now]]) {
        const part = document.createElement("i");
        part.className = kind;
        part.style.width = `${100 * share}%`;
        bar.append(part);
      }
      line.append(bar);
    }
    const value = document.createElement("td");
    value.textContent = text;
    value.title = before ? `without the patch ${before[1]}` : "";
    line.append(value);
    return line;
  }

  function put(position) {
    placed = position;
    show(placed);
  }

  image.addEventListener("pointerdown", (event) => {
    image.setPointerCapture(event.pointerId);
    put(nearest(event, image));
  });
  image.addEventListener("pointermove", (event) => {
    if (image.hasPointerCapture(event.pointerId)) put(nearest(event, image));
  });
  image.addEventListener("keydown", (event) => {
    const [row, column] = placed;
    const step = event.shiftKey ? 4 : 1;
    const moved = {
      ArrowUp: [row - step, column], ArrowDown: [row + step, column], ArrowLeft: [row, column - step], ArrowRight: [row, column + step],
      Home: data.start,
    }[event.key];
    if (!moved) return;
    event.preventDefault();
    put([clamp(moved[0], rows - 1), clamp(moved[1], columns - 1)]);
  });
  for (const map of maps) {
    map.addEventListener("pointermove", (event) => show(nearest(event, map)));
    map.addEventListener("click", (event) => put(nearest(event, map)));
    map.addEventListener("pointerleave", () => show(placed));
  }
  addEventListener("resize", () => show(placed));
  show(placed);
}
