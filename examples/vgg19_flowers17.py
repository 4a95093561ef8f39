"""The experiment of vgg19_flowers17.yml in Python: VGG-19 on 17 kinds of flowers.

Run it with `plx data flowers17 && python examples/vgg19_flowers17.py`.
"""

import sys

import plx_core as plx

BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Filters, and how many convolutions have them before the images are halved."""


def graph_fn(mode, features):
    x = features["image"]
    for filters, count in BLOCKS:
        for _ in range(count):
            x = plx.layers.Conv2D(
                filters=filters, kernel_size=3, padding="same", activation="relu"
            )(x)
        x = plx.layers.MaxPooling2D(pool_size=2)(x)
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
        optimizer=plx.configs.SGDConfig(learning_rate=0.001, momentum=0.9),
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
            batch_size=32,
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


def main(model_dir="runs/vgg19_flowers17", data_dir="data/flowers17", train_steps=3400):
    experiment = plx.Experiment(
        estimator=plx.Estimator(
            model_fn, model_dir, plx.RunConfig(seed=7, save_checkpoints_steps=340)
        ),
        train_input_fn=images(data_dir, "train"),
        eval_input_fn=images(data_dir, "eval"),
        train_steps=int(train_steps),
        eval_every_n_steps=340,
    )
    metrics = experiment.train_and_evaluate()
    print(f"accuracy {metrics['accuracy']:.3f} after {metrics['global_step']} steps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
