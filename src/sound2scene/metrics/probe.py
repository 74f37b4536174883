"""What features know of a quantity: a small network learns it from them, and is asked about held-out ones."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from torch import Tensor

HIDDEN = 64
_FEWEST_TO_STOP = 100  # of which a tenth tells when to stop


def probe_r2(
    feature_ND: Tensor, true_NM: Tensor, held_out_feature_ND: Tensor, held_out_true_NM: Tensor, seed: int = 0
) -> list[float]:
    """Coefficients of determination of a two-layer probe (64 hidden units, ReLU, Adam) on held-out features.

    Features and quantities are standardised. 1 is perfect, 0 what the mean is worth.

    Args:
        feature_ND: Features to learn from.
        true_NM: The M quantities of each.
        held_out_feature_ND: Features to ask about.
        held_out_true_NM: Their quantities.
        seed: Seed of the probe's start and of its batches.
    """
    scale, scale_true = StandardScaler(), StandardScaler()
    x_ND, y_NM = scale.fit_transform(_array(feature_ND)), scale_true.fit_transform(_array(true_NM))
    probe = MLPRegressor(
        hidden_layer_sizes=(HIDDEN,),
        alpha=1e-2,
        early_stopping=len(x_ND) >= _FEWEST_TO_STOP,
        max_iter=300,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(x_ND, y_NM if y_NM.shape[1] > 1 else y_NM[:, 0])
    told_NM = probe.predict(scale.transform(_array(held_out_feature_ND))).reshape(len(held_out_true_NM), -1)
    wanted_NM = scale_true.transform(_array(held_out_true_NM))
    return [float(value) for value in r2_score(wanted_NM, told_NM, multioutput="raw_values")]


def _array(values: Tensor) -> NDArray[np.float64]:
    return values.detach().cpu().double().numpy()
