"""The names of variables follow from the network alone, whatever the process has built before."""

import keras

from plx_core.networks.graph import Graph, build_network
from plx_core.networks.variable_names import variables_by_name

NESTED = [
    {"RNN": {"cell": {"LSTMCell": {"units": 2}}, "return_sequences": True}},
    {"Bidirectional": {"layer": {"GRU": {"units": 2, "return_sequences": True}}}},
    {"Bidirectional": {"layer": {"GRU": {"units": 2, "return_sequences": True, "name": "mine"}}}},
    {"TimeDistributed": {"layer": {"Dense": {"units": 3}}}},
    {"Dense": {"units": 3}},
]


def names():
    import tensorflow as tf

    network = build_network(Graph(layers=NESTED), {"x": tf.TensorSpec([None, 4, 3])}, "train")
    return list(variables_by_name(network))


def test_layers_within_layers():
    first = names()
    for layer in (keras.layers.Dense, keras.layers.GRU, keras.layers.LSTM, keras.layers.LSTMCell):
        layer(1)
    assert names() == first
    assert len(set(first)) == len(first)
    kernels = [name for name in first if name.endswith("/kernel")]
    assert kernels == [
        "rnn/lstm_cell/kernel",
        "bidirectional/forward_gru/gru_cell/kernel",
        "bidirectional/backward_gru/gru_cell/kernel",
        "bidirectional_1/forward_mine/gru_cell/kernel",
        "bidirectional_1/backward_mine/gru_cell/kernel",
        "time_distributed/dense/kernel",
        "dense/kernel",
    ]
