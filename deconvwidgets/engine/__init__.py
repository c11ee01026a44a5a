"""What a convnet computes, and projections of its activations to pixel space. It depends on PyTorch only."""

from deconvwidgets.engine.network import Network, describe_layers
from deconvwidgets.engine.projection.project import Projected, project

__all__ = ["Network", "Projected", "describe_layers", "project"]
