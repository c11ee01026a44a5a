"""The exceptions of the package. Each message states what is wrong and what to do next."""


class DeconvWidgetsError(Exception):
    """Base class of all errors raised by deconvwidgets."""


class RuleError(DeconvWidgetsError):
    """An operation between the input and the layer has no rule for the backward pass."""


class LayerError(DeconvWidgetsError):
    """A layer or unit does not exist, or cannot be used in this way."""


class GraphError(DeconvWidgetsError):
    """The model cannot be traced. Computations on the whole image are still possible."""


class ModelError(DeconvWidgetsError):
    """A model cannot be found, built, or run on the given input."""


class AssetError(DeconvWidgetsError):
    """Weights or photographs cannot be downloaded, or have the wrong hash."""


class PictureError(DeconvWidgetsError):
    """An image or an image set cannot be read."""


class ActivationIndexError(DeconvWidgetsError):
    """An activation index is damaged, or belongs to another model or image set."""


class CheckpointError(DeconvWidgetsError):
    """A checkpoint or training log is damaged, does not fit the model, or cannot be written."""


class HeadError(DeconvWidgetsError):
    """A head is damaged or does not fit the model, or no head can be trained on the given images."""


class OcclusionError(DeconvWidgetsError):
    """A window, stride, fill or class is not valid for an occlusion experiment."""


class EvaluationError(DeconvWidgetsError):
    """A model cannot be evaluated on the given images, or two evaluations cannot be compared."""


class ContributionError(DeconvWidgetsError):
    """A class, method or baseline is not valid for contributions of units, or they cannot be computed for the model."""


class TrainingError(DeconvWidgetsError):
    """A network cannot be trained on the given images in the given way, or a training cannot be resumed."""


class AblationError(DeconvWidgetsError):
    """The variants of an ablation study cannot be trained alike, or a study cannot be read or resumed."""


class ComparisonError(DeconvWidgetsError):
    """Two models cannot be compared: by their images, their layers, or a threshold that is not valid."""


class InvarianceError(DeconvWidgetsError):
    """A transformation or its amount is not valid, or the features of transformed photographs cannot be compared."""


class DiagnosisError(DeconvWidgetsError):
    """A network cannot be diagnosed on the given images, or a shift, direction or file is not valid."""


class ServiceError(DeconvWidgetsError):
    """A request is not valid, or not possible in the current state of the service."""


class JobCancelledError(DeconvWidgetsError):
    """A job was cancelled. It has no result."""
