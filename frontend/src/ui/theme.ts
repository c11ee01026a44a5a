/** The theme's colours for canvases, which do not support CSS variables. */
import { context2d } from "./dom.ts";

/** Red, green and blue from 0 to 255. */
export type Colour = [red: number, green: number, blue: number];

/**
 * Return a function that resolves CSS variables to colours.
 * @param probe an invisible element of the widget
 */
export function colourReader(probe: HTMLElement): (variable: string) => Colour {
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = context2d(canvas, { willReadFrequently: true });
  return (variable) => {
    probe.style.color = `var(${variable})`;
    context.fillStyle = getComputedStyle(probe).color;
    context.fillRect(0, 0, 1, 1);
    const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
    return [red, green, blue];
  };
}

export function cssColour(colour: Colour): string {
  return `rgb(${colour.join(" ")})`;
}
