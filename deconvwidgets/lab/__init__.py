"""JupyterLab and the notebooks of the tour for `deconvwidgets lab`."""
