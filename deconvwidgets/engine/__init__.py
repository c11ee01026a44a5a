"""What a convnet computes, and how to run it downwards. PyTorch only."""

from deconvwidgets.engine.network import Network, describe_layers
from deconvwidgets.engine.projection.project import Projected, project

__all__ = ["Network", "Projected", "describe_layers", "project"]
