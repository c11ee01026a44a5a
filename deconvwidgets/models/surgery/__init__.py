"""Operations on a network: each returns a new bundle, says what became of the weights, and can be undone.

Zeiler & Fergus 2014, section 4.1, change the first layer of a network after they have seen what is wrong with it; table 3 removes and
resizes layers. The operations keep as many weights as they can, so that a changed network can be looked at and measured at once, and
trained on. Untouched parameters are shared with the given bundle, as with `with_head`: `dw.train` copies the model before it trains it.

Examples
--------
>>> import deconvwidgets as dw
>>> bundle = dw.load_model("alexnet", weights=None)
>>> changed = dw.surgery.swap_pooling(dw.surgery.change_first_layer(bundle, 7, 2))
>>> changed.label
'alexnet (random weights, conv1 7x7/2, blurred pooling)'
>>> [step.counts for step in changed.surgery]
[(61077608, 23232, 9408), (61087016, 0, 0)]
>>> dw.surgery.undo(dw.surgery.undo(changed)) is bundle
True
"""

from deconvwidgets.models.surgery.first_layer import change_first_layer
from deconvwidgets.models.surgery.normalizing import insert_normalization
from deconvwidgets.models.surgery.pooling import swap_pooling
from deconvwidgets.models.surgery.removing import remove_layers
from deconvwidgets.models.surgery.removing_units import remove_units
from deconvwidgets.models.surgery.resizing import merge_units, resize_layer
from deconvwidgets.models.surgery.steps import apply, undo
from deconvwidgets.models.surgery.strides import blur_strides
from deconvwidgets.records.surgery import SurgeryStep

__all__ = [
    "SurgeryStep",
    "apply",
    "blur_strides",
    "change_first_layer",
    "insert_normalization",
    "merge_units",
    "remove_layers",
    "remove_units",
    "resize_layer",
    "swap_pooling",
    "undo",
]
