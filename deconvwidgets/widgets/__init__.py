"""The JupyterLab widgets. Each adapts a service; none computes."""
