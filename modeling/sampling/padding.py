"""Prompts of several lengths as one block: padded on the left, masked, positions counted from each prompt's start.

U distinct prompts, B rows of a batch, T positions.
"""

import torch

from modeling.sampling.grouping import Group


class Padding:
    """The prompts of a group as one block, padded on the left, and what tells the model about it.

    Of prompts of one length the model is told nothing: without a mask its attention is faster.
    """

    def __init__(self, group: Group, n_steps: int, torch_device: torch.device) -> None:
        self.longest, self.is_even = group.longest, group.is_even
        padded = [(0,) * (self.longest - len(prompt)) + prompt for prompt in group.prompts]
        self.prompts_UT = torch.tensor(padded, device=torch_device)
        self.lengths_B = torch.tensor([len(prompt) for prompt in group.prompts], device=torch_device)
        positions_T = torch.arange(self.longest + n_steps, device=torch_device)
        self.mask_BT = (positions_T >= self.longest - self.lengths_B[:, None]).long()

    def of_prompts(self) -> dict[str, torch.Tensor]:
        """Return the model's arguments while it reads the prompts."""
        mask_UT = self.mask_BT[:, : self.longest]
        return (
            {} if self.is_even else {"attention_mask": mask_UT, "position_ids": (mask_UT.cumsum(-1) - 1).clamp(min=0)}
        )

    def of_answer(self, step: int) -> dict[str, torch.Tensor]:
        """Return the model's arguments while it reads the token that was chosen at a step."""
        if self.is_even:
            return {}
        mask_BT = self.mask_BT[:, : self.longest + step + 1]
        return {"attention_mask": mask_BT, "position_ids": (self.lengths_B + step)[:, None]}

    def select(self, rows: torch.Tensor) -> None:
        """Keep these rows."""
        self.lengths_B, self.mask_BT = self.lengths_B[rows], self.mask_BT[rows]
