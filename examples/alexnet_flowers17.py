"""The experiment of alexnet_flowers17.yml in Python: AlexNet on 17 kinds of flowers.

Run it with `plx data flowers17 && python examples/alexnet_flowers17.py`.
"""

import sys

import plx_core as plx


def graph_fn(mode, features):
    x = plx.layers.Conv2D(filters=96, kernel_size=11, strides=4, activation="relu")(
        features["image"]
    )
    x = plx.layers.MaxPooling2D(pool_size=3, strides=2)(x)
    x = plx.layers.Conv2D(filters=256, kernel_size=5, padding="same", activation="relu")(x)
    x = plx.layers.MaxPooling2D(pool_size=3, strides=2)(x)
    x = plx.layers.Conv2D(filters=384, kernel_size=3, padding="same", activation="relu")(x)
    x = plx.layers.Conv2D(filters=384, kernel_size=3, padding="same", activation="relu")(x)
    x = plx.layers.Conv2D(filters=256, kernel_size=3, padding="same", activation="relu")(x)
    x = plx.layers.MaxPooling2D(pool_size=3, strides=2)(x)
    x = plx.layers.Flatten()(x)
    for _ in range(2):
        x = plx.layers.Dense(units=4096, activation="relu")(x)
        x = plx.layers.Dropout(rate=0.5)(x)
    return plx.layers.Dense(units=17)(x)


def model_fn(features, labels, mode):
    model = plx.models.Classifier(
        mode,
        graph_fn=graph_fn,
        loss="SoftmaxCrossEntropy",
        optimizer=plx.configs.SGDConfig(learning_rate=0.01, momentum=0.9),
        metrics=["Accuracy"],
        n_classes=17,
    )
    return model(features, labels)


def images(data_dir, split):
    """An input_fn for a split of the prepared data."""

    def input_fn(mode, seed):
        return plx.pipelines.TFRecordImagePipeline(
            data_files=[f"{data_dir}/flowers17_{split}.tfrecord"],
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


def main(model_dir="runs/alexnet_flowers17", data_dir="data/flowers17", train_steps=1700):
    experiment = plx.Experiment(
        estimator=plx.Estimator(
            model_fn, model_dir, plx.RunConfig(seed=7, save_checkpoints_steps=170)
        ),
        train_input_fn=images(data_dir, "train"),
        eval_input_fn=images(data_dir, "eval"),
        train_steps=int(train_steps),
        eval_every_n_steps=170,
    )
    metrics = experiment.train_and_evaluate()
    print(f"accuracy {metrics['accuracy']:.3f} after {metrics['global_step']} steps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
