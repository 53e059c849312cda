"""What every regularizer of the register must do; a new one is picked up by itself."""

import importlib
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from lpa.augmentations import AUGMENTATIONS
from lpa.plans.recipe import Recipe
from lpa.training.batch import Batch
from lpa.training.regularizers import (
    REGULARIZERS,
    build_regularizer,
    parse_regularizer,
    regularizer_spec,
)
from lpa.training.regularizers.regularizer import Regularizer

KEYS = np.random.default_rng(0).integers(0, 2**63, 12, dtype=np.uint64)
CLASSES = 5


def variants():
    """Every regularizer, with each word and each bound of its options."""
    for name, entry in REGULARIZERS.items():
        yield name
        for option, rule in entry.options.items():
            for choice in rule.choices:
                if choice != rule.default:
                    yield f"{name}({option}={choice})"
            if rule.maximum is not None:
                yield f"{name}({option}={rule.maximum / 2:g})"


ALL = list(variants())
IN_PLACE = {
    place: [name for name in ALL if parse_regularizer(name).place == place]
    for place in ("recipe", "geometry", "pixels", "targets")
}
ON_BATCHES = IN_PLACE["pixels"] + IN_PLACE["targets"]
DRAWN = IN_PLACE["geometry"] + ON_BATCHES


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(len(KEYS), 3, 20, 24, generator=generator)
    labels = torch.randint(0, CLASSES, (len(KEYS),), generator=generator)
    return Batch(np.arange(len(KEYS)), images, labels)


def view_boxes():
    begin = np.random.default_rng(2).random((len(KEYS), 2)) * 20.0
    return np.concatenate([begin, begin + np.array([30.0, 24.0])], axis=1)


SIZES = np.tile(np.array([60, 50]), (len(KEYS), 1))


def strongest(name):
    return regularizer_spec(name).axis.grid[-1]


def mixed_values(name):
    """The reference at every third sample, among two other values."""
    axis = regularizer_spec(name).axis
    return np.resize([axis.reference, axis.grid[1], axis.grid[-1]], len(KEYS))


def drawn(name, values=None, keys=KEYS, **options):
    if values is None:
        values = np.full(len(keys), strongest(name))
    return parse_regularizer(name).draw(keys, values, **{"seed": 3, "epoch": 1, **options})


def applied(name, values):
    return parse_regularizer(name).apply(batch(), drawn(name, values), values, CLASSES)


def shown(name, values):
    return parse_regularizer(name).boxes(drawn(name, values), view_boxes(), SIZES)


@pytest.mark.parametrize("name", list(REGULARIZERS))
def test_the_register_is_in_order(name):
    axis, target, description, _ = REGULARIZERS[name]
    module, _, class_name = target.partition(":")
    assert issubclass(getattr(importlib.import_module(module), class_name), Regularizer)
    assert axis.name == name
    assert axis.unit
    assert axis.check(axis.grid) == axis.grid
    assert not axis.monotone
    assert 0 < len(description) < 100
    assert "\n" not in description


@pytest.mark.parametrize("name", ALL)
def test_a_regularizer_bears_the_canonical_name_of_what_was_typed(name):
    spec = regularizer_spec(name)
    regularizer = build_regularizer(spec)
    assert regularizer.axis == spec.axis
    assert regularizer.axis.name == spec.name == name
    assert regularizer.options == spec.options
    assert regularizer.place in IN_PLACE


@pytest.mark.parametrize("name", ALL)
def test_the_reference_value_leaves_a_recipe_without_regularization_as_it_is(name):
    recipe = Recipe(weight_decay=0.0, dropout=0.0)
    regularizer = parse_regularizer(name)
    assert regularizer.configure(recipe, regularizer.axis.reference) == recipe


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_changes_in_the_one_field_that_is_swept_or_in_none(name):
    regularizer, before = parse_regularizer(name), Recipe()
    after = asdict(regularizer.configure(before, strongest(name)))
    changed = [field for field, value in asdict(before).items() if after[field] != value]
    assert changed == ([name] if regularizer.place == "recipe" else [])
    assert replace(Recipe(), **{name: strongest(name)} if changed else {}) == Recipe(**after)


@pytest.mark.parametrize("name", DRAWN)
def test_a_samples_parameters_do_not_depend_on_the_samples_beside_it(name):
    values = mixed_values(name)
    whole = drawn(name, values)
    order = np.random.default_rng(0).permutation(len(KEYS))
    shuffled = drawn(name, values[order], KEYS[order])
    alone = drawn(name, values[4:5], KEYS[4:5])
    assert whole.keys() == shuffled.keys() == alone.keys()
    for parameter, array in whole.items():
        assert isinstance(array, np.ndarray)
        assert len(array) == len(KEYS)
        assert np.array_equal(shuffled[parameter], array[order])
        assert np.array_equal(alone[parameter], array[4:5])


@pytest.mark.parametrize("name", DRAWN)
def test_seed_and_epoch_change_whatever_is_random(name):
    first, again = drawn(name), drawn(name)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    nothing_random = name == "label_smoothing" or "place=centre" in name
    for options in ({"seed": 4}, {"epoch": 2}):
        other = drawn(name, **options)
        changed = any(not np.array_equal(first[key], other[key]) for key in first)
        assert changed != nothing_random


@pytest.mark.parametrize("name", ON_BATCHES)
def test_a_batch_at_the_reference_is_not_changed_by_a_bit(name):
    after = applied(name, np.full(len(KEYS), regularizer_spec(name).axis.reference))
    assert torch.equal(after.images, batch().images)
    assert torch.equal(after.labels, batch().labels)
    assert after.targets is None


@pytest.mark.parametrize("name", IN_PLACE["geometry"])
def test_at_the_reference_the_view_is_shown_to_the_bit(name):
    assert np.array_equal(shown(name, np.full(len(KEYS), 1.0)), view_boxes())


@pytest.mark.parametrize("name", ON_BATCHES)
def test_samples_at_the_reference_stay_as_they_are_among_others(name):
    values = mixed_values(name)
    plain = torch.from_numpy(values == regularizer_spec(name).axis.reference)
    after = applied(name, values)
    assert torch.equal(after.images[plain], batch().images[plain])
    assert torch.equal(after.soft(CLASSES)[plain], batch().soft(CLASSES)[plain])
    changed = (after.images != batch().images).flatten(1).any(dim=1)
    changed |= (after.soft(CLASSES) != batch().soft(CLASSES)).any(dim=1)
    assert changed[~plain].sum() >= 4


@pytest.mark.parametrize("name", IN_PLACE["geometry"])
def test_samples_at_the_reference_show_their_view_among_others(name):
    values = mixed_values(name)
    boxes = shown(name, values)
    same = (boxes == view_boxes()).all(axis=1)
    assert np.array_equal(same, values == 1.0)


@pytest.mark.parametrize("name", ON_BATCHES)
def test_images_keep_shape_dtype_and_range_and_targets_add_up_to_one(name):
    for value in regularizer_spec(name).axis.grid:
        after = applied(name, np.full(len(KEYS), value))
        assert after.images.shape == batch().images.shape
        assert after.images.dtype == torch.float32
        assert after.images.min() >= 0.0
        assert after.images.max() <= 1.0
        targets = after.soft(CLASSES)
        assert targets.shape == (len(KEYS), CLASSES)
        assert targets.dtype == torch.float32
        assert targets.min() >= 0.0
        assert targets.sum(dim=1).numpy() == pytest.approx(1.0, abs=1e-6)
        assert torch.equal(after.labels, batch().labels)


@pytest.mark.parametrize("name", IN_PLACE["pixels"])
def test_what_changes_pixels_leaves_targets_alone(name):
    assert applied(name, mixed_values(name)).targets is None


@pytest.mark.parametrize("name", IN_PLACE["geometry"])
def test_what_is_shown_lies_inside_of_the_image_and_is_not_empty(name):
    for value in regularizer_spec(name).axis.grid:
        boxes = shown(name, np.full(len(KEYS), value))
        assert boxes.dtype == np.float64
        assert boxes.min() >= 0.0
        assert (boxes[:, 2:] <= SIZES).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= 1.0).all()


@pytest.mark.parametrize("name", DRAWN)
def test_torchs_generator_is_left_alone(name):
    state = torch.get_rng_state()
    values = mixed_values(name)
    applied(name, values) if name in ON_BATCHES else shown(name, values)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", ALL)
def test_the_realised_strength_speaks_of_an_augmentation_of_the_scan(name):
    regularizer = parse_regularizer(name)
    values = mixed_values(name)
    realised = regularizer.realised(drawn(name, values), values)
    assert realised.shape == values.shape
    assert regularizer.scanned is None or regularizer.scanned in AUGMENTATIONS
    if regularizer.scanned:
        scanned = AUGMENTATIONS[regularizer.scanned][0]
        assert scanned.check(np.unique(realised))[0] == scanned.reference
        plain = values == regularizer.axis.reference
        assert (realised[plain] == scanned.reference).all()
        assert (realised[~plain] != scanned.reference).all()


def test_the_register_and_the_specs_do_not_load_torch():
    code = (
        "import sys, lpa.training.regularizers as r; r.list_regularizers();"
        "spec = r.regularizer_spec('random_crop(frame=image)'); r.parse_values('1,.5', spec.axis);"
        "r.parse_setting('cutout=.5'); print({'torch', 'kornia', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ON_BATCHES)
def test_a_gpu_gives_the_same_batches(name):
    values, regularizer = mixed_values(name), parse_regularizer(name)
    given = batch()
    moved = Batch(given.rows, given.images.cuda(), given.labels.cuda())
    after = regularizer.apply(moved, drawn(name, values), values, CLASSES)
    expected = applied(name, values)
    assert after.images.cpu().numpy() == pytest.approx(expected.images.numpy(), abs=2e-3)
    soft = after.soft(CLASSES).cpu().numpy()
    assert soft == pytest.approx(expected.soft(CLASSES).numpy(), abs=1e-6)
