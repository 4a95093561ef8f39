"""The experiment of convnet_cifar10.yml in Python: a convolutional network on CIFAR-10.

Run it with `plx data cifar10 && python examples/convnet_cifar10.py`.
"""

import sys

import plx_core as plx


def graph_fn(mode, features):
    x = features["image"]
    for filters in (32, 64):
        x = plx.layers.Conv2D(filters=filters, kernel_size=3, padding="same", activation="relu")(x)
        x = plx.layers.Conv2D(filters=filters, kernel_size=3, padding="same", activation="relu")(x)
        x = plx.layers.MaxPooling2D(pool_size=2)(x)
    x = plx.layers.Flatten()(x)
    x = plx.layers.Dense(units=512, activation="relu")(x)
    x = plx.layers.Dropout(rate=0.5)(x)
    return plx.layers.Dense(units=10)(x)


def model_fn(features, labels, mode):
    model = plx.models.Classifier(
        mode,
        graph_fn=graph_fn,
        loss="SoftmaxCrossEntropy",
        optimizer=plx.configs.AdamConfig(learning_rate=0.001),
        metrics=["Accuracy"],
        n_classes=10,
    )
    return model(features, labels)


def images(data_dir, split):
    """An input_fn for a split of the prepared data."""

    def input_fn(mode, seed):
        return plx.pipelines.TFRecordImagePipeline(
            data_files=[f"{data_dir}/cifar10_{split}.tfrecord"],
            meta_data_file=f"{data_dir}/meta_data.json",
            batch_size=64,
            feature_processors={
                "image": plx.Graph(
                    layers=[
                        {"Cast": {"dtype": "float32"}},
                        {"Rescaling": {"scale": 2 / 255, "offset": -1}},
                    ]
                )
            },
            mode=mode,
            seed=seed,
        )

    return input_fn


def main(model_dir="runs/convnet_cifar10", data_dir="data/cifar10", train_steps=7800):
    experiment = plx.Experiment(
        estimator=plx.Estimator(
            model_fn, model_dir, plx.RunConfig(seed=7, save_checkpoints_steps=780)
        ),
        train_input_fn=images(data_dir, "train"),
        eval_input_fn=images(data_dir, "eval"),
        train_steps=int(train_steps),
        eval_every_n_steps=780,
    )
    metrics = experiment.train_and_evaluate()
    print(f"accuracy {metrics['accuracy']:.3f} after {metrics['global_step']} steps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
