"""What `deconvwidgets lab` does besides computing: the tour's folder and JupyterLab itself."""
