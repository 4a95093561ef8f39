"""The experiment of autoencoder.yml in Python: 784 pixels through 32 numbers and back.

Run it with `plx data digits && python examples/autoencoder.py`.
"""

import sys

import plx_core as plx


def encoder_fn(mode, features):
    x = plx.layers.Flatten()(features)
    x = plx.layers.Dense(units=128, activation="relu")(x)
    return plx.layers.Dense(units=32)(x)


def decoder_fn(mode, features):
    x = plx.layers.Dense(units=128, activation="relu")(features)
    x = plx.layers.Dense(units=784)(x)
    return plx.layers.Reshape(target_shape=(28, 28, 1))(x)


def model_fn(features, labels, mode):
    model = plx.models.Generator(
        mode,
        encoder_fn=encoder_fn,
        decoder_fn=decoder_fn,
        bridge="NoOpBridge",
        loss="SigmoidCrossEntropy",
        optimizer=plx.configs.AdamConfig(learning_rate=0.002),
        metrics=["MeanSquaredError"],
        summaries=["loss", "image_input", "image_result"],
    )
    return model(features, labels)


def images(data_dir, split, batch_size):
    """An input_fn for a split of the prepared data."""

    def input_fn(mode, seed):
        return plx.pipelines.TFRecordImagePipeline(
            data_files=[f"{data_dir}/digits_{split}.tfrecord"],
            meta_data_file=f"{data_dir}/meta_data.json",
            batch_size=batch_size,
            feature_processors={
                "image": plx.Graph(
                    layers=[{"Cast": {"dtype": "float32"}}, {"Rescaling": {"scale": 1 / 255}}]
                )
            },
            mode=mode,
            seed=seed,
        )

    return input_fn


def main(model_dir="runs/autoencoder", data_dir="data/digits", train_steps=450):
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(seed=7)),
        train_input_fn=images(data_dir, "train", 64),
        eval_input_fn=images(data_dir, "eval", 64),
        train_steps=int(train_steps),
        eval_callbacks=[plx.callbacks.ReconstructionImages(count=12)],
    )
    metrics = experiment.train_and_evaluate()
    print(f"loss {metrics['loss']:.4f}; pictures are in {model_dir}/images")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
