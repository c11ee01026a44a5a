"""The limits by which findings are judged. They are our choice; benchmarks/RESULTS.md says what healthy networks measure."""

from __future__ import annotations

# Spatial frequency, in cycles per input pixel: the ends of the low and the middle band.
BANDS = (0.06, 0.18)
# The mean share of a first-layer filter's responses that the stride aliases.
ALIASED_NEAR, ALIASED_FOUND = 0.1, 0.25
# The median relative change of the last convolution's strongest activations when photographs move by one pixel. Trained networks measure
# 12 to 17%: AlexNet, VGG16, SqueezeNet 1.1 and EfficientNet-Lite0 on Caltech-101.
SHIFT_NEAR, SHIFT_FOUND = 0.2, 0.25
# The photographs in which a unit has to be active before its change is given: the median of fewer is that of single photographs.
MIN_PHOTOGRAPHS_OF_CHANGES = 5
# The shifts at which the finding gives the change of each unit, in input pixels, as far as they are measured.
UNIT_SHIFTS = (1, 2, 4)
# The share of middle frequencies in first-layer filters of at least 5 x 5; smaller ones cannot tell low from middle frequencies.
MIDDLE_NEAR, MIDDLE_FOUND, MIDDLE_KERNEL = 0.5, 0.2, 5
# How many times the strongest activation exceeds that in the second photograph, and the share of a layer's units that do: up to 22%
# in the last stages of EfficientNet-Lite 0 to 2 over 50 photographs of Caltech-101, of which few contain a rare feature; 7 to 12% over 200.
ONE_PHOTOGRAPH_RATIO, ONE_PHOTOGRAPH_FOUND = 2.0, 0.3
# The correlation of activations that makes units near-copies; and with filters whose cosine is at least COPY_COSINE, copies.
COPY_NEAR, COPY_FOUND, COPY_COSINE = 0.9, 0.99, 0.995
# The cosine of filters that are each other's negative. Pairs of opposite phase up to -0.995 are usual in first layers.
FLIP_NEAR, FLIP_FOUND = -0.95, -0.999
# The root mean square of a filter over the median of its layer; depthwise filters read different channels and differ more.
RMS_NEAR, RMS_FOUND, RMS_FOUND_DEPTHWISE = 2.0, 4.0, 8.0
# The share of a layer's units that are dead; and the photographs that are needed to say so.
DEAD_FOUND, ENOUGH_PHOTOGRAPHS = 0.05, 50
# The photographs without which activations say nothing: of one, all units respond to one; of a few, many pairs correlate by chance.
MIN_PHOTOGRAPHS, MIN_PHOTOGRAPHS_OF_COPIES = 2, 10
# The divergence of the first batch norm's statistics.
INPUT_NEAR, INPUT_FOUND = 0.1, 0.2
# The values per channel that are needed to know a batch norm's divergence: by chance alone, that of n independent values is about 1.5 / n.
ENOUGH_VALUES = 50
# A way to prepare photographs is better if the exact McNemar test says so at this level, divided by the number of ways.
SWEEP_LEVEL = 0.01
