"""A small patch transformer that learns from a frozen Moirai (distillation: Hinton et al. 2015, arXiv:1503.02531)."""

from trainables.moirai_distill.student import Student, StudentConfig
from trainables.moirai_distill.trainable import MoiraiDistill

__all__ = ["MoiraiDistill", "Student", "StudentConfig"]
