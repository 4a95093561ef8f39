"""The plug-ins in examples/plugins, installed in an environment of their own: their tests pass, and configs use their parts."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytest.importorskip("gymnasium")
pytest.importorskip("sklearn")
PLUGINS = Path(__file__).parents[2] / "examples" / "plugins"
NAMES = ("plx_c51", "plx_jsonl", "plx_sklearn_metrics")
CONFIG = """
version: 1
model:
  classifier:
    graph: {layers: [Dense: {units: 2}]}
    loss: SparseCategoricalCrossentropy
    metrics: [SklearnScore: {score: cohen_kappa, num_classes: 2}]
train:
  train_steps: 4
  data_pipeline: {JSONLinesPipeline: {data_files: a.jsonl, features: {x: [x]}, labels: y, batch_size: 4}}
eval:
  data_pipeline: {JSONLinesPipeline: {data_files: a.jsonl, features: {x: [x]}, labels: y}}
"""
AGENT = """
version: 1
model: {c51: {graph: {layers: [Dense: {units: 8}]}, v_min: 0, v_max: 100, atoms: 21}}
agent: {memory: {Memory: {size: 1000}}}
train: {env: {GymEnvironment: {env_id: CartPole-v1}}, train_timesteps: 100, first_update: 50}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The Python of an environment with the three, and what is installed here."""
    folder = tmp_path_factory.mktemp("examples")
    venv.create(folder, symlinks=os.name != "nt")
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    (Path(paths["purelib"]) / "outer.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    python = str(Path(paths["scripts"]) / "python")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    subprocess.run(
        [*install, *(str(PLUGINS / name) for name in NAMES)], check=True, capture_output=True
    )

    def run(*words, cwd):
        environ = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PLX_CACHE_DIR": str(folder / "cache"),
        }
        return subprocess.run(
            [python, "-m", *words],
            cwd=cwd,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
def test_their_own_tests_pass(environment):
    answer = environment(
        "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".", *NAMES, cwd=PLUGINS
    )
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert all(f"{name}/tests/" in answer.stdout for name in NAMES)


def test_configs_use_their_parts(environment, tmp_path):
    listing = environment("plx_core", "plugins", cwd=tmp_path).stdout
    assert all(name in listing for name in NAMES)
    assert "broken" not in listing
    (tmp_path / "a.jsonl").write_text(
        "".join(f'{{"x": {number}, "y": {number % 2}}}\n' for number in range(8))
    )
    (tmp_path / "a.yml").write_text(CONFIG)
    (tmp_path / "b.yml").write_text(AGENT)
    answer = environment("plx_core", "run", "a.yml", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "cohen_kappa" in answer.stdout
    answer = environment("plx_core", "check", "b.yml", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
