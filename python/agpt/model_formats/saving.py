"""Writing a model in a format by its name."""

from pathlib import Path

import numpy as np

from agpt._engine import ArgumentError, NonFiniteError
from agpt.files import require_writable
from agpt.model import Model
from agpt.model_formats.hugging_face import save_hugging_face
from agpt.model_formats.karpathy_json import save_karpathy_json
from agpt.model_formats.mgpt import save_mgpt
from agpt.model_formats.plain_safetensors import save_plain_safetensors

SAVERS = {
    "safetensors": save_plain_safetensors,
    "mgpt": save_mgpt,
    "model-json": save_karpathy_json,
}
MODEL_FORMATS = (*SAVERS, "transformers")


def save_model(model: Model, path: Path, file_format: str) -> dict[str, int]:
    """Writes `path`, which must not exist; returns figures about what was written."""
    if path.exists():
        raise ArgumentError(f"{path} exists: name a file or folder that does not")
    for name, values in model.parameters().items():
        if not np.isfinite(values).all():
            raise NonFiniteError(
                f"{name} is not finite: the model diverged, export one from before that"
            )
    require_writable(path)
    if file_format == "transformers":
        save_hugging_face(path, model)
    else:
        SAVERS[file_format](path, model)
    return {"n_parameters": model.n_parameters}
