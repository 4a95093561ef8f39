"""Each supervised example is written twice, as a file and in Python: both run, and give the same numbers."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from plx_core.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = 3
PREPARE = re.compile(r"^# .* The data is a table:\n#\n((?:#   .*\n)+)#\n", re.MULTILINE)
"""The lines of an example's head that make its data, where no `plx data` does."""
SMALLER = (
    (r"\b(filters\W+)\d+", r"\g<1>3"),
    (r"\((64|128|256|512), (\d)\)", r"(3, \2)"),
    (r"\bin \(32, 64\)", "in (3, 3)"),
    (r"\b(units\W+)(4096|512|128|64)\b", r"\g<1>4"),
    (r"\b(output_dim\W+)128", r"\g<1>4"),
    (r"\b(max_length\W+)100", r"\g<1>8"),
    (r"\b(batch_size\W+)\d+", r"\g<1>4"),
)
"""What makes an example quick enough for a test, in either form: patterns and what takes their place."""


def shrink(name):
    """Smaller copies of both forms of an example, in the folder `small`."""
    Path("small").mkdir()
    for form in ("yml", "py"):
        text = (EXAMPLES / f"{name}.{form}").read_text()
        for pattern, replacement in SMALLER:
            text = re.sub(pattern, replacement, text)
        Path("small", f"{name}.{form}").write_text(text)


def run_file(name, folder=EXAMPLES):
    """The metrics of the last evaluation of `plx run`."""
    arguments = ["run", str(folder / f"{name}.yml"), "--set", f"train.train_steps={STEPS}"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = [
        json.loads(line) for line in Path("runs", name, "metrics.jsonl").read_text().splitlines()
    ]
    return [line["metrics"] for line in lines if line["split"] == "eval"][-1]


def run_script(name, *args, folder=EXAMPLES):
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(f"python/{name}", *args)


def same(found, expected):
    names = set(expected) - {"global_step"}
    assert names == set(found) - {"global_step"}
    assert {name: found[name] for name in names} == pytest.approx(
        {name: expected[name] for name in names}, rel=1e-5, abs=1e-6
    )


@pytest.fixture
def workplace(tmp_path, monkeypatch, digits):
    """A folder to run in, where data/digits is, and the digits also take MNIST's place, whose shape they have."""
    monkeypatch.chdir(tmp_path)
    mnist = tmp_path / "data" / "mnist"
    mnist.mkdir(parents=True)
    (tmp_path / "data" / "digits").symlink_to(digits)
    for path in digits.iterdir():
        (mnist / path.name.replace("digits", "mnist")).symlink_to(path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "data", "pictures"),
    [
        ("autoencoder", "digits", ["reconstructions"]),
        ("conv_autoencoder", "digits", ["reconstructions"]),
        ("denoising_autoencoder", "digits", ["reconstructions"]),
        ("variational_autoencoder", "mnist", ["generated", "reconstructions", "traversal"]),
    ],
)
def test_autoencoders(workplace, name, data, pictures):
    same(run_script(name, f"data/{data}", STEPS), run_file(name))
    for folder in ("runs", "python"):
        assert sorted(path.name for path in Path(folder, name, "images").iterdir()) == [
            f"{STEPS:09d}_{kind}.png" for kind in pictures
        ]


@pytest.mark.parametrize("name", ["diabetes", "multi_head_iris", "time_series", "xor"])
def test_tables(tmp_path, monkeypatch, name):
    pytest.importorskip("sklearn", reason="scikit-learn brings the data")
    monkeypatch.chdir(tmp_path)
    make_table(name)
    same(run_script(name, STEPS), run_file(name))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("alexnet_flowers17", (80, 80, 3)),
        ("convnet_cifar10", (32, 32, 3)),
        ("vgg19_flowers17", (32, 32, 3)),
    ],
)
def test_networks_for_photographs_on_noise(tmp_path, monkeypatch, name, shape):
    """Their data sets are large and to be downloaded; smaller networks on smaller images show that the files are right."""
    from plx_pipelines.datasets.writing import prepare_images

    monkeypatch.chdir(tmp_path)
    data = name.rpartition("_")[2]
    rng = np.random.default_rng(0)
    splits = {
        split: (rng.integers(0, 256, (8, *shape), np.uint8), np.arange(8))
        for split in ("train", "eval")
    }
    prepare_images(
        data, f"data/{data}", "raw", lambda: splits, [str(number) for number in range(8)]
    )
    shrink(name)
    same(
        run_script(name, f"data/{data}", STEPS, folder=Path("small")), run_file(name, Path("small"))
    )


@pytest.mark.parametrize("name", ["imdb_bidirectional_lstm", "imdb_lstm"])
def test_readers_of_reviews_on_a_few_words(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("imdb").mkdir()
    for opinion in ("good", "bad"):
        lines = [f"a {opinion} film, {opinion} to the end {number}" for number in range(10)]
        Path("imdb", f"{opinion}.txt").write_text("\n".join(lines) + "\n")
    result = CliRunner().invoke(main, ["data", "convert", "imdb", "data/imdb", "--eval-every", "5"])
    assert result.exit_code == 0, result.output
    shrink(name)
    same(run_script(name, "data/imdb", STEPS, folder=Path("small")), run_file(name, Path("small")))


def make_table(name):
    """Do what the head of an example says."""
    (lines,) = PREPARE.findall((EXAMPLES / f"{name}.yml").read_text())
    script = re.sub("^#   ", "", lines, flags=re.MULTILINE)
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    subprocess.run(["bash", "-e", "-c", script], check=True, env=environ, capture_output=True)


def test_every_supervised_example_has_both_forms():
    files = {path.stem for path in EXAMPLES.glob("*.yml") if "data_pipeline" in path.read_text()}
    of_pipelines = {
        name
        for name in files
        if re.match("translation|text_classifier|captioning|image_folder|lenet", name)
    }
    assert {path.stem for path in EXAMPLES.glob("*.py")} >= files - of_pipelines


@pytest.mark.slow
def test_the_loss_of_a_variational_autoencoder_of_mnist_falls_by_half_in_two_of_its_five_epochs(
    tmp_path, monkeypatch, mnist
):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    Path("data/mnist").symlink_to(mnist)
    arguments = [
        "run",
        str(EXAMPLES / "variational_autoencoder.yml"),
        "--set",
        "train.train_steps=500",
    ]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = [
        json.loads(line)
        for line in Path("runs/variational_autoencoder/metrics.jsonl").read_text().splitlines()
    ]
    train, evaluation = (
        [line["metrics"]["loss"] for line in lines if line["split"] == split]
        for split in ("train", "eval")
    )
    assert lines[-1]["step"] == 500
    assert train[-1] < 0.5 * 28 * 28 * np.log(2)  # what is lost where every pixel is undecided
    assert evaluation == sorted(evaluation, reverse=True)
    assert evaluation[-1] < 150
