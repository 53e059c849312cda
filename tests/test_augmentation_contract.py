"""What every augmentation of the register must do; a new one is picked up by itself."""

import copy
import importlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from kornia.augmentation import AugmentationSequential

from lpa.augmentations import AUGMENTATIONS, build, parse
from lpa.augmentations.augmentation import Augmentation
from lpa.augmentations.register import OPTIONS, REVISIONS

KEYS = np.random.default_rng(0).integers(0, 2**63, 11, dtype=np.uint64)


def variants():
    """Every augmentation, with each word and each bound of its options."""
    for name in AUGMENTATIONS:
        yield name
        for option, rule in OPTIONS.get(name, {}).items():
            for choice in rule.choices:
                if choice != rule.default:
                    yield f"{name}({option}={choice})"
            if rule.maximum is not None:
                yield f"{name}({option}={rule.maximum / 2})"


VARIANTS = list(variants())
KORNIA = [
    "kornia:RandomAffine(degrees=(-{alpha},{alpha}))@0,10,40",
    "kornia:RandomGaussianNoise(std={alpha})@0,.1,.5",
    "kornia:RandomErasing(scale=({alpha},{alpha}),ratio=(1,1))@0,.2,.5",
]
ALL = [*VARIANTS, *KORNIA]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def images(count=11, size=(40, 48)):
    random = torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1))
    random[0], random[1] = 0.0, 1.0
    return random


def drawn(name, alpha=None, keys=KEYS, **options):
    spec = parse(name)[0]
    module = build(spec)
    alpha = spec.strengths[-1] if alpha is None else alpha
    return module, module.draw(keys, alpha, size=(40, 48), **options)


@pytest.mark.parametrize("name", ALL)
def test_the_module_says_what_the_spec_says(name):
    spec = parse(name)[0]
    module = build(spec)
    assert isinstance(module, Augmentation)
    assert (module.family, module.axis, module.revision) == (spec.family, spec.axis, spec.revision)
    assert module.reads == "view" or (module.reads == "image" and callable(module.boxes))


@pytest.mark.parametrize("name", ALL)
def test_the_reference_value_is_the_identity(name):
    module, params = drawn(name, parse(name)[0].axis.reference)
    assert module(images(), params=params).numpy() == pytest.approx(images().numpy(), abs=2e-5)


@pytest.mark.parametrize("name", ALL)
def test_the_strongest_value_changes_pictures(name):
    module, params = drawn(name)
    changed = (module(images(), params=params) - images()).abs().mean(dim=(1, 2, 3))
    assert (changed[2:] > 0.01).sum() >= 7


@pytest.mark.parametrize("name", ALL)
def test_a_samples_parameters_do_not_depend_on_batch_size_or_order(name):
    _, whole = drawn(name, seed=3, draw=1)
    order = np.random.default_rng(0).permutation(len(KEYS))
    _, shuffled = drawn(name, keys=KEYS[order], seed=3, draw=1)
    _, alone = drawn(name, keys=KEYS[4:5], seed=3, draw=1)
    for parameter, values in whole.items():
        if parameter == "forward_input_shape":
            continue
        assert values.shape[0] == len(KEYS)
        assert values.device.type == "cpu"
        assert torch.equal(shuffled[parameter], values[torch.from_numpy(order)])
        assert torch.equal(alone[parameter], values[4:5])


@pytest.mark.parametrize("name", ALL)
def test_a_samples_picture_does_not_depend_on_the_batch(name):
    module, params = drawn(name)
    whole = module(images(), params=params)
    module, params = drawn(name, keys=KEYS[5:6])
    alone = module(images()[5:6], params=params)
    assert alone.numpy() == pytest.approx(whole[5:6].numpy(), abs=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_seed_and_draw_change_whatever_is_random(name):
    _, first = drawn(name)
    _, again = drawn(name)
    assert all(torch.equal(first[key], again[key]) for key in first)
    nothing_random = name.startswith(("blur", "grayscale")) or "place=centre" in name
    for options in ({"seed": 1}, {"draw": 1}):
        _, other = drawn(name, **options)
        changed = any(not torch.equal(first[key], other[key]) for key in first)
        assert changed != nothing_random


@pytest.mark.parametrize("name", ALL)
def test_torchs_generator_is_left_alone(name):
    state = torch.get_rng_state()
    module, params = drawn(name)
    module(images(), params=params)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ALL)
def test_pictures_keep_shape_dtype_and_range_and_the_input_is_not_changed(name):
    module, _ = drawn(name)
    before = images()
    for alpha in parse(name)[0].strengths:
        _, params = drawn(name, alpha)
        given = dict(params)
        output = module(before, params=params)
        assert output.shape == before.shape
        assert output.dtype == before.dtype
        assert output.min() >= 0.0
        assert output.max() <= 1.0
        assert torch.equal(before, images())
        assert given.keys() == params.keys()


@pytest.mark.parametrize("name", ALL)
def test_strength_grows_along_the_axis(name):
    module, _ = drawn(name)
    changes = []
    for alpha in parse(name)[0].strengths:
        _, params = drawn(name, alpha)
        # Smooth pictures: on noise every shift is as large as any other.
        smooth = torch.nn.functional.interpolate(images(11, (5, 6)), (40, 48), mode="bilinear")
        changes.append(float((module(smooth, params=params) - smooth).abs().mean()))
    assert changes[0] == pytest.approx(0.0, abs=1e-5)
    assert changes[1] < changes[-1]


@pytest.mark.parametrize("name", ALL)
def test_an_empty_batch_stays_empty(name):
    module, params = drawn(name, keys=KEYS[:0])
    assert module(images()[:0], params=params).shape == (0, 3, 40, 48)


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_it_works_alone_and_in_kornias_sequence(name):
    axis, target = AUGMENTATIONS[name]
    module, _, class_name = target.partition(":")
    augmentation = getattr(importlib.import_module(module), class_name)
    sequence = AugmentationSequential(augmentation(axis.grid[-1]), augmentation(axis.grid[1]))
    torch.manual_seed(0)
    output = sequence(images())
    assert output.shape == images().shape
    assert (output - images()).abs().mean() > 0.01
    replayed = sequence(images(), params=sequence._params)
    assert torch.equal(replayed, output)
    torch.manual_seed(0)
    assert torch.equal(sequence(images()), output)


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_alone_it_draws_for_each_image_unless_told_otherwise(name):
    axis, target = AUGMENTATIONS[name]
    module, _, class_name = target.partition(":")
    augmentation = getattr(importlib.import_module(module), class_name)
    torch.manual_seed(0)
    same = images()[2:3].expand(6, -1, -1, -1)
    shared = augmentation(axis.grid[-1], same_on_batch=True)(same)
    assert (shared - shared[:1]).abs().max() < 1e-5
    skipped = augmentation(axis.grid[-1], p=0.0)(same)
    assert torch.equal(skipped, same)
    assert augmentation()(same).numpy() == pytest.approx(same.numpy(), abs=2e-5)


@pytest.mark.parametrize("name", ALL)
def test_modules_can_be_copied_and_sent_to_a_worker(name):
    module, params = drawn(name)
    expected = module(images(), params=params)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(images(), params=params), expected)


def test_options_and_revisions_belong_to_registered_augmentations():
    assert OPTIONS.keys() <= AUGMENTATIONS.keys()
    assert REVISIONS.keys() <= AUGMENTATIONS.keys()


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_the_register_is_in_order(name):
    axis, _ = AUGMENTATIONS[name]
    assert axis.name == name
    assert axis.unit
    assert axis.check(axis.grid) == axis.grid


def test_the_register_and_the_specs_do_not_load_torch():
    code = (
        "import sys, lpa.augmentations as a; a.parse('crop,kornia:RandomGamma(({alpha},1.))@1,2');"
        "a.list_augmentations(); print({'torch', 'kornia'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ALL)
def test_a_gpu_gives_the_same_pictures(name):
    module, params = drawn(name)
    on_device = module(images().cuda(), params=params).cpu()
    assert on_device.numpy() == pytest.approx(module(images(), params=params).numpy(), abs=2e-3)
