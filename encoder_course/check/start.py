"""Checks of notebook 00: shapes, cosines and the best of many."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from encoder_course.check.base import Exercise, Misconception

shape = Exercise(
    number="0.1",
    title="shape of the vectors",
    difficulty=1,
    minutes=3,
    reference=(3, 384),
    misconceptions=(
        Misconception(
            "one vector for all",
            "this is one vector: then the three texts could not be told apart",
            (384,),
        ),
        Misconception(
            "one vector for each token",
            "this keeps a vector for each token: pooling has already made them one",
            (3, 8, 384),
        ),
        Misconception(
            "the other way round",
            "texts come first in this course, and what describes each of them comes last",
            (384, 3),
        ),
        Misconception(
            "the length limit",
            "256 is how many tokens of a text are read at most, and not how many numbers come out",
            (3, 256),
        ),
        Misconception(
            "words for vectors",
            "a text of eight tokens does not become eight numbers: each token has a whole vector",
            (3, 8),
        ),
    ),
    spoilers=("(3, 384)",),
)


def _cosines(questions: Tensor, documents: Tensor) -> Tensor:
    return F.normalize(questions, dim=-1) @ F.normalize(documents, dim=-1).mT


def _cosine_cases():
    questions = torch.tensor([[3.0, 4.0, 0.0], [0.0, -2.0, 1.0]])
    documents = torch.tensor(
        [[6.0, 8.0, 0.0], [1.0, 0.0, 2.0], [-0.3, 0.4, 1.0], [0.0, 5.0, -2.5]],
    )
    return {"2 questions and 4 documents of width 3": (questions, documents)}


cosines = Exercise(
    number="0.2",
    title="cosines",
    difficulty=2,
    minutes=15,
    reference=_cosines,
    cases=_cosine_cases,
    misconceptions=(
        Misconception(
            "no lengths",
            "these are plain dot products: a long vector looks near to everything, and values above"
            " 1 give it away",
            lambda questions, documents: questions @ documents.mT,
        ),
        Misconception(
            "questions alone",
            "only the questions have length 1 here: documents with long vectors still win",
            lambda questions, documents: F.normalize(questions, dim=-1) @ documents.mT,
        ),
        Misconception(
            "documents alone",
            "only the documents have length 1 here: the questions' lengths still scale the rows",
            lambda questions, documents: questions @ F.normalize(documents, dim=-1).mT,
        ),
        Misconception(
            "distance",
            "these are distances: they are 0 where two vectors are equal, and a similarity should"
            " be largest there",
            torch.cdist,
        ),
        Misconception(
            "cosine distance",
            "a vector with the same direction gets 0 here and the opposite one gets 2: that counts"
            " how far apart they are, and not how near",
            lambda questions, documents: 1 - _cosines(questions, documents),
        ),
        Misconception(
            "wrong axis",
            "each column was brought to length 1 instead of each vector: one text then changes with"
            " the texts that happen to stand beside it",
            lambda questions, documents: (
                F.normalize(questions, dim=0) @ F.normalize(documents, dim=0).mT
            ),
        ),
        Misconception(
            "length of all",
            "the whole table was divided by one length: each vector needs its own",
            lambda questions, documents: (
                questions / questions.norm() @ (documents / documents.norm()).mT
            ),
        ),
    ),
    spoilers=("normalize(", "norm(", "keepdim", "dim=-1"),
)


def _best(scores: Tensor, k: int) -> Tensor:
    return scores.topk(k).indices


def _best_cases():
    return {
        "the best 3 of 6 scores": (torch.tensor([0.1, 0.9, -0.95, 0.4, 0.7, -0.2]), 3),
        "the best 1 of 4 scores": (torch.tensor([-0.5, -0.8, -0.1, -0.3]), 1),
    }


best = Exercise(
    number="0.3",
    title="best",
    difficulty=1,
    minutes=10,
    reference=_best,
    cases=_best_cases,
    misconceptions=(
        Misconception(
            "smallest first",
            "these are the worst answers: sorting puts the smallest score first unless it is told"
            " otherwise",
            lambda scores, k: scores.argsort()[:k],
        ),
        Misconception(
            "the best, but last",
            "the right documents are there, but the best of them comes last",
            lambda scores, k: scores.argsort()[-k:],
        ),
        Misconception(
            "scores",
            "these are the scores themselves: to look a document up, its place is needed",
            lambda scores, k: scores.topk(k).values,
        ),
        Misconception(
            "absolute values",
            "a score far below zero is among the best here: the sign was lost, and an opposite"
            " vector is no good answer",
            lambda scores, k: scores.abs().topk(k).indices,
        ),
        Misconception(
            "one too many",
            "there is one answer more than was asked for",
            lambda scores, k: scores.topk(k + 1).indices,
        ),
        Misconception(
            "order of appearance",
            "the right documents are there, but in the order in which they stand in the library",
            lambda scores, k: scores.topk(k).indices.sort().values,
        ),
    ),
    spoilers=("topk", "descending", "flip"),
)
