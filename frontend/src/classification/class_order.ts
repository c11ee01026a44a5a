import type { Cell } from "./class_results.ts";
import type { Position } from "./matrix_geometry.ts";

/** The order of the classes in the rows and columns of the confusion matrix. */
export class ClassOrder {
  private readonly indexOfLabel = new Map<number, number>();

  constructor(readonly labels: number[]) {
    labels.forEach((label, index) => {
      this.indexOfLabel.set(label, index);
    });
  }

  /** Return the position of a cell, or null if there is no such class. */
  positionOf([truth, prediction]: Cell): Position | null {
    const [row, column] = [this.indexOfLabel.get(truth), this.indexOfLabel.get(prediction)];
    return row === undefined || column === undefined ? null : [row, column];
  }

  cellAt([row, column]: Position): Cell {
    return [this.labels[row] ?? 0, this.labels[column] ?? 0];
  }
}
