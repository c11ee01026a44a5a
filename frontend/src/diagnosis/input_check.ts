/** The tables of the finding about the input: the divergence of batch norms, and the ways to prepare photographs. */
import { h } from "../ui/dom.ts";
import { formatCount } from "../ui/format.ts";
import { percent } from "./texts.ts";
import type { InputCheck, InputWay } from "./wire.ts";

/** Return the caption of the divergences: "The 8 of 49 batch norms that diverge most from training (100 photographs), the worst first". */
export function describeNorms({ norms, norm_count: all, photographs }: InputCheck): string {
  const which = norms.length < all ? `The ${norms.length} of ${all} batch norms that diverge most` : "Divergence of the batch norms";
  return `${which} from training (${formatCount(photographs, "photograph")}), the worst first`;
}

/** Return what a way is compared with the present one; empty for a way that is not better. */
export function describeWay({ given, better }: InputWay): string {
  return given ? "in use" : better ? "better" : "";
}

/** Create the tables that there is data for. */
export function createInputTables(check: InputCheck): HTMLElement[] {
  const { norms, ways, labelled } = check;
  const tables: HTMLElement[] = [];
  if (norms.length) {
    const rows = norms.map(({ name, place, divergence }) => createRow([name, String(place), String(Number(divergence.toPrecision(2)))]));
    tables.push(createTable("norms", describeNorms(check), ["Batch norm", "Place", "Divergence"], rows));
  }
  if (ways.length) {
    const caption = `Ways to prepare ${formatCount(labelled, "labelled photograph")}, the best first; better: beyond chance`;
    const ranked = ways.some(({ top5 }) => top5 !== null);
    const rows = ways.map((way) => {
      const scores = [percent(way.top1, 1), ...(ranked ? [percent(way.top5, 1)] : [])];
      const row = createRow([way.label, ...scores, describeWay(way)]);
      if (way.given) row.setAttribute("aria-current", "true");
      return row;
    });
    tables.push(createTable("ways", caption, ["Way", "Top-1", ...(ranked ? ["Top-5"] : []), "Comparison"], rows));
  }
  return tables;
}

function createTable(name: string, caption: string, columns: string[], rows: HTMLElement[]): HTMLElement {
  const heads = columns.map((column) => h("th", { scope: "col" }, column));
  const parts = [h("caption", {}, caption), h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)];
  return h("table", { class: "dwn-input", "data-testid": `input-${name}` }, ...parts);
}

function createRow([name = "", ...cells]: string[]): HTMLElement {
  return h("tr", {}, h("th", { scope: "row" }, name), ...cells.map((cell) => h("td", {}, cell)));
}
