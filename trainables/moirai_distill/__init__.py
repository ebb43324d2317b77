"""A small patch transformer that learns from a frozen Moirai (distillation: Hinton et al. 2015, arXiv:1503.02531)."""

from typing import TYPE_CHECKING

from trainables.lazy import lazy_names

if TYPE_CHECKING:
    from trainables.moirai_distill.student import Student, StudentConfig
    from trainables.moirai_distill.trainable import MoiraiDistill

__all__ = ["MoiraiDistill", "Student", "StudentConfig"]
__getattr__ = lazy_names(
    __name__,
    {
        "MoiraiDistill": "trainable",
        "Student": "student",
        "StudentConfig": "student",
    },
)
