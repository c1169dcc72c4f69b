"""The prompt learner on a token embedding in which every vector holds its token id."""

import pytest
import torch

from reid_model.networks.clip_transformer import CONTEXT, VOCABULARY, ClipText, end_positions
from reid_model.networks.prompts import TEMPLATE, TEMPLATE_TOKENS, PromptLearner

#: (VOCABULARY, 2): the token's id, and a constant
TABLE = torch.stack([torch.arange(VOCABULARY), torch.full((VOCABULARY,), 7)], dim=1).float()


def test_tokens_five_to_eight_are_learned_and_the_others_are_the_phrase() -> None:
    learner = PromptLearner(TABLE, classes=3)
    labels = torch.tensor([2, 0, 2])
    prompts, ends = learner(labels)
    assert prompts.shape == (3, CONTEXT, 2)
    assert torch.equal(prompts[:, 5:9], learner.context[labels])
    fixed = torch.cat([prompts[:, :5], prompts[:, 9:]], dim=1)
    assert fixed[:, :, 1].unique().tolist() == [7]
    ids = [*TEMPLATE_TOKENS[:5], *TEMPLATE_TOKENS[9:], *[0] * 65]
    assert fixed[:, :, 0].tolist() == [ids] * 3
    assert ends.tolist() == [11, 11, 11]
    assert fixed[0, 11 - 4, 0] == VOCABULARY - 1  # the end of text


def test_sizes_and_initialisation() -> None:
    torch.manual_seed(0)
    learner = PromptLearner(torch.zeros(VOCABULARY, 512), classes=50)
    assert learner.prefix.shape == (1, 5, 512)
    assert learner.suffix.shape == (1, 68, 512)
    assert {name: p.shape for name, p in learner.named_parameters()} == {"context": (50, 4, 512)}
    assert learner.context.std().item() == pytest.approx(0.02, rel=0.02)
    assert learner.context.mean().item() == pytest.approx(0, abs=0.001)


def test_only_the_given_identities_get_a_gradient() -> None:
    # In a width of 2 some weights let no gradient through.
    torch.manual_seed(0)
    table = TABLE.clone().requires_grad_()
    learner = PromptLearner(table, classes=4)
    text = ClipText(output_dim=3, width=2, layers=1, heads=1, vocabulary=1)
    text.encode(*learner(torch.tensor([1, 3]))).square().sum().backward()
    moved = learner.context.grad.abs().amax(dim=(1, 2)) > 0
    assert moved.tolist() == [False, True, False, True]
    assert table.grad is None


def test_a_prompt_in_another_vocabulary() -> None:
    learner = PromptLearner(TABLE, classes=1, tokens=(1, 2, 3, 4, 5, 0, 0, 0, 0, 6))
    prompts, ends = learner(torch.tensor([0]))
    assert torch.equal(prompts[:, 5:9], learner.context)
    assert prompts[0, [0, 1, 2, 3, 4, 9, 10], 0].tolist() == [1, 2, 3, 4, 5, 6, 0]
    assert ends.tolist() == [9]


def test_no_identities() -> None:
    prompts, ends = PromptLearner(TABLE, classes=1)(torch.zeros(0, dtype=torch.long))
    assert (prompts.shape, ends.shape) == ((0, CONTEXT, 2), (0,))


def test_the_tokens_are_those_of_the_tokenizer() -> None:
    open_clip = pytest.importorskip("open_clip", reason="open_clip_torch is not installed")
    (tokens,) = open_clip.tokenize([TEMPLATE])
    assert tuple(tokens[: len(TEMPLATE_TOKENS)].tolist()) == TEMPLATE_TOKENS
    assert tokens[len(TEMPLATE_TOKENS) :].tolist() == [0] * 65
    assert end_positions(tokens[None]).tolist() == [11]


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 49408 rows, got \(5, 2\)"):
        PromptLearner(torch.zeros(5, 2), classes=1)
    with pytest.raises(ValueError, match="at least 30 rows"):
        PromptLearner(torch.zeros(29, 2), classes=1, tokens=(*range(8), 29))
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        PromptLearner(TABLE, classes=0)
