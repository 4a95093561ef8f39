"""Every word of `summaries` is to be found in TensorBoard's event files, for a generator too."""

import numpy as np
import pytest

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_core.models.spec import SUMMARIES

EXPECTED = {
    "loss": {"loss"},
    "learning_rate": {"learning_rate"},
    "activations": {"activations/encoder_dense", "activations/z_mean", "activations/z", "activations/kl_divergence", "activations/decoder_reshape"},
    "variables": {"variables/encoder_dense/kernel", "variables/z_log_variance/bias", "variables/decoder_dense/kernel"},
    "gradients": {"gradients/encoder_dense/kernel", "gradients/decoder_dense/bias", "gradients/global_norm"},
    "image_input": {"image_input/image"},
    "image_result": {"image_result/results"},
}  # fmt: skip
ALWAYS = {"reconstruction", "kl_divergence"}


def tags_of(path, summaries):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def model_fn(features, labels, mode):
        model = plx.models.Generator(
            mode,
            encoder=plx.Graph(layers=["Flatten", {"Dense": {"units": 4}}]),
            bridge={"LatentBridge": {"latent_dim": 2}},
            decoder=plx.Graph(
                layers=[{"Dense": {"units": 16}}, {"Reshape": {"target_shape": [4, 4, 1]}}]
            ),
            loss="SigmoidCrossEntropy",
            summaries=summaries,
        )
        return model(features, labels)

    run = plx.RunConfig(save_summary_steps=2, log_step_count_steps=None, save_checkpoints_steps=100)
    images = np.random.default_rng(0).random((8, 4, 4, 1), np.float32)
    plx.Estimator(model_fn, path, run).train(
        numpy_input_fn({"image": images}, batch_size=4, num_epochs=None, shuffle=True), max_steps=2
    )
    events = EventAccumulator(str(path / "events" / "train"))
    events.Reload()
    return {
        tag
        for kind in ("scalars", "tensors", "images", "histograms")
        for tag in events.Tags()[kind]
    }


def test_all_of_them(tmp_path):
    assert set(EXPECTED) == set(SUMMARIES)
    missing = (ALWAYS | set().union(*EXPECTED.values())) - tags_of(tmp_path, "all")
    assert not missing


@pytest.mark.parametrize("summary", ["loss", "image_result", "variables"])
def test_one_alone(tmp_path, summary):
    tags = tags_of(tmp_path, [summary])
    assert EXPECTED[summary] <= tags
    others = set().union(*(expected for word, expected in EXPECTED.items() if word != summary))
    assert not others & tags
