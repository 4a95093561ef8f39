"""Train LeNet on MNIST with plx's objects: a graph, a classifier, a pipeline and an experiment.

The network is that of lenet_mnist.yml; the pixels are scaled to 0..1, and the loss is one for
classes.

Run it with `plx data mnist && python examples/lenet_mnist.py`.
"""

import sys

import plx_core as plx

SCALE = plx.Graph(layers=[{"Cast": {"dtype": "float32"}}, {"Rescaling": {"scale": 1 / 255}}])


def graph_fn(mode, features):
    x = plx.layers.Conv2D(filters=32, kernel_size=5)(features["image"])
    x = plx.layers.MaxPooling2D(pool_size=2)(x)
    x = plx.layers.Conv2D(filters=64, kernel_size=5)(x)
    x = plx.layers.MaxPooling2D(pool_size=2)(x)
    x = plx.layers.Flatten()(x)
    x = plx.layers.Dense(units=1024, activation="tanh")(x)
    return plx.layers.Dense(units=10)(x)


def model_fn(features, labels, mode):
    model = plx.models.Classifier(
        mode,
        graph_fn=graph_fn,
        loss="SoftmaxCrossEntropy",
        optimizer=plx.optimizers.Adam(learning_rate=0.001),
        metrics=["Accuracy", "Precision", "Recall", "AUC"],
        one_hot_encode=True,
        n_classes=10,
    )
    return model(features, labels)


def images(data_dir, split, batch_size):
    """Return an input_fn for one pass over a split of the prepared data."""

    def input_fn(mode, seed):
        return plx.pipelines.TFRecordImagePipeline(
            data_files=[f"{data_dir}/mnist_{split}.tfrecord"],
            meta_data_file=f"{data_dir}/meta_data.json",
            batch_size=batch_size,
            num_epochs=1,
            feature_processors={"image": SCALE},
            mode=mode,
            seed=seed,
        )

    return input_fn


def main(model_dir="runs/lenet_mnist", data_dir="data/mnist", train_steps=100):
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(save_summary_steps=100)),
        train_input_fn=images(data_dir, "train", batch_size=64),
        eval_input_fn=images(data_dir, "eval", batch_size=32),
        train_steps=int(train_steps),
    )
    metrics, _ = experiment.train_and_evaluate()
    print(f"accuracy {metrics['accuracy']:.3f} after {metrics['global_step']} steps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
