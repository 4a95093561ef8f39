"""Train a variational autoencoder on MNIST: encoder and decoder are Python functions.

This is the experiment of variational_autoencoder.yml; both give the same numbers.

Run it with `plx data mnist && python examples/variational_autoencoder.py`.
"""

import sys

import plx_core as plx

CONV = {"kernel_size": 3, "strides": 2, "padding": "same"}
SCALE = plx.Graph(layers=[{"Cast": {"dtype": "float32"}}, {"Rescaling": {"scale": 1 / 255}}])


def encoder_fn(mode, features):
    x = plx.layers.Conv2D(filters=32, activation="relu", **CONV)(features)
    x = plx.layers.Conv2D(filters=64, activation="relu", **CONV)(x)
    x = plx.layers.Flatten()(x)
    return plx.layers.Dense(units=128, activation="relu")(x)


def decoder_fn(mode, features):
    x = plx.layers.Dense(units=128, activation="relu")(features)
    x = plx.layers.Dense(units=7 * 7 * 64, activation="relu")(x)
    x = plx.layers.Reshape(target_shape=(7, 7, 64))(x)
    x = plx.layers.Conv2DTranspose(filters=32, activation="relu", **CONV)(x)
    return plx.layers.Conv2DTranspose(filters=1, **CONV)(x)


def model_fn(features, labels, mode):
    model = plx.models.Generator(
        mode,
        encoder_fn=encoder_fn,
        decoder_fn=decoder_fn,
        bridge=plx.bridges.LatentBridge(latent_dim=8),
        loss="SigmoidCrossEntropy",
        optimizer=plx.optimizers.Adam(learning_rate=0.002),
        summaries=["loss", "learning_rate", "image_result"],
    )
    return model(features, labels)


def images(data_dir, split, batch_size):
    """Return an input_fn for a split of the prepared data."""

    def input_fn(mode, seed):
        return plx.pipelines.TFRecordImagePipeline(
            data_files=[f"{data_dir}/mnist_{split}.tfrecord"],
            meta_data_file=f"{data_dir}/meta_data.json",
            batch_size=batch_size,
            feature_processors={"image": SCALE},
            mode=mode,
            seed=seed,
        )

    return input_fn


def main(model_dir="runs/variational_autoencoder", data_dir="data/mnist", train_steps=1250):
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(seed=7)),
        train_input_fn=images(data_dir, "train", batch_size=32),
        eval_input_fn=images(data_dir, "eval", batch_size=64),
        train_steps=int(train_steps),
        eval_callbacks=["ReconstructionImages", "GeneratedImages", "LatentTraversal"],
    )
    metrics, _ = experiment.train_and_evaluate()
    print(f"loss {metrics['loss']:.4f}; the images are in {model_dir}/images")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
