/** Functions to create drawings in SVG. */

type Attributes = Record<string, string | number>;

/** Return an empty drawing. The HTML parser knows the namespace of SVG. */
export function createDrawing(): SVGElement {
  const template = document.createElement("template");
  template.innerHTML = "<svg></svg>";
  return template.content.firstChild as SVGElement;
}

/** Return a function that creates elements of a drawing. */
export const elementFactory =
  (namespace: string | null) =>
  (tag: string, attributes: Attributes = {}, ...children: (Node | string)[]): Element => {
    const element = document.createElementNS(namespace, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    element.append(...children);
    return element;
  };
