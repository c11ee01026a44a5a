/** The tree of the units that feed a unit, layer by layer down to the edges. A unit that feeds several others is one node. */
import { context2d, h, setText } from "../ui/dom.ts";
import { isNotebookShortcut } from "../ui/keyboard.ts";
import { createDrawing, elementFactory } from "../ui/svg.ts";
import type { AwaitedLookup } from "./awaited_resource.ts";
import type { ContributionStore } from "./store.ts";
import type { Tree, TreeEdge, TreeNode } from "./wire.ts";

const [WIDTH, HEIGHT] = [150, 96]; // of a node, CSS pixels
const [GAP_X, GAP_Y] = [110, 10];
const PICTURE = 72;
const TILE = 48; // pixels of a tile of a mosaic
const MAX_EDGE = 22; // the width of an edge with a share of 1
const SIZES: [string, string][] = [
  ["2,3", "2 layers, 3 units each"],
  ["3,2", "3 layers, 2 units each"],
  ["4,2", "4 layers, 2 units each"],
  ["1,6", "1 layer, 6 units"],
];

interface FeederTreeOptions {
  /** Unique in the page. */
  id: string;
  store: ContributionStore;
  /** Go to a unit. */
  open: (layer: string, unit: number) => void;
  save: (fields: { layer: string; unit: number; depth: number; breadth: number }, file: "tree.png" | "tree.svg" | "tree.pdf") => void;
  changed: () => void;
}

type SvgFactory = ReturnType<typeof elementFactory>;

interface Placement {
  /** The left and top edge of each node. */
  positions: [x: number, y: number][];
  width: number;
  height: number;
}

/** Place the nodes: a column for each depth, in which they are spread over the height, near to the nodes that they feed. */
export function placeNodes(nodes: Pick<TreeNode, "depth">[], edges: Pick<TreeEdge, "source" | "to" | "share">[]): Placement {
  const columns = new Map<number, number[]>();
  nodes.forEach(({ depth }, node) => void columns.set(depth, [...(columns.get(depth) ?? []), node]));
  const most = Math.max(1, ...[...columns.values()].map(({ length }) => length));
  const height = most * (HEIGHT + GAP_Y) - GAP_Y;
  const positions = nodes.map((): [number, number] => [0, 0]);
  for (const [depth, column] of [...columns].sort(([first], [second]) => first - second)) {
    const centre = (node: number) =>
      meanHeight(
        edges.filter(({ source }) => source === node),
        positions,
      );
    const order = column.map((node) => ({ node, y: centre(node) })).sort((a, b) => a.y - b.y);
    order.forEach(({ node }, index) => {
      positions[node] = [depth * (WIDTH + GAP_X), ((index + 0.5) * height) / column.length - HEIGHT / 2];
    });
  }
  return { positions, width: (Math.max(0, ...columns.keys()) + 1) * (WIDTH + GAP_X) - GAP_X, height };
}

/** Return the mean height of the nodes that edges lead to, weighted by their shares. */
function meanHeight(edges: Pick<TreeEdge, "to" | "share">[], positions: [number, number][]): number {
  const total = edges.reduce((sum, { share }) => sum + share, 0);
  return total > 0 ? edges.reduce((sum, { to, share }) => sum + share * (positions[to]?.[1] ?? 0), 0) / total : 0;
}

function createNode({ layer, unit }: TreeNode, open: (layer: string, unit: number) => void) {
  const ratio = Math.min(2, globalThis.devicePixelRatio || 1);
  const pictures = [0, 1].map(() => h("canvas", { width: PICTURE * ratio, height: PICTURE * ratio }));
  const label = `Unit ${unit} of ${layer}: go to it`;
  const properties = { type: "button", class: "dwu-node", "data-testid": "tree-node", "data-unit": `${layer} ${unit}`, title: label };
  const name = h("span", { class: "dwu-node-name" }, `${layer} `, h("b", {}, String(unit)));
  const element = h("button", { ...properties, onclick: () => open(layer, unit) }, name, ...pictures);
  const draw = (store: ContributionStore) => {
    const { projections, patches } = store.unitMosaics(layer, unit, TILE);
    for (const [at, bitmap] of [projections, patches].entries()) {
      const canvas = pictures[at];
      if (!canvas || !bitmap || canvas.dataset.painted) continue;
      context2d(canvas).drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      canvas.dataset.painted = "true";
    }
  };
  return { element, draw };
}

/**
 * Create an edge, as wide as the share of the unit in what the other one is fed.
 * @param svg creates elements of the drawing
 * @param labelled whether the share is written beside it
 */
function createEdge(svg: SvgFactory, { source, to, share }: TreeEdge, positions: [number, number][], labelled: boolean): Element[] {
  const [from, target] = [positions[source], positions[to]];
  if (!from || !target) return [];
  const [x1, y1, x2, y2] = [target[0] + WIDTH, target[1] + HEIGHT / 2, from[0], from[1] + HEIGHT / 2];
  const middle = (x1 + x2) / 2;
  const curve = `M ${x1} ${y1} C ${middle} ${y1}, ${middle} ${y2}, ${x2} ${y2}`;
  const path = svg("path", { d: curve, "stroke-width": Math.max(1.5, MAX_EDGE * share) });
  if (!labelled) return [path];
  const place = { x: x2 - 6, y: y2 - 4 - (MAX_EDGE * share) / 2 };
  return [path, svg("text", place, `${Math.round(100 * share)}%`)];
}

/** A dialog with the tree. */
export class FeederTree {
  readonly element: HTMLDialogElement;
  private readonly title: HTMLElement;
  private readonly status = h("p", { class: "dwu-dim", role: "status", "data-testid": "tree-status" });
  private readonly error = h("p", { class: "dwx-error", hidden: true });
  private readonly canvas = h("div", { class: "dwu-tree", "data-testid": "tree" });
  private readonly size = h("select", { class: "dwx-select", "aria-label": "Size of the tree", "data-testid": "tree-size" });
  private unit: { layer: string; unit: number } | null = null;
  private shown: Tree | null = null;
  private nodes: ReturnType<typeof createNode>[] = [];

  constructor(private readonly options: FeederTreeOptions) {
    const button = (name: string, text: string, label: string, onclick: () => void) =>
      h("button", { type: "button", class: "dwx-menu-button", title: label, "aria-label": label, "data-testid": name, onclick }, text);
    this.title = h("h3", { id: `${options.id}-tree-title`, "data-testid": "tree-title" });
    this.size.append(...SIZES.map(([value, text]) => h("option", { value }, text)));
    this.size.addEventListener("change", () => options.changed());
    const files = (["png", "svg", "pdf"] as const).map((kind) =>
      button(`tree-${kind}`, kind.toUpperCase(), `Export the tree as ${kind.toUpperCase()}`, () => this.save(`tree.${kind}`)),
    );
    const close = button("tree-close", "Close", "Close (Esc)", () => this.element.close());
    const head = h("div", { class: "dwx-enlarged-head dwu-tree-head" }, this.title, this.size, ...files, close);
    const body = h("div", { class: "dwx-enlarged-body" }, head, this.error, this.status, this.canvas);
    const properties = { class: "dwx-enlarged dwu-tree-dialog", "aria-labelledby": this.title.id, "data-testid": "tree-dialog" };
    this.element = h("dialog", properties, body);
    this.element.addEventListener("click", (event) => event.target === this.element && this.element.close());
    this.element.addEventListener("keydown", (event) => {
      if (!isNotebookShortcut(event)) event.stopPropagation(); // the keys of the widget behind it do not apply
    });
  }

  open(layer: string, unit: number): void {
    this.unit = { layer, unit };
    this.shown = null;
    if (!this.element.open) this.element.showModal();
    this.update();
  }

  update(): void {
    if (!this.unit || !this.element.open) return;
    const { layer, unit } = this.unit;
    const { depth, breadth } = this.chosenSize;
    setText(this.title, `What feeds unit ${unit} of ${layer}`);
    const lookup = this.options.store.tree(this, layer, unit, depth, breadth);
    this.error.hidden = !lookup.error;
    setText(this.error, lookup.error ?? "");
    setText(this.status, describe(lookup));
    this.canvas.dataset.ready = String(Boolean(lookup.value));
    if (lookup.value && lookup.value !== this.shown) this.draw(lookup.value);
    for (const node of this.nodes) node.draw(this.options.store);
  }

  private get chosenSize(): { depth: number; breadth: number } {
    const [depth = 2, breadth = 3] = this.size.value.split(",").map(Number);
    return { depth, breadth };
  }

  private draw(tree: Tree): void {
    this.shown = tree;
    const { positions, width, height } = placeNodes(tree.nodes, tree.edges);
    const go = (layer: string, unit: number) => {
      this.element.close();
      this.options.open(layer, unit);
    };
    this.nodes = tree.nodes.map((node) => createNode(node, go));
    this.nodes.forEach(({ element }, at) => {
      const [x, y] = positions[at] ?? [0, 0];
      Object.assign(element.style, { left: `${x}px`, top: `${y}px` });
    });
    const edges = createDrawing();
    edges.setAttribute("width", String(width));
    edges.setAttribute("height", String(height));
    const svg = elementFactory(edges.namespaceURI);
    const isLargest = ({ source, share }: TreeEdge) => tree.edges.every((other) => other.source !== source || other.share <= share);
    edges.append(...tree.edges.flatMap((edge) => createEdge(svg, edge, positions, isLargest(edge))));
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.canvas.replaceChildren(edges, ...this.nodes.map(({ element }) => element));
  }

  private save(file: "tree.png" | "tree.svg" | "tree.pdf"): void {
    if (this.unit) this.options.save({ ...this.unit, ...this.chosenSize }, file);
  }
}

function describe({ value, error, pending }: AwaitedLookup<Tree>): string {
  if (error) return "";
  if (!value) return pending?.total ? `Computing… ${pending.done} of ${pending.total}` : "Computing…";
  return [...value.notes, "The width of a line is the unit's share of all that adds to the sum."].join(" ");
}
