"""The processes that load pictures."""

import os
import signal

from torch.utils.data import Dataset

from reid_model.training.batches import loader


class Interrupted(Dataset[int]):
    """Its process gets the signals of its group while it loads."""

    def __getitem__(self, index: int) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        return index


def test_signals_of_the_group_end_no_process_that_loads() -> None:
    batches = list(loader(Interrupted(), [[1, 2], [3], [4, 5]], workers=2))
    assert [batch.tolist() for batch in batches] == [[1, 2], [3], [4, 5]]  # type: ignore[attr-defined]
