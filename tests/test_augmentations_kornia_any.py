"""Kornia's own classes, drawn sample by sample."""

import kornia.augmentation
import numpy as np
import pytest
import torch

from lpa.augmentations import build, parse
from lpa.errors import InputError

KEYS = np.random.default_rng(0).integers(0, 2**63, 6, dtype=np.uint64)


def views(size=(48, 48)):
    return torch.rand(6, 3, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "text",
    [
        "RandomAffine(degrees=({alpha},{alpha}),translate=(.1,.1))@0,20",
        "RandomBoxBlur(kernel_size=({alpha},{alpha}))@1,5",
        "RandomBrightness(({alpha},{alpha}))@1,.5",
        "RandomCrop((48,48),padding={alpha})@0,8",
        "RandomElasticTransform(alpha=({alpha},{alpha}))@0,2",
        "RandomEqualize(p={alpha})@0,.5",
        "RandomErasing(scale=({alpha},{alpha}),ratio=(1,1))@0,.3",
        "RandomGamma(({alpha},{alpha}))@1,2",
        "RandomGaussianBlur((9,9),({alpha},{alpha}))@0,2",
        "RandomGaussianNoise(std={alpha})@0,.2",
        "RandomHorizontalFlip(p={alpha})@0,.5",
        "RandomHue(hue=(-{alpha},{alpha}))@0,.3",
        "RandomJPEG(({alpha},{alpha}))@100,20",
        "RandomPerspective(distortion_scale={alpha})@0,.5",
        "RandomPlasmaShadow(shade_intensity=(-{alpha},0.))@0,.5",
        "RandomPosterize(bits=({alpha},{alpha}))@8,3",
        "RandomResizedCrop((48,48),scale=({alpha},{alpha}))@1,.5",
        "RandomRotation(degrees={alpha})@0,30",
        "RandomSaltAndPepperNoise(amount=({alpha},{alpha}))@0,.2",
        "RandomSolarize(thresholds=({alpha},{alpha}))@1,.5",
        "RandomThinPlateSpline(scale={alpha})@0,.3",
    ],
)
def test_a_batch_gives_what_batches_of_one_give(text):
    spec = parse(f"kornia:{text}")[0]
    module, alpha = build(spec), spec.strengths[-1]
    whole = module(views(), params=module.draw(KEYS, alpha, size=(48, 48)))
    for row in range(6):
        part = slice(row, row + 1)
        params = module.draw(KEYS[part], alpha, size=(48, 48))
        alone = module(views()[part], params=params)
        assert alone.numpy() == pytest.approx(whole[part].numpy(), abs=1e-5)
    assert not torch.equal(whole, views())


def test_it_is_kornias_class_with_the_arguments_filled_in():
    module = build(parse("kornia:RandomGaussianBlur((9,9),({alpha},{alpha}))@0,2")[0])
    measured = module(views(), params=module.draw(KEYS, 2.0, size=(48, 48)))
    expected = kornia.filters.gaussian_blur2d(views(), (9, 9), (2.0, 2.0))
    assert measured.numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_the_identity_bypasses_kornia():
    module = build(parse("kornia:RandomGaussianBlur((9,9),({alpha},{alpha}))@0,2")[0])
    # Kornia itself refuses a sigma of zero, so it cannot have been asked.
    assert torch.equal(module(views(), params=module.draw(KEYS, 0.0)), views())


def message(text):
    with pytest.raises(InputError) as caught:
        build(parse(text)[0])
    return str(caught.value)


def test_an_unknown_class_is_named_with_the_nearest_known():
    assert message("kornia:RandomGaussianBlurr(({alpha},3))@0,1").startswith(
        "unknown Kornia augmentation 'RandomGaussianBlurr': did you mean 'RandomGaussianBlur'"
    )
    assert message("kornia:Sequential({alpha})@0,1").startswith(
        "unknown Kornia augmentation 'Sequential': "
    )


@pytest.mark.parametrize(
    "name", ["RandomMixUpV2", "RandomCutMixV2", "RandomMosaic", "RandomJigsaw", "PatchMix"]
)
def test_a_class_that_mixes_images_is_refused(name):
    assert message(f"kornia:{name}({{alpha}})@0,1") == (
        f"kornia:{name} cannot be scanned: it mixes the images of a batch, so the label of an "
        "image is no longer its own; use one that changes each image alone, e.g. cutout"
    )


def test_what_depends_on_the_rest_of_the_batch_is_refused():
    assert message("kornia:RandomMotionBlur(({alpha},9),35.,.5)@3,5") == (
        "kornia:RandomMotionBlur(({alpha},9),35.0,0.5) cannot be scanned: what an image becomes "
        "depends on the images beside it; fix the argument that is drawn once per batch"
    )


def test_arguments_that_kornia_refuses_are_told_in_its_words():
    assert message("kornia:RandomGaussianBlur(kernel={alpha})@0,1") == (
        "kornia:RandomGaussianBlur(kernel={alpha}) at 1: Kornia refuses the arguments: "
        "RandomGaussianBlur.__init__() got an unexpected keyword argument 'kernel'"
    )


def test_a_size_that_is_not_the_views_is_told():
    module = build(parse("kornia:RandomResizedCrop((24,32),({alpha},{alpha}))@1,.5")[0])
    with pytest.raises(InputError) as caught:
        module(views(), params=module.draw(KEYS, 0.5, size=(48, 48)))
    assert str(caught.value) == (
        "kornia:RandomResizedCrop((24,32),({alpha},{alpha})) turns views of (48, 48) pixels into "
        "(24, 32); give it the size of the view"
    )


@pytest.mark.parametrize(
    ("text", "value", "levels"),
    [
        # All is inverted: the mean of |1 - 2x| over a ramp is one half of 255.
        ("RandomSolarize(thresholds=({alpha},{alpha}))@0,.5", "0", "127.5"),
        # Kornia's brightness adds alpha - 1: .02 of 255, which saturates few pixels.
        ("RandomBrightness(brightness=({alpha},{alpha}))@1.02,1.5", "1.02", "5.1"),
    ],
)
def test_a_first_value_that_changes_images_is_refused(text, value, levels):
    module = build(parse(f"kornia:{text}")[0])
    with pytest.raises(InputError) as caught:
        module.check_identity()
    assert str(caught.value) == (
        f"kornia:{text.partition('@')[0]}: the first value {value} is no identity, it changes "
        f"images by {levels} of 255 grey levels on average; expected the value that changes "
        "nothing first: write it before the others"
    )


@pytest.mark.parametrize(
    "text",
    [
        "RandomGaussianBlur((9,9),({alpha},{alpha}))@0,2",  # Kornia refuses a sigma of zero.
        "RandomGaussianBlur((9,9),({alpha},{alpha}))@.1,2",
        "RandomJPEG(({alpha},{alpha}))@100,20",
        "RandomRotation(degrees={alpha})@0,30",
        "RandomErasing(scale=({alpha},{alpha}),ratio=(1,1))@0,.2",
        "RandomHorizontalFlip(p={alpha})@0,1",
    ],
)
def test_a_first_value_that_leaves_images_alone_is_accepted(text):
    build(parse(f"kornia:{text}")[0]).check_identity()


def test_a_mild_blur_is_no_identity_on_texture_though_it_is_on_ramps():
    module = build(parse("kornia:RandomSharpness(sharpness=({alpha},{alpha}))@0,5")[0])
    with pytest.raises(InputError, match="the first value 0 is no identity"):
        module.check_identity()
