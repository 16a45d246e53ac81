"""model.onnx: the kept model as an ONNX graph with one input per column of the table."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl
from scipy.linalg import block_diag

from shrinkwise.tables import InputError, as_frame
from shrinkwise.tables.columns.features import level_text, measured
from shrinkwise.tables.columns.level_means import LEVEL_MEANS

from .predictors import Response, WrittenPredictor
from .table_model import TableModel

_TEXT_KINDS = ("category", LEVEL_MEANS, "yes/no", "ordered")
_OPSETS = (("", 17), ("ai.onnx.ml", 3))
_IR = 9  # what onnxruntime 1.18 still reads

# Sums of the same terms in another order differ by rounding; anything more is another model.
_TOLERANCE = 1e-9

DOC = """Inputs, each (rows, 1) unless noted otherwise: numbers as double, NaN if missing; texts trimmed and spelled as
in the training table, empty where missing; dates as double (rows, parts): year, January … December, day, Monday …
Sunday and, where the column has times, hour; NaN where missing. Outputs: prediction; for classes, probabilities in the
order of the classes."""


def checked_onnx(model: TableModel, frame: Any) -> tuple[bytes, float]:
    """The bytes of model.onnx and the largest difference to Python over the rows of `frame`.

    Regressions are compared relative to the largest prediction. Raises InputError without the extra, and if onnxruntime
    gives different numbers.
    """
    if not (find_spec("onnx") and find_spec("onnxruntime")):
        raise InputError(
            'Writing model.onnx needs two more packages; install them with pip install "shrinkwise[onnx]".'
        )
    import onnxruntime

    if model.plan.exposure is not None:
        kind, column = model.plan.exposure
        raise InputError(
            f"The graph has no input for the {kind} {column!r}; use score.py or shrinkwise predict instead."
        )
    data = onnx_bytes(model)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    expected = model.output(frame)
    found = session.run(None, onnx_inputs(model, frame))
    output = found[0][:, 0] if model.plan.classes is None else found[1]
    scale = max(1.0, float(np.abs(expected).max(initial=0.0))) if model.plan.classes is None else 1.0
    difference = float(np.abs(output - expected).max(initial=0.0)) / scale
    if not difference <= _TOLERANCE:
        raise ValueError(
            f"The predictions of onnxruntime differ from Python by {difference:.2g} on these rows, so model.onnx "
            "was not written."
        )
    return data, difference


def onnx_inputs(model: TableModel, frame: Any) -> dict[str, np.ndarray]:
    """The rows of a data frame as the inputs of the graph; an absent column, which has no weight, is treated as
    missing."""
    frame, feeds = as_frame(frame), {}
    nothing = pl.Series([None] * frame.height, dtype=pl.String)
    for column, rule in zip(model.plan.kept, model.encoder.rules, strict=True):
        series = frame[column.name] if column.name in frame.columns else nothing
        if column.kind in _TEXT_KINDS:
            text = level_text(rule, series)
            feeds[column.name] = np.array(text.fill_null("").to_list(), dtype=object)[:, None]
        else:
            feeds[column.name] = measured(rule, series)
    return feeds


def onnx_bytes(model: TableModel) -> bytes:
    """The graph, serialised."""
    from onnx import TensorProto, helper

    graph, encoder, classes = _Graph(), model.encoder, model.plan.classes
    inputs, blocks = [], []
    for number, (column, rule) in enumerate(zip(model.plan.kept, encoder.rules, strict=True)):
        is_text = column.kind in _TEXT_KINDS
        width = 1 if is_text or column.kind == "number" else len(rule["fill"])
        kind = TensorProto.STRING if is_text else TensorProto.DOUBLE
        inputs.append(helper.make_tensor_value_info(column.name, kind, [None, width]))
        block = _means_block if column.kind == LEVEL_MEANS else _text_block if is_text else _number_block
        blocks.append(block(graph, column.name, rule, f"c{number}"))
    x = graph.add("Concat", blocks, axis=1)
    x = graph.add("Gather", [x, graph.constant(np.flatnonzero(encoder.varies))], axis=1)
    x = graph.add("Div", [graph.add("Sub", [x, graph.constant(encoder.mean)]), graph.constant(encoder.scale)])
    x = _network(graph, x, model.predictor.written())
    response = Response.stored(model.predictor.arrays())
    outputs = _regression(graph, x, response) if classes is None else _classes(graph, x, classes)
    made = helper.make_graph(graph.nodes, "shrinkwise", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS]
    whole = helper.make_model(made, producer_name="shrinkwise", opset_imports=opsets, ir_version=_IR, doc_string=DOC)
    return whole.SerializeToString()


class _Graph:
    """Nodes and constants of a graph under construction; names are numbered."""

    def __init__(self):
        self.nodes: list = []
        self.constants: list = []

    def add(self, operator: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        """One node with one output; the output's name."""
        from onnx import helper

        name = name or f"\u2192{len(self.nodes)}"  # a name no column has reason to have
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        """An array as an initializer: integers as int64, everything else as double."""
        from onnx import numpy_helper

        value = np.asarray(value)
        value = value.astype(np.int64 if value.dtype.kind in "iu" else np.float64)
        name = f"\u2190{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name


def _network(graph: _Graph, x: str, written: WrittenPredictor) -> str:
    """From standardised features to scores: clipped, as hinges, through the layers."""
    if written.limits is not None:
        low, high = written.limits
        inside = graph.add("Min", [graph.add("Max", [x, graph.constant(low)]), graph.constant(high)])
        beyond = graph.add("Sub", [x, inside])
        distance = graph.add("Add", [graph.add("Abs", [beyond]), graph.constant(np.array(1.0))])
        x = graph.add("Add", [inside, graph.add("Div", [beyond, distance])])
    if (hinges := written.hinges) is not None:
        x = graph.add("Gather", [x, graph.constant(hinges.sources)], axis=1)
        x = graph.add("Min", [x, graph.constant(hinges.tops)])
        x = graph.add("Relu", [graph.add("Sub", [x, graph.constant(hinges.knots)])])
    for position, (weights, biases) in enumerate(zip(written.weights, written.biases, strict=True)):
        x = graph.add("Relu", [x]) if position else x
        whole = block_diag(*weights) if weights.ndim == 3 else weights
        x = graph.add("Add", [graph.add("MatMul", [x, graph.constant(whole.T)]), graph.constant(biases)])
    return x


def _number_block(graph: _Graph, column: str, rule: dict, _: str) -> str:
    """Numbers or date parts: missing values imputed, and their indicator."""
    from onnx import TensorProto

    gaps = graph.add("IsNaN", [column])
    filled = graph.add("Where", [gaps, graph.constant(np.array([rule["fill"]], dtype=float)), column])
    if not rule["gaps"]:
        return filled
    first = graph.add("Gather", [gaps, graph.constant(np.array([0]))], axis=1)
    return graph.add("Concat", [filled, graph.add("Cast", [first], to=TensorProto.DOUBLE)], axis=1)


def _text_block(graph: _Graph, column: str, rule: dict, _: str) -> str:
    """Levels: all features are linear in the 0/1 indicators of the levels and of the empty text."""
    from onnx import TensorProto

    marks = graph.add("OneHotEncoder", [column], cats_strings=[*rule["levels"], ""], zeros=1, domain="ai.onnx.ml")
    width = len(rule["levels"]) + 1
    marks = graph.add("Reshape", [marks, graph.constant(np.array([-1, width]))])
    marks = graph.add("Cast", [marks], to=TensorProto.DOUBLE)
    weights, shift = _of_marks(rule)
    return graph.add("Add", [graph.add("MatMul", [marks, graph.constant(weights)]), graph.constant(shift)])


def _means_block(graph: _Graph, column: str, rule: dict, _: str) -> str:
    """Level means: a row of a table by the number of the level; its last two rows are of unseen and of missing texts."""
    n = len(rule["levels"])
    table = np.array([*rule["means"], rule["fill"], rule["fill"]])
    if rule["gaps"]:
        table = np.column_stack([table, np.arange(n + 2) == n + 1])
    codes: dict[str, Any] = {
        "keys_strings": [*rule["levels"], ""],
        "values_int64s": [*range(n), n + 1],
        "default_int64": n,
    }
    place = graph.add("LabelEncoder", [column], domain="ai.onnx.ml", **codes)
    return graph.add("Gather", [graph.constant(table), graph.add("Reshape", [place, graph.constant(np.array([-1]))])])


def _of_marks(rule: dict) -> tuple[np.ndarray, np.ndarray]:
    """(M, c): the features of a text column are marks @ M + c; an unseen text has no indicator."""
    n = len(rule["levels"])
    columns: list[tuple[np.ndarray, float]]
    if rule["kind"] == "category":
        columns = [(np.eye(n + 1)[k], 0.0) for k in range(n)]
        columns += [(-np.ones(n + 1), 1.0)] if rule["pool"] else []
        columns += [(np.eye(n + 1)[n], 0.0)] if rule["gaps"] else []
    elif n == 1:  # present or missing: missing is its other value
        columns = [(np.array([1.0, 0.0]), 0.0)]
    else:
        known = np.append(np.ones(n), 0.0)
        columns = [
            (np.append(np.arange(n) >= k, 0.0) - fill * known, fill) for k, fill in enumerate(rule["fill"], start=1)
        ]
        columns += [(-known, 1.0)] if rule["gaps"] else []
    return np.column_stack([weights for weights, _ in columns]), np.array([shift for _, shift in columns], dtype=float)


def _regression(graph: _Graph, x: str, response: Response) -> list:
    from onnx import TensorProto, helper

    if response.log:
        x = graph.add("Exp", [graph.add("Min", [x, graph.constant(np.array(690.0))])])
    for operator, limit in (("Max", response.low), ("Min", response.high)):
        x = graph.add(operator, [x, graph.constant(np.array(limit))]) if np.isfinite(limit) else x
    graph.add("Identity", [x], name="prediction")
    return [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, 1])]


def _classes(graph: _Graph, x: str, classes: list[str]) -> list:
    from onnx import TensorProto, helper

    weights_out = graph.constants[-2].dims[-1]  # the last layer's weights (hidden, outputs) come before its biases
    if weights_out == 1:
        x = graph.add("Concat", [graph.add("Sub", [x, x]), x], axis=1)
    chances = graph.add("Softmax", [x], name="probabilities", axis=1)
    code = graph.add("ArgMax", [chances], axis=1, keepdims=1)
    keys = list(range(len(classes)))
    graph.add("LabelEncoder", [code], name="prediction", keys_int64s=keys, values_strings=classes, domain="ai.onnx.ml")
    return [
        helper.make_tensor_value_info("prediction", TensorProto.STRING, [None, 1]),
        helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, len(classes)]),
    ]
