"""What people type, and the exact model that is meant. Torch-free.

An alias always names its library (``tv:`` or ``timm:``), so that it never changes its meaning when
a library adds a model. The plain Vision Transformers are timm's AugReg models (Steiner et al. 2021,
pretrained on ImageNet-21k, fine-tuned on ImageNet-1k): one recipe in four sizes, and torchvision
has no small one.
"""

from __future__ import annotations

import re

__all__ = ["ALIASES", "POPULAR", "fold"]

POPULAR: tuple[str, ...] = (
    "resnet50",
    "densenet121",
    "efficientnet_b0",
    "convnext_tiny",
    "swin_t",
    "vit_b_16",
)
"""Six architectures for ``popular``, all with torchvision's ``IMAGENET1K_V1`` weights.

The paper (Section 3.2, Figures 5 and 6) takes "6 popular architectures" from "the official PyTorch
repository" and does not name them. This is our choice: the two convolutional networks it names
elsewhere (ResNet-50, DenseNet-121), its ConvNeXt-Tiny, and one each of the efficient networks,
hierarchical transformers and plain transformers it cites.
"""

_AUGREG = "augreg_in21k_ft_in1k"

ALIASES: dict[str, str] = {
    **{f"rn{depth}": f"tv:resnet{depth}" for depth in (18, 34, 50, 101, 152)},
    **{f"dn{depth}": f"tv:densenet{depth}" for depth in (121, 161, 169, 201)},
    **{f"effnet_b{size}": f"tv:efficientnet_b{size}" for size in range(8)},
    **{f"enet_b{size}": f"tv:efficientnet_b{size}" for size in range(8)},
    **{f"effnetv2_{size}": f"tv:efficientnet_v2_{size}" for size in "sml"},
    "resnet": "tv:resnet50",
    "densenet": "tv:densenet121",
    "vgg": "tv:vgg16",
    "inception": "tv:inception_v3",
    "wrn50": "tv:wide_resnet50_2",
    "wrn50_2": "tv:wide_resnet50_2",
    "wrn101": "tv:wide_resnet101_2",
    "wrn101_2": "tv:wide_resnet101_2",
    "resnext50": "tv:resnext50_32x4d",
    "resnext101": "tv:resnext101_32x8d",
    "mobilenet": "tv:mobilenet_v2",
    "mobilenetv2": "tv:mobilenet_v2",
    "mobilenetv3": "tv:mobilenet_v3_large",
    "mobilenet_v3": "tv:mobilenet_v3_large",
    "mobilenetv3_l": "tv:mobilenet_v3_large",
    "mobilenetv3_s": "tv:mobilenet_v3_small",
    "mnasnet": "tv:mnasnet1_0",
    "shufflenet": "tv:shufflenet_v2_x1_0",
    "squeezenet": "tv:squeezenet1_1",
    "regnet": "tv:regnet_y_8gf",
    "efficientnet": "tv:efficientnet_b0",
    "effnet": "tv:efficientnet_b0",
    "convnext": "tv:convnext_tiny",
    "convnext_t": "tv:convnext_tiny",
    "convnext_s": "tv:convnext_small",
    "convnext_b": "tv:convnext_base",
    "convnext_l": "tv:convnext_large",
    "swin": "tv:swin_t",
    "swin_tiny": "tv:swin_t",
    "swin_small": "tv:swin_s",
    "swin_base": "tv:swin_b",
    "swinv2_t": "tv:swin_v2_t",
    "swinv2_s": "tv:swin_v2_s",
    "swinv2_b": "tv:swin_v2_b",
    "maxvit": "tv:maxvit_t",
    "vit": f"timm:vit_base_patch16_224.{_AUGREG}",
    "vit_ti": f"timm:vit_tiny_patch16_224.{_AUGREG}",
    "vit_tiny": f"timm:vit_tiny_patch16_224.{_AUGREG}",
    "vit_s": f"timm:vit_small_patch16_224.{_AUGREG}",
    "vit_small": f"timm:vit_small_patch16_224.{_AUGREG}",
    "vit_s_16": f"timm:vit_small_patch16_224.{_AUGREG}",
    "vit_s_32": f"timm:vit_small_patch32_224.{_AUGREG}",
    "vit_b": f"timm:vit_base_patch16_224.{_AUGREG}",
    "vit_base": f"timm:vit_base_patch16_224.{_AUGREG}",
    "vit_l": f"timm:vit_large_patch16_224.{_AUGREG}",
    "vit_large": f"timm:vit_large_patch16_224.{_AUGREG}",
    "deit": "timm:deit_small_patch16_224.fb_in1k",
    "deit_ti": "timm:deit_tiny_patch16_224.fb_in1k",
    "deit_tiny": "timm:deit_tiny_patch16_224.fb_in1k",
    "deit_s": "timm:deit_small_patch16_224.fb_in1k",
    "deit_small": "timm:deit_small_patch16_224.fb_in1k",
    "deit_b": "timm:deit_base_patch16_224.fb_in1k",
    "deit_base": "timm:deit_base_patch16_224.fb_in1k",
    "deit3_s": "timm:deit3_small_patch16_224.fb_in1k",
    "deit3_b": "timm:deit3_base_patch16_224.fb_in1k",
    "beit_b": "timm:beit_base_patch16_224.in22k_ft_in22k_in1k",
    "mixer_b": "timm:mixer_b16_224.goog_in21k_ft_in1k",
}
"""Alias -> library and exact name; compared after :func:`fold`, exact library names come first."""


def fold(text: str) -> str:
    """Leave out what spellings differ in: ``"ResNet-50"``, ``"resnet_50"`` -> ``"resnet50"``."""
    return re.sub(r"[\s_\-/.]+", "", text).casefold()
