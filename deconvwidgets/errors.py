"""The package's errors. Each message says what went wrong and what to do next."""


class DeconvWidgetsError(Exception):
    """Base of every error that deconvwidgets raises on purpose."""


class RuleError(DeconvWidgetsError):
    """An operation below the chosen layer has no rule for going down (it is named in the message)."""


class LayerError(DeconvWidgetsError):
    """A layer or unit that the model does not have, or that cannot be used as asked."""


class GraphError(DeconvWidgetsError):
    """The model's graph cannot be followed symbolically; whole-image computation still works."""


class ModelError(DeconvWidgetsError):
    """A model that cannot be found, built or fed as asked."""


class AssetError(DeconvWidgetsError):
    """Weights or photographs that could not be fetched, or whose bytes are not the pinned ones."""


class PictureError(DeconvWidgetsError):
    """A picture, or a set of pictures, that cannot be read."""


class ActivationIndexError(DeconvWidgetsError):
    """An activation index that is damaged, or that belongs to another model or image set."""


class HeadError(DeconvWidgetsError):
    """A classifier (head) that is damaged or fits another model, or labelled pictures that none can be trained on."""


class OcclusionError(DeconvWidgetsError):
    """A window, stride, fill or class that an occlusion experiment cannot use."""


class ServiceError(DeconvWidgetsError):
    """A request that the model service cannot answer (now, or at all); the message says which."""


class JobCancelledError(DeconvWidgetsError):
    """A long job was told to stop; nothing of it was kept."""
