"""What a training of a ReID network starts from."""

import pytest

from pipeline.errors import UserError
from pipeline.reid.training import encoders_of
from reid_model.data import ReidSet
from reid_model.training.recipe import ModelRecipe, Recipe

OMNI_SCALE = Recipe(model=ModelRecipe(encoder="omni-scale", texts=False, text_guidance=False))


def test_weights_of_imagenet_do_not_fit_the_omni_scale_network() -> None:
    with pytest.raises(UserError, match=r"do not fit model\.encoder omni-scale: start from"):
        encoders_of(OMNI_SCALE, None, True, ReidSet("nobody", (), (), ()))


def test_without_weights_there_are_no_encoders_yet() -> None:
    assert encoders_of(OMNI_SCALE, None, False, ReidSet("nobody", (), (), ())) == (None, None)
