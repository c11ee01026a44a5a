"""The explorers in marimo: run `marimo edit marimo_explorers.py`, or `marimo run marimo_explorers.py` to hide the code."""

import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import marimo as mo

    import deconvwidgets as dw

    bundle = dw.load_model("alexnet", head="caltech101")
    service = dw.LocalModelService(bundle, dw.open_images("photos")).wait()
    return dw, mo, service


@app.cell
def _(mo):
    mo.md("""
    # The units of a convolutional network

    Choose a unit. The sentence below the explorer is computed by a cell that reads `layers.value["summary"]`; marimo runs it again with
    every choice.
    """)
    return


@app.cell
def _(dw, mo, service):
    layers = mo.ui.anywidget(dw.LayerExplorer(service, layer="conv5"))
    layers
    return (layers,)


@app.cell
def _(layers, mo):
    unit = layers.value["summary"]
    strongest = unit["top"][0]
    mo.md(
        f"Unit **{unit['unit']}** of {unit['layer']} has its strongest activation, {strongest['activation']:.1f}, in "
        f"{strongest['photograph']}. Its selectivity is {unit['selectivity']:.1f}."
    )
    return


@app.cell
def _(mo):
    mo.md("""
    # The parts of an image that a prediction depends on

    Drag the patch over the photograph.
    """)
    return


@app.cell
def _(dw, mo, service):
    occlusion = mo.ui.anywidget(dw.OcclusionExplorer(service))
    occlusion
    return (occlusion,)


@app.cell
def _(mo, occlusion):
    mo.ui.table(occlusion.value["summary"]["classes"], selection=None, label="Class probabilities")
    return


@app.cell
def _(mo):
    mo.md("""
    # Other classes on the same features

    Press **Retrain**. The accuracy below the panel follows while the folds are trained.
    """)
    return


@app.cell
def _(dw, mo, service):
    panel = mo.ui.anywidget(dw.TransferPanel(service, state={"data": "photo-crops", "images_per_class": 4, "folds": 3}))
    panel
    return (panel,)


@app.cell
def _(mo, panel):
    run = panel.value["summary"]
    folds = run.get("per_fold", [])
    mo.md(f"Accuracy over {len(folds)} folds: {run['mean']:.1%}" if folds else "There are no results yet.")
    return


if __name__ == "__main__":
    app.run()
