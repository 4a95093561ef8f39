"""Each wrong config is answered with the right message at the right place, exit code 2, and no traceback."""

import json
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from tests.wrong_files import check, position

from plx_core.cli.main import main

BASE = """\
version: 1
project: {name: wrong}
environment:
  seed: 3
  run_config: {save_checkpoints_steps: 100}
model:
  classifier:
    loss: SoftmaxCrossEntropy
    optimizer: {Adam: {learning_rate: 0.001}}
    metrics: [Accuracy]
    one_hot_encode: true
    n_classes: 10
    graph:
      input_layers: image
      layers:
        - Cast: {dtype: float32}
        - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
        - Flatten
        - Dense: {units: 10}
train:
  train_steps: 5
  data_pipeline:
    TFRecordImagePipeline:
      batch_size: 2
      shuffle: true
      data_files: data.tfrecord
      meta_data_file: meta.json
eval:
  data_pipeline:
    TFRecordImagePipeline: {batch_size: 2, data_files: data.tfrecord, meta_data_file: meta.json}
"""

# name, text of BASE, what replaces it, where the message points ("<" marks the column, in the new text), parts of the message
TABLE = [
    ("misspelt section", "train:\n", "trian:\n", "<trian:", ["trian: unknown key; did you mean train?"]),
    ("misspelt key of project", "{name: wrong}", "{nmae: wrong}", "<nmae", ["project.nmae: unknown key; did you mean name?"]),
    ("misspelt key of environment", "  seed: 3", "  sead: 3", "<sead", ["environment.sead: unknown key; did you mean seed?"]),
    ("misspelt key of run_config", "save_checkpoints_steps", "save_checkpoint_step", "<save_checkpoint_step", ["did you mean save_checkpoints_steps?"]),
    ("misspelt key of train", "train_steps: 5", "train_stpes: 5", "<train_stpes", ["train.train_stpes: unknown key; did you mean train_steps?"]),
    ("misspelt parameter of the model", "n_classes", "n_clases", "<n_clases", ["model.classifier.n_clases: unknown parameter; did you mean n_classes?"]),
    ("misspelt parameter of the graph", "input_layers", "input_layer", "<input_layer:", ["graph.input_layer: unknown key; did you mean input_layers?"]),
    ("misspelt parameter of a layer", "{units: 10}", "{unit: 10}", "<unit:", ["layers[3].Dense.unit: unknown parameter; did you mean units?"]),
    ("misspelt parameter of an optimizer", "learning_rate", "lerning_rate", "<lerning", ["optimizer.Adam.lerning_rate: unknown parameter; did you mean learning_rate?"]),
    ("misspelt parameter of a pipeline", "shuffle: true", "shufle: true", "<shufle", ["TFRecordImagePipeline.shufle: unknown parameter; did you mean shuffle?"]),
    ("unknown model", "  classifier:", "  clasifier:", "<clasifier", ["there is no model called clasifier; did you mean Classifier?", "plx_layers"]),
    ("unknown loss", "SoftmaxCrossEntropy", "SoftmaxEntropy", "<SoftmaxEntropy", ["there is no loss called SoftmaxEntropy; did you mean SoftmaxCrossEntropy?"]),
    ("unknown optimizer", "{Adam:", "{Adan:", "<Adan", ["there is no optimizer called Adan; did you mean Adam?"]),
    ("unknown metric", "[Accuracy]", "[Accurac]", "<Accurac]", ["model.classifier.metrics[0]: there is no metric called Accurac; did you mean Accuracy?"]),
    ("unknown layer", "- Flatten", "- Flaten", "<Flaten", ["there is no layer called Flaten; did you mean Flatten?"]),
    ("unknown activation", "activation: relu", "activation: rellu", "<rellu", ["there is no activation called rellu; did you mean relu"]),
    ("unknown pipeline", "TFRecordImagePipeline:\n", "TFRecordPipeline:\n", "<TFRecordPipeline", ["there is no pipeline called TFRecordPipeline"]),
    ("a text for an integer", "n_classes: 10", "n_classes: ten", "<ten", ["n_classes: expected an integer at least 1", "got ten"]),
    ("a fraction for an integer", "train_steps: 5", "train_steps: 5.5", "<5.5", ["train.train_steps: expected an integer at least 1", "got 5.5"]),
    ("a quoted number", "n_classes: 10", 'n_classes: "10"', '<"10"', ['got the string "10"']),
    ("yes for true", "one_hot_encode: true", "one_hot_encode: yes", "<yes", ["expected true or false, got yes; write true or false"]),
    ("a number for a boolean", "one_hot_encode: true", "one_hot_encode: 1", "encode: <1\n", ["expected true or false, got 1"]),
    ("a list for a number", "seed: 3", "seed: [3]", "<[3]", ["environment.seed: expected an integer at least 0 and at most 4294967295, got a list of 1"]),
    ("a mapping for a text", "{name: wrong}", "{name: {a: 1}}", "<{a: 1}", ["project.name: expected a name without slashes, got a mapping with a"]),
    ("a text for a section", "environment:\n  seed: 3\n  run_config: {save_checkpoints_steps: 100}", "environment: fast", "<fast", ["environment: expected a mapping, got fast"]),
    ("out of range", "train_steps: 5", "train_steps: 0", "steps: <0\n", ["expected an integer at least 1", "got 0"]),
    ("negative seed", "seed: 3", "seed: -3", "<-3", ["expected an integer at least 0 and at most 4294967295, got -3"]),
    ("not one of the choices", "  seed: 3", "  mixed_precision: float8\n  seed: 3", "<float8", ["expected one of float32, mixed_float16, mixed_bfloat16, float64, got float8"]),
    ("wrong version", "version: 1", "version: 2", "<2\n", ["version: expected one of 1, got 2"]),
    ("missing model", BASE[BASE.index("model:") : BASE.index("train:")], "", "<version", ["model is missing"]),
    ("missing required parameter", "{units: 10}", "{use_bias: true}", "<{use_bias", ["Dense: units is missing"]),
    ("missing layers", BASE[BASE.index("      layers:") : BASE.index("train:")], "", "<input_layers", ["graph: layers is missing"]),
    ("missing pipeline", "      meta_data_file: meta.json\n", "", "<batch_size: 2\n", ["TFRecordImagePipeline: meta_data_file is missing"]),
    ("duplicate key", "  seed: 3", "  seed: 3\n  seed: 4", "<seed: 4", ["environment.seed: is given twice; first at line 4"]),
    ("duplicate under an alias", "train_steps: 5", "train_steps: 5\n  steps: 6", "<steps: 6", ["train.steps: is given twice, as train_steps and as steps"]),
    ("two names for a component", "{Adam: {learning_rate: 0.001}}", "{Adam: {}, SGD: {}}", "<{Adam", ["got 2 names: Adam, SGD"]),
    ("no name for a component", "loss: SoftmaxCrossEntropy", "loss:", "<", ["model.classifier.loss: expected a loss", "got nothing"]),
    ("parameters that are no mapping", "{Adam: {learning_rate: 0.001}}", "{Adam: 0.001}", "<0.001", ["expected the parameters of Adam as a mapping, got 0.001"]),
    ("missing data file", "      data_files: data.tfrecord", "      data_files: none.tfrecord", "<none.tfrecord", ["data_files: there is no file none.tfrecord"]),
    ("given in Python only", "    n_classes: 10", "    graph_fn: f\n    n_classes: 10", "<f\n", ["graph_fn: can be given in Python only"]),
    ("env variable not allowed", "name: wrong", "name: '${env:HOME}'", "<'${env", ["the environment variable HOME may not be read", "[tool.plx]"]),
    ("env variable not set", "name: wrong", "name: '${env:PLX_NOT_SET}'", "<'${env", ["the environment variable PLX_NOT_SET is not set"]),
    ("no such kind of variable", "name: wrong", "name: '${file:x}'", "<'${file", ["${file:x} is not a variable"]),
    ("tag", "seed: 3", "seed: !!python/object/apply:os.system [x]", "<!!python", ["has the tag", "plain data"]),
    ("tab", "  seed: 3", "\tseed: 3", "<", ["is not YAML"]),
    ("unclosed bracket", "[Accuracy]", "[Accuracy", "<", ["is not YAML"]),
    ("plug-in that is not allowed", "version: 1", "version: 1\nplugins: [acme_plx.plugin]", "<acme_plx", ["code from outside", "--plugin acme_plx.plugin"]),
    ("an agent and a data pipeline", "version: 1", "version: 1\nagent: {memory: Memory}", "<{memory", ["an agent learns from train.env"]),
    ("input layer that is no feature", "input_layers: image", "input_layers: imag", "<imag\n", ["there is no feature or earlier layer called imag; did you mean image?"]),
    ("inbound node that is no layer", "{units: 10}", "{units: 10, inbound_nodes: nowhere}", "<nowhere", ["Dense.inbound_nodes: there is no feature or earlier layer called nowhere"]),
    ("two layers of one name", "{units: 10}", "{units: 10, name: flatten}", "<Dense", ["more than one layer or feature called flatten"]),
    ("last layer and n_classes", "n_classes: 10", "n_classes: 11", "<classifier", ["(None, 10)", "n_classes is 11"]),
    ("kernel larger than the image", "kernel_size: 3", "kernel_size: 30", "<Conv2D", ["layer conv2d cannot take cast of shape (None, 8, 8, 1)"]),
    ("value that a constructor refuses", "- Flatten", "- Dropout: {rate: -10}", "<Dropout", ["`rate`", "-10", "(layer Dropout of plug-in plx_layers)"]),
    ("text for a parameter of Keras", "{units: 10}", "{units: ten, seed: x}", "units: <ten", ["Dense.units: expected an integer at least 1, got ten", "Dense.seed: unknown parameter"]),
    ("text for several parameters of Keras", "filters: 4, kernel_size: 3", "filters: [4], kernel_size: big", "<big", ["Conv2D.filters: expected an integer at least 1, got a list of 1", "Conv2D.kernel_size: expected an integer at least 1 or a list, got big"]),
    ("mapping for an option of Keras", "kernel_size: 3", "kernel_size: 3, padding: {same: 1}", "<{same", ["Conv2D.padding: expected a string or null, got a mapping with same"]),
    ("text for a rate of Keras", "- Flatten", "- Dropout: {rate: half}", "<half", ["Dropout.rate: expected a number, got half"]),
    ("decay without its type", "learning_rate: 0.001", "learning_rate: 0.001, decay_rate: 0.5", "<Adam", ["decay_rate", "without decay_type"]),
    ("seed that Keras refuses", "seed: 3", "seed: 4294967296", "<4294967296", ["environment.seed: expected an integer at least 0 and at most 4294967295"]),
    ("value that makes a constructor fail", "{units: 10}", "{units: 10, kernel_initializer: {VarianceScaling: {mode: 0.5}}}", "<VarianceScaling", ["VarianceScaling: ", "mode"]),
    ("several inputs for one", "input_layers: image", "input_layers: [image, image]", "<Cast", ["Cast: layer cast cannot take image of shape (None, 8, 8, 1), image of shape", "Concatenate", "(layer Cast of plug-in plx_layers)"]),
    ("integers into a convolution", "        - Cast: {dtype: float32}\n", "", "<Conv2D", ["its input is uint8: put a Rescaling or Cast layer before it", "(layer Conv2D of plug-in plx_layers)"]),
    ("a mapping for choices", "  seed: 3", "  xla: {a: b}\n  seed: 3", "<{a: b}", ["environment.xla: expected true or false or one of auto, got a mapping with a"]),
    ("a mapping for one of several", "  seed: 3", "  mixed_precision: {a: b}\n  seed: 3", "<{a: b}", ["environment.mixed_precision: expected one of float32"]),
    ("a mapping for summaries", "    n_classes: 10", "    summaries: {a: b}\n    n_classes: 10", "<{a: b}", ["summaries: expected one of all, activations"]),
    ("integer of thousands of digits", "seed: 3", f"seed: {'1' * 5000}", "<1111", ["environment.seed: is an integer of more than 250 digits"]),
    ("name of a file that no file can have", "data_files: data.tfrecord", f"data_files: {'a' * 300}", "<aaaa", ["data_files: aaaa", "cannot be looked up", "too long"]),
    ("NUL in the name of a file", "data_files: data.tfrecord", 'data_files: "a\\0b"', '<"a', ["data_files: there is no file a\\x00b"]),
    ("device as a file", "data_files: data.tfrecord", "data_files: /dev/zero", "</dev/zero", ["/dev/zero cannot be looked up: it is neither a file nor a folder"]),
    ("wildcards in folders", "data_files: data.tfrecord", "data_files: /*/*/*/*/*", "</*/*", ["only the last part of a path may have wildcards"]),
    ("project outside the runs", "{name: wrong}", "{name: ../../wrong}", "<../..", ["project.name: expected a name without slashes"]),
    ("project that is a folder up", "{name: wrong}", "{name: ..}", "<..}", ["project.name: expected a name without slashes", "it names no file"]),
    ("project with a folder", "{name: wrong}", "{name: a/b}", "<a/b", ["it has a slash"]),
    ("NUL in the project", "{name: wrong}", '{name: "a\\0b"}', '<"a', ["it has a control character"]),
    ("long name of a project", "{name: wrong}", f"{{name: {'a' * 300}}}", "<aaa", ["it is longer than 200 bytes"]),
    ("run directory with a long name", "version: 1", f"version: 1\nsettings: {{output_dir: runs/{'a' * 300}}}", "<runs/", ["settings.output_dir: expected a path"]),
    ("bad regular expression", "train_steps: 5", "train_steps: 5\n  warm_start: {path: meta.json, variables: '(('}", "<'(('", ["train.warm_start.variables: expected a regular expression", "unterminated subpattern"]),
    ("regular expression that RE2 has not", "train_steps: 5", "train_steps: 5\n  warm_start: {path: meta.json, variables: '(?!a).*'}", "<'(?!", ["train.warm_start.variables", "(?!"]),
    ("escapes for the terminal", "{units: 10}", '{units: 10, "\\e[31mred": 1}', '<"', ["Dense.\\x1b[31mred: unknown parameter"]),
    ("batches that no memory holds", "batch_size: 2\n", "batch_size: 2147483648\n", "size: <2147", ["batch_size: expected an integer at least 1 and at most 16777216"]),
    ("unknown summary", "    n_classes: 10", "    summaries: [los]\n    n_classes: 10", "<los]", ["summaries"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a record file of four 8×8 images."""
    from plx_pipelines.records.encoding import bytes_feature, encode_example, int64_feature
    from plx_pipelines.records.tfrecord import write_records

    folder = tmp_path_factory.mktemp("wrong")
    images = np.arange(4 * 64, dtype="uint8").reshape(4, 8, 8, 1)
    records = [
        encode_example(
            {
                "image/encoded": bytes_feature([image.tobytes()]),
                "image/format": bytes_feature([b"raw"]),
                "image/class/label": int64_feature([label]),
            }
        )
        for label, image in enumerate(images)
    ]
    write_records(folder / "data.tfrecord", records)
    meta = {"height": 8, "width": 8, "channels": 1, "num_classes": 10, "num_samples": {"train": 4}}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def test_the_base_is_correct(workplace):
    result = check(workplace, BASE)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("old", "new", "marker", "parts"), [pytest.param(*row[1:], id=row[0]) for row in TABLE]
)
def test_wrong_config(workplace, old, new, marker, parts):
    assert old in BASE
    text = BASE.replace(old, new, 1)
    result = check(workplace, text)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert not set(result.output) & {"\0", "\x1b"}
    for part in parts:
        assert part in result.output
    if marker != "<":
        line, column = position(text, marker)
        assert re.search(rf"^wrong.yml:{line}:{column}[ :]", result.output, re.MULTILINE), (
            result.output
        )


def test_all_mistakes_at_once_in_the_order_of_the_file(workplace):
    text = (
        BASE.replace("seed: 3", "sead: 3")
        .replace("{units: 10}", "{units: 10, bais: 1}")
        .replace("train_steps: 5", "train_steps: x")
    )
    lines = check(workplace, text).output.splitlines()
    assert [line.split(" ")[1] for line in lines] == [
        "environment.sead:",
        "model.classifier.graph.layers[3].Dense.bais:",
        "train.train_steps:",
    ]


def test_set_points_at_the_option(workplace):
    result = check(workplace, BASE, "--set", "model.classifier.n_classes=many")
    assert result.exit_code == 2
    assert (
        "--set model.classifier.n_classes=many model.classifier.n_classes: expected an integer"
        in result.output
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)), "aliases expand", id="bomb"),
        pytest.param("a: " + "[" * 150 + "]" * 150, "nested more than 100 deep", id="deep"),
        pytest.param("a: " + "x" * (5 * 2**20), "at most 4,194,304 bytes are read", id="large"),
        pytest.param("[1, 2]", "a config is a mapping", id="list"),
        pytest.param("", "model is missing", id="empty"),
        pytest.param("extends: nothing.yml", "there is no file", id="extends nothing"),
        pytest.param(f"extends: {'a' * 300}.yml", "there is no file aaa", id="extends a long name"),
        pytest.param('extends: "a\\0b"', "there is no file a\\x00b", id="extends NUL"),
        pytest.param("extends: wrong.yml", "extends: is circular: ", id="extends itself"),
    ],
)  # fmt: skip
def test_what_is_refused_whole(workplace, text, part):
    result = check(workplace, text)
    assert result.exit_code == 2
    assert part in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("option", "part"),
    [
        pytest.param("model.classifier.graph.layers.².Dense.units=3", "² is not an index into a list of 4", id="odd digit"),
        pytest.param("model." + "a." * 1200 + "b=1", "is nested more than 100 deep", id="long path"),
        pytest.param("model.a=" + "[" * 99 + "]" * 99, "is nested more than 100 deep", id="deep value"),
    ],
)  # fmt: skip
def test_an_odd_setting(workplace, option, part):
    result = check(workplace, BASE, "--set", option)
    assert result.exit_code == 2, result.exception
    assert result.output.startswith("--set model.")
    assert part in result.output
    assert len(result.output) < 2500


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BASE.replace("name: wrong", f"name: '{'${' * 100_000}'"), id="variables"),
        pytest.param(BASE + "".join(f"x{i}: 1\n" for i in range(45_000)), id="unknown keys"),
        pytest.param(BASE.replace("        - Flatten\n", "        - Flaten\n" * 90_000), id="unknown layers"),
        pytest.param(BASE.replace("{units: 10}", f"{{{'y' * 1_000_000}: 10}}"), id="long key"),
    ],
)  # fmt: skip
def test_a_file_that_costs_much_is_answered_soon_and_briefly(workplace, text):
    start = time.process_time()
    result = check(workplace, text)
    assert result.exit_code == 2, result.exception
    assert len(result.output) < 100_000
    assert len(result.output.splitlines()) <= 101
    assert time.process_time() - start < 20


def test_a_device_is_no_endless_file():
    result = CliRunner().invoke(main, ["check", "/dev/zero"])
    assert result.exit_code == 2
    assert result.output == "/dev/zero: is too long; at most 4,194,304 bytes are read\n"


TABLE_BASE = """\
model:
  MODEL:
    graph: {layers: [Dense: {units: 3}]}
train:
  data_pipeline: {TablePipeline: {data_files: table.csv, features: {x: [a, b]}}}
"""


def test_a_regular_expression_takes_linear_time(workplace):
    text = BASE.replace("{units: 10}", f"{{units: 10, name: {'a' * 60}}}")
    first = check(workplace, text, "--output-dir", "first", command="train")
    assert first.exit_code == 0, first.output
    warm = "train_steps: 5\n  warm_start: {path: first, variables: '(a+)+b|conv2d/.*'}"
    second = check(
        workplace,
        text.replace("train_steps: 5", warm),
        "--output-dir",
        "second",
        command="train",
    )
    assert second.exit_code == 0, second.output
    third = check(
        workplace,
        text.replace("train_steps: 5", warm.replace("|conv2d/.*", "")),
        "--output-dir",
        "third",
        command="train",
    )
    assert third.exit_code == 1
    assert "no variable matches (a+)+b" in third.output


@pytest.mark.parametrize("model", ["classifier", "regressor"])
def test_labels_that_are_left_out(workplace, model):
    pytest.importorskip("pyarrow", reason="a table is read with pyarrow")
    (workplace / "table.csv").write_text("a,b\n1.5,2.5\n")
    result = check(workplace, TABLE_BASE.replace("MODEL", model))
    assert result.exit_code == 2, result.exception
    assert result.output.startswith(
        f"wrong.yml:2:3 model.{model}: a {model.title()} learns from labels, and the data has none"
    )


def test_weights_that_no_memory_holds_are_checked_and_warned_of(workplace):
    text = BASE.replace(
        "        - Flatten\n",
        "        - Flatten\n"
        "        - Dense: {units: 10000000000}\n"
        "        - BatchNormalization\n"
        "        - Dropout: {rate: 0.5}\n",
    )
    result = check(workplace, text)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("wrong.yml:7:3 model.classifier: warning: its layers have 1,5")
    assert result.stdout == "wrong.yml: correct\n"
    result = check(workplace, text.replace("n_classes: 10", "n_classes: 11"))
    assert result.exit_code == 2
    assert "(None, 10)" in result.output


def test_an_agent_whose_weights_no_memory_holds(workplace):
    pytest.importorskip("plx_rl")
    text = """\
model:
  dqn_model: {graph: {layers: [Dense: {units: 10000000}, Dense: {units: 10000000}]}}
train:
  train_steps: 10
  env: {GymEnvironment: {env_id: CartPole-v1}}
"""
    result = check(workplace, text)
    assert result.exit_code == 0, result.output
    assert "model.dqn_model: warning: its first layers have" in result.stderr


def test_a_failure_of_a_run_is_a_message_with_the_step(workplace):
    text = BASE.replace("        - Cast: {dtype: float32}\n", "")
    result = check(workplace, text, "--output-dir", "runs/uint8", command="train")
    assert result.exit_code == 1, result.exception
    assert "training after step 0 failed: Value passed to parameter" in result.output


def test_bytes_that_are_not_utf8(workplace):
    (workplace / "bytes.yml").write_bytes(b"version: \xff\xfe")
    result = CliRunner().invoke(main, ["check", str(workplace / "bytes.yml")])
    assert result.exit_code == 2
    assert "is not UTF-8 text: byte 9" in result.output


def test_no_such_file():
    result = CliRunner().invoke(main, ["check", "nowhere.yml"])
    assert result.exit_code == 2
    assert "nowhere.yml: cannot be read" in result.output


def test_the_process_exits_with_two_and_one_message(workplace):
    (workplace / "process.yml").write_text(BASE.replace("seed: 3", "sead: 3"))
    answer = subprocess.run(
        [sys.executable, "-m", "plx_core", "check", "process.yml"],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert answer.stderr == "process.yml:4:3 environment.sead: unknown key; did you mean seed?\n"
