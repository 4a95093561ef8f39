"""The experiment of imdb_bidirectional_lstm.yml in Python: two LSTMs, one in each direction, read film reviews.

Run it with `plx data imdb && python examples/imdb_bidirectional_lstm.py`.
"""

import sys

import plx_core as plx


def graph_fn(mode, features):
    x = plx.layers.Embedding(input_dim=20000, output_dim=128, mask_zero=True)(
        features["source_token"]
    )
    x = plx.layers.Bidirectional(plx.layers.LSTM(units=64, dropout=0.2))(x)
    x = plx.layers.Dropout(rate=0.5)(x)
    return plx.layers.Dense(units=2)(x)


def model_fn(features, labels, mode):
    model = plx.models.Classifier(
        mode,
        graph_fn=graph_fn,
        loss="SoftmaxCrossEntropy",
        optimizer=plx.configs.AdamConfig(learning_rate=0.001),
        metrics=["Accuracy"],
        clip_gradients=1.0,
        n_classes=2,
    )
    return model(features, labels)


def reviews(data_dir, split):
    """An input_fn for a split of the prepared data: the first 100 words of each review."""

    def input_fn(mode, seed):
        return plx.pipelines.TFRecordSequencePipeline(
            data_files=[f"{data_dir}/imdb_{split}.tfrecord"],
            meta_data_file=f"{data_dir}/meta_data.json",
            batch_size=32,
            max_length=100,
            mode=mode,
            seed=seed,
        )

    return input_fn


def main(model_dir="runs/imdb_bidirectional_lstm", data_dir="data/imdb", train_steps=2340):
    experiment = plx.Experiment(
        estimator=plx.Estimator(
            model_fn, model_dir, plx.RunConfig(seed=7, save_checkpoints_steps=780)
        ),
        train_input_fn=reviews(data_dir, "train"),
        eval_input_fn=reviews(data_dir, "eval"),
        train_steps=int(train_steps),
        eval_every_n_steps=780,
    )
    metrics = experiment.train_and_evaluate()
    print(f"accuracy {metrics['accuracy']:.3f} after {metrics['global_step']} steps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
