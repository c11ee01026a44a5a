/** The theme's colours as a canvas wants them: a canvas knows no variables. */

/**
 * @param {HTMLElement} probe an element of the widget that is not shown
 * @returns {import("./transfer_matrix_drawing.js").Look}
 */
export function readLook(probe) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  /** @param {string} name @returns {[number, number, number]} */
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    context.fillStyle = getComputedStyle(probe).color;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue];
  };
  const words = (/** @type {string} */ name) => `rgb(${colour(name).join(" ")})`;
  const palette = {
    empty: colour("--dwt-empty"),
    right: /** @type {[any, any]} */ (["--dwt-right-0", "--dwt-right-1"].map(colour)),
    wrong: /** @type {[any, any, any]} */ (["--dwt-wrong-0", "--dwt-wrong-1", "--dwt-wrong-2"].map(colour)),
  };
  return { background: words("--dwx-bg"), ink: words("--dwx-ink"), dim: words("--dwx-dim"), accent: words("--dwx-accent"), palette };
}
