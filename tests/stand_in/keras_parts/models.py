"""Two models of one output and one label."""

import keras
from attrs import define, field

from plx_core import EstimatorSpec, Model
from plx_core.annotations import LossLike
from plx_core.components.component import make


@define
class Regressor(Model):
    """Estimates numbers."""

    loss: LossLike = field(default="MeanSquaredError", kw_only=True)

    def _spec(self, network, metrics):
        loss = make("losses", self.loss)

        def label_of(labels):
            return next(iter(labels.values())) if isinstance(labels, dict) else labels

        def update_metrics(features, labels, outputs):
            for metric in metrics.values():
                metric.update_state(label_of(labels), self._decided(outputs))

        return EstimatorSpec(
            **self._common(network, metrics),
            loss_fn=lambda features, labels, outputs: loss(label_of(labels), outputs),
            update_metrics=update_metrics,
            predict_fn=lambda features, outputs: self._predictions(outputs),
        )

    def _decided(self, outputs):
        return outputs

    def _predictions(self, outputs):
        return {"results": outputs}


@define
class Classifier(Regressor):
    """Tells which of several classes an example belongs to, from logits."""

    loss: LossLike = field(
        factory=lambda: {"SparseCategoricalCrossentropy": {"from_logits": True}}, kw_only=True
    )

    def _decided(self, outputs):
        return keras.ops.argmax(outputs, axis=-1)

    def _predictions(self, outputs):
        return {
            "logits": outputs,
            "probabilities": keras.ops.softmax(outputs),
            "classes": self._decided(outputs),
        }
