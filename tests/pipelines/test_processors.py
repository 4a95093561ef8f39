"""Image layers, compared with pillow, colorsys, scikit-learn and NumPy; and random ones."""

import colorsys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.preprocessing import StandardScaler

from plx_core.data.arrays import ArrayPipeline
from plx_core.networks.graph import Graph
from plx_pipelines import plugin
from plx_pipelines.processors import colours, geometry, measures

from .contract import batches_of, check_resumes

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (3, 8, 6, 3), np.uint8)
FLOATS = RNG.random((3, 8, 6, 3), np.float32)
GRAY = RNG.integers(0, 256, (2, 8, 6, 1), np.uint8)
MODULES = {"colours": colours, "geometry": geometry, "measures": measures}


def apply(layer, images, **extra):
    """Return the layer's outputs, after checking its symbolic shape and dtype, and its config."""
    outputs = layer(tf.constant(images), **extra)
    inputs = keras.Input(images.shape[1:], dtype=images.dtype.name)
    symbolic = layer(inputs, **extra)
    assert tuple(symbolic.shape)[1:] == tuple(outputs.shape)[1:]
    assert symbolic.dtype == outputs.dtype.name
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    if not getattr(layer, "is_random", False):
        np.testing.assert_array_equal(again(tf.constant(images), **extra), outputs)
    return outputs.numpy()


@pytest.mark.parametrize(
    "method, resample",
    [("bilinear", Image.Resampling.BILINEAR), ("lanczos3", Image.Resampling.LANCZOS)],
)
@pytest.mark.parametrize("size", [(4, 3), (13, 9)])
def test_resize_as_pillow(method, resample, size):
    images = BYTES // 2 + 64  # pillow rounds and clips between its two passes
    result = apply(geometry.Resize(*size, method=method, antialias=True), images)
    expected = [np.asarray(Image.fromarray(image).resize(size[::-1], resample)) for image in images]
    assert result.dtype == np.uint8
    np.testing.assert_allclose(result.astype(int), np.array(expected, int), atol=1)


def test_resize_nearest_and_floats():
    np.testing.assert_array_equal(
        apply(geometry.Resize(16, 12, "nearest"), BYTES), BYTES.repeat(2, 1).repeat(2, 2)
    )
    np.testing.assert_allclose(
        apply(geometry.Resize(4, 3, "area"), FLOATS),
        FLOATS.reshape(3, 4, 2, 3, 2, 3).mean((2, 4)),
        rtol=1e-5,
    )


def test_places():
    np.testing.assert_array_equal(
        apply(geometry.CentralCrop(0.5), BYTES),
        BYTES[:, 2:6, 1:5][:, :, : geometry.CentralCrop(0.5)(BYTES).shape[2]],
    )
    np.testing.assert_array_equal(apply(geometry.Transpose(), BYTES), BYTES.swapaxes(1, 2))
    for k in range(5):
        np.testing.assert_array_equal(
            apply(geometry.Rotate90(k), BYTES), np.rot90(BYTES, k, (1, 2))
        )
    np.testing.assert_array_equal(apply(geometry.Flip(0), BYTES), BYTES[:, ::-1])
    np.testing.assert_array_equal(apply(geometry.Flip(1), BYTES), BYTES[:, :, ::-1])
    framed = np.zeros((3, 12, 10, 3), np.uint8)
    framed[:, 2:10, 3:9] = BYTES
    np.testing.assert_array_equal(apply(geometry.ToBoundingBox(2, 3, 12, 10), BYTES), framed)
    np.testing.assert_array_equal(apply(geometry.ToBoundingBox(2, 3, 8, 6, "crop"), framed), BYTES)


def test_glimpses():
    np.testing.assert_array_equal(
        apply(geometry.ExtractGlimpse([4, 2], [0.0, 0.0]), BYTES), BYTES[:, 2:6, 2:4]
    )
    part = apply(
        geometry.ExtractGlimpse([4, 3], [1.0, 2.0], centered=False, normalized=False), BYTES
    )
    np.testing.assert_array_equal(part, BYTES[:, 1:5, 2:5])
    edge = apply(geometry.ExtractGlimpse([4, 2], [-1.0, 0.0]), BYTES)
    np.testing.assert_array_equal(edge[:, 2:], BYTES[:, :2, 2:4])
    assert not edge[:, :2].any()


def test_colour_spaces():
    hsv = apply(colours.ConvertColorSpace("rgb", "hsv"), FLOATS)
    expected = np.array([colorsys.rgb_to_hsv(*pixel) for pixel in FLOATS.reshape(-1, 3)]).reshape(
        FLOATS.shape
    )
    np.testing.assert_allclose(hsv, expected, atol=1e-5)
    np.testing.assert_allclose(
        apply(colours.ConvertColorSpace("hsv", "rgb"), hsv), FLOATS, atol=1e-5
    )
    gray = apply(colours.ConvertColorSpace("rgb", "grayscale"), BYTES)
    pillow = np.array([np.asarray(Image.fromarray(image).convert("L")) for image in BYTES])
    np.testing.assert_allclose(gray[..., 0] * 255, pillow, atol=1)
    np.testing.assert_allclose(
        apply(colours.ConvertColorSpace("grayscale", "rgb"), GRAY),
        np.repeat(GRAY / 255, 3, -1),
        atol=1e-6,
    )
    for space in ("yiq", "yuv"):
        there = apply(colours.ConvertColorSpace("rgb", space), FLOATS)
        np.testing.assert_allclose(
            apply(colours.ConvertColorSpace(space, "rgb"), there), FLOATS, atol=1e-3
        )


def test_dtypes():
    np.testing.assert_allclose(
        apply(colours.ConvertImagesDtype("float32"), BYTES), BYTES / 255, rtol=1e-6
    )
    np.testing.assert_allclose(
        apply(colours.ConvertImagesDtype("uint8"), FLOATS), FLOATS * 255, atol=1
    )


def clipped(values):
    return np.clip(np.rint(values), 0, 255)


def test_brightness_contrast_gamma():
    np.testing.assert_array_equal(
        apply(colours.AdjustBrightness(0.2), BYTES), clipped(BYTES + 0.2 * 255.0)
    )
    np.testing.assert_allclose(
        apply(colours.AdjustBrightness(-0.2), FLOATS), FLOATS - 0.2, atol=1e-6
    )
    means = FLOATS.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(
        apply(colours.AdjustContrast(1.7), FLOATS), (FLOATS - means) * 1.7 + means, atol=1e-5
    )
    np.testing.assert_allclose(
        apply(colours.AdjustGamma(2.2, 0.9), FLOATS), 0.9 * FLOATS**2.2, atol=1e-5
    )
    np.testing.assert_allclose(
        apply(colours.AdjustGamma(0.5), BYTES), clipped(np.sqrt(BYTES / 255) * 255), atol=1
    )


def through_hsv(images, change):
    pixels = [
        colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel)))
        for pixel in images.reshape(-1, 3)
    ]
    return np.array(pixels).reshape(images.shape)


def test_hue_and_saturation():
    np.testing.assert_allclose(
        apply(colours.AdjustHue(0.3), FLOATS),
        through_hsv(FLOATS, lambda h, s, v: ((h + 0.3) % 1, s, v)),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        apply(colours.AdjustHue(-0.3), BYTES) / 255,
        through_hsv(BYTES / 255, lambda h, s, v: ((h - 0.3) % 1, s, v)),
        atol=3e-3,
    )
    np.testing.assert_allclose(
        apply(colours.AdjustSaturation(1.8), FLOATS),
        through_hsv(FLOATS, lambda h, s, v: (h, min(s * 1.8, 1), v)),
        atol=1e-4,
    )


def test_standardization_as_scikit_learn():
    result = apply(colours.Standardization(), BYTES)
    expected = (
        StandardScaler().fit_transform(BYTES.reshape(3, -1).T.astype(float)).T.reshape(BYTES.shape)
    )
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_measures():
    wide = BYTES.astype(float)
    expected = np.abs(np.diff(wide, axis=1)).sum((1, 2, 3)) + np.abs(np.diff(wide, axis=2)).sum(
        (1, 2, 3)
    )
    np.testing.assert_allclose(apply(measures.TotalVariation(), BYTES), expected, rtol=1e-5)
    drawn = apply(measures.DrawBoundingBoxes([[0.0, 0.0, 1.0, 1.0]], [[1.0, 0.0, 0.0]]), BYTES)
    np.testing.assert_array_equal(drawn[:, 1:-1, 1:-1], BYTES[:, 1:-1, 1:-1])
    assert (drawn[:, 0] == [255, 0, 0]).all()


RANDOM = [
    geometry.Flip(1, is_random=True, seed=1),
    geometry.Flip(0, is_random=True, seed=1),
    geometry.Rotate90(3, is_random=True, seed=1),
    geometry.RandomImageCrop(4, 3, seed=1),
    colours.AdjustBrightness(0.3, is_random=True, seed=1),
    colours.AdjustContrast(0.5, 1.5, is_random=True, seed=1),
    colours.AdjustHue(0.4, is_random=True, seed=1),
    colours.AdjustSaturation(0.5, 1.5, is_random=True, seed=1),
]


@pytest.mark.parametrize("layer", RANDOM, ids=lambda layer: type(layer).__name__)
def test_random_layers(layer):
    same = np.repeat(RNG.random((1, 8, 8, 3), np.float32), 64, axis=0)
    trained = apply(layer, same, training=True)
    assert len(np.unique(trained.reshape(64, -1), axis=0)) >= (
        2 if isinstance(layer, geometry.Flip) else 4
    )
    again = type(layer).from_config(layer.get_config())
    fresh = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(same, training=True), fresh(same, training=True))
    outside = apply(layer, same, training=False)
    np.testing.assert_array_equal(
        outside, same[:, 2:6, 2:5] if isinstance(layer, geometry.RandomImageCrop) else same
    )


def test_random_values_lie_where_they_should():
    same = np.repeat(FLOATS[:1], 256, axis=0)
    moved = apply(colours.AdjustBrightness(0.3, is_random=True, seed=1), same, training=True) - same
    assert -0.3 <= moved.min() < -0.27
    assert 0.27 < moved.max() <= 0.3
    turned = apply(
        geometry.Rotate90(3, is_random=True, seed=1),
        RNG.random((1, 5, 5, 1), np.float32).repeat(256, 0),
        training=True,
    )
    _, counts = np.unique(turned.reshape(256, -1), axis=0, return_counts=True)
    assert len(counts) == 4
    assert counts.min() > 40


def test_crops_come_from_the_image():
    image = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1).repeat(50, 0)
    for crop in apply(geometry.RandomImageCrop(3, 4, seed=2), image, training=True)[..., 0]:
        top, left = divmod(int(crop[0, 0]), 8)
        np.testing.assert_array_equal(crop, image[0, top : top + 3, left : left + 4, 0])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: geometry.CentralCrop(0.0), "above 0"),
        (lambda: geometry.ExtractGlimpse([3], [0, 0]), "two values each"),
        (
            lambda: colours.AdjustContrast(0.5, is_random=True),
            r"contrast_factor_max must be above contrast_factor \(0.5\), not None",
        ),
        (lambda: measures.DrawBoundingBoxes([[0, 1]]), "four sides"),
        (lambda: geometry.RandomImageCrop(9, 3)(FLOATS), "8 x 6 are smaller than the crop, 9 x 3"),
        (lambda: geometry.Rotate90(1, is_random=True)(FLOATS, training=True), "not square"),
    ],
)
def test_what_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_in_a_pipeline_they_are_functions_of_seed_and_batch():
    layers = [
        {"Flip": {"is_random": True}},
        {"RandomImageCrop": {"height": 5, "width": 5}},
        {"AdjustHue": {"delta": 0.2, "is_random": True}},
    ]
    graph = {"image": Graph(input_layers=["image"], layers=layers)}
    images = np.repeat(BYTES[:1], 16, axis=0)

    def make(mode="train", seed=1):
        return ArrayPipeline(
            {"image": images},
            batch_size=8,
            num_epochs=2,
            shuffle=False,
            feature_processors=graph,
            seed=seed,
            mode=mode,
        )

    prints = check_resumes(make())
    assert len(set(prints)) == 4
    assert set(prints).isdisjoint(check_resumes(make(seed=2)))
    assert len(np.unique(batches_of(make())[0][0]["image"].reshape(8, -1), axis=0)) == 8
    np.testing.assert_array_equal(batches_of(make("eval"))[0][0]["image"], images[:8, 1:6, 0:5])


def test_every_layer_of_the_plug_in_is_here():
    for name, target in plugin.provide_layers().items():
        module = target.partition(":")[0].rpartition(".")[2]
        assert issubclass(getattr(MODULES[module], name), keras.layers.Layer)
