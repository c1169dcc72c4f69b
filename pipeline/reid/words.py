"""The words that a ReID network understands."""

from pipeline.errors import UserError
from pipeline.weights import weights_files, weights_path
from reid_model.networks.sentence_text import read_sentence_text
from reid_model.query_encoder import QueryEncoder
from reid_model.trained_embedder import trained_spec
from reid_model.training.fusion_files import load_fusion
from reid_model.weights_header import is_fusion

_TEXT = "all-minilm-l6-v2"


def open_text_encoder(model: str) -> QueryEncoder:
    """The query side of the ReID network ``model``, a name in the manifest or the path of a file.

    Raises UserError for a network that knows no words, and when its weights or those of the text
    encoder (`fusetrack weights pull all-minilm-l6-v2`) are missing or damaged.
    """
    path = weights_path(model, kind="reid")
    if not is_fusion(path):
        raise UserError(
            f"ReID model {model} knows no words: expected one of FusionSegReID, "
            "such as fusion-people"
        )
    try:
        file = load_fusion(path)
        files = weights_files(_TEXT)
        weights, tokenizer = (
            one for name in (".safetensors", ".json") for one in files if one.suffix == name
        )
        text = read_sentence_text(weights, 1)
    except ValueError as error:
        raise UserError(f"ReID model {model}: {error}") from error
    if file.words is None:
        raise UserError(f"ReID model {model} has not learned words")
    return QueryEncoder(file.model, trained_spec(file.recipe), text, tokenizer, file.words)
