/** In a narrow layout the column of the selected unit is a drawer over the grid; elsewhere it is always visible beside the grid. */
export class DetailDrawer {
  /**
   * @param main the layout, which has the attribute `data-detail`
   * @param closed called after it was closed, to move the focus
   */
  constructor(
    private readonly main: HTMLElement,
    private readonly detail: HTMLElement,
    private readonly closed: () => void,
  ) {
    this.main.dataset.detail = "closed";
    this.detail.classList.add("dwx-drawer");
  }

  /** Whether it covers a part of the grid. */
  get isOver(): boolean {
    return this.main.dataset.detail === "open" && getComputedStyle(this.detail).getPropertyValue("--dwx-drawer").trim() === "1";
  }

  open(): void {
    this.main.dataset.detail = "open";
  }

  close(): void {
    this.main.dataset.detail = "closed";
    this.closed();
  }
}
